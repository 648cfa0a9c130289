// systemd: a socket that it holds, so that no client is refused while the daemon starts again, and the service behind it.
import { existsSync } from 'node:fs'
import { mark, type Placement, type ServicePlan } from './plan.ts'

const folder = '/etc/systemd/system'

export function linuxService(placement: Placement): ServicePlan {
  return {
    files: [
      { path: `${folder}/backhaul.socket`, text: socketUnit() },
      { path: `${folder}/backhaul.service`, text: serviceUnit(placement) },
    ],
    start: [{ words: ['systemctl', 'daemon-reload'] }, { words: ['systemctl', 'enable', '--now', 'backhaul.socket', 'backhaul.service'] }],
    stop: [{ words: ['systemctl', 'disable', '--now', 'backhaul.service', 'backhaul.socket'], mayFail: true }],
    afterRemoval: [{ words: ['systemctl', 'daemon-reload'] }, { words: ['systemctl', 'reset-failed', 'backhaul.service', 'backhaul.socket'], mayFail: true }],
    isActive: { words: ['systemctl', 'is-active', 'backhaul.service'], mayFail: true },
    leftovers: ['/run/backhaul'],
    purge: ['/var/lib/backhaul', '/etc/backhaul'],
    // sd_booted(3)
    obstacle: () => existsSync('/run/systemd/system') ? null
      : 'systemd does not run here. Where it does: systemctl daemon-reload && systemctl enable --now backhaul.socket backhaul.service',
  }
}

export function socketUnit(): string {
  return `# ${mark}
[Unit]
Description=Socket of Backhaul

[Socket]
ListenStream=/run/backhaul/backhaul.sock
# Anybody may connect: the kernel says who it is.
SocketMode=0666
DirectoryMode=0755
Backlog=1024
RemoveOnStop=yes
FileDescriptorName=backhaul

[Install]
WantedBy=sockets.target
`
}

/**
 * What Node and the workers bear. Not possible: MemoryDenyWriteExecute (V8 compiles at run time), PrivateUsers and ProtectProc (the broker
 * becomes other users), ProtectSystem, ProtectHome and PrivateTmp (an owner's rights, and nothing else, decide where his files lie).
 * DAC_OVERRIDE and FOWNER are for root's own jobs, whose worker is root.
 */
export function serviceUnit({ node, program, key }: Placement): string {
  return `# ${mark}
[Unit]
Description=Backhaul, moves files in the background for programs
Requires=backhaul.socket
After=backhaul.socket network.target

[Service]
Type=notify
NotifyAccess=main
ExecStart=${quote(node)} ${quote(program)} --mode system
ExecReload=/bin/kill -HUP $MAINPID
WatchdogSec=60
Restart=on-failure
RestartSec=1
TimeoutStopSec=30
KillMode=mixed
OOMPolicy=continue

StateDirectory=backhaul
StateDirectoryMode=0700
RuntimeDirectory=backhaul
RuntimeDirectoryPreserve=yes
ConfigurationDirectory=backhaul
UMask=0077
${key === undefined ? '' : `LoadCredential=backhaul.key:${key.replaceAll('%', '%%')}\n`}LimitNOFILE=65536
LimitCORE=0

CapabilityBoundingSet=CAP_SETUID CAP_SETGID CAP_KILL CAP_DAC_OVERRIDE CAP_FOWNER
NoNewPrivileges=yes
SystemCallFilter=@system-service @setuid @pkey
SystemCallErrorNumber=EPERM
SystemCallArchitectures=native
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
KeyringMode=private

[Install]
WantedBy=multi-user.target
Also=backhaul.socket
`
}

/** systemd.service(5), "Command lines". */
function quote(path: string): string {
  const escaped = path.replaceAll('%', '%%').replaceAll('$', '$$$$')
  return /^[\w./%$+@=:-]+$/.test(escaped) ? escaped : `"${escaped.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}
