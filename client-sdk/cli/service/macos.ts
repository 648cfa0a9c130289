// launchd: a daemon that is started at boot and again when it fails. Written from launchd.plist(5); NOT RUN on macOS yet.
import { mark, type Placement, type ServicePlan } from './plan.ts'

const label = 'net.backhaul.backhauld'
const plist = `/Library/LaunchDaemons/${label}.plist`

export function macosService(placement: Placement): ServicePlan {
  return {
    files: [{ path: plist, text: propertyList(placement) }],
    start: [{ words: ['launchctl', 'bootstrap', 'system', plist] }],
    stop: [{ words: ['launchctl', 'bootout', `system/${label}`], mayFail: true }],
    afterRemoval: [],
    isActive: { words: ['launchctl', 'print', `system/${label}`], mayFail: true },
    leftovers: ['/var/run/backhaul'],
    purge: ['/var/lib/backhaul', '/etc/backhaul'],
    obstacle: () => null,
  }
}

export function propertyList({ node, program }: Placement): string {
  const words = [node, program, '--mode', 'system']
  return `<?xml version="1.0" encoding="UTF-8"?>
<!-- ${mark} -->
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key><string>${label}</string>
  <key>ProgramArguments</key>
  <array>
${words.map((word) => `    <string>${escapeXml(word)}</string>`).join('\n')}
  </array>
  <key>RunAtLoad</key><true/>
  <key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict>
  <key>ExitTimeOut</key><integer>30</integer>
  <key>Umask</key><integer>63</integer>
  <key>StandardErrorPath</key><string>/var/log/backhaul.log</string>
  <key>SoftResourceLimits</key><dict><key>NumberOfFiles</key><integer>65536</integer><key>Core</key><integer>0</integer></dict>
</dict>
</plist>
`
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
