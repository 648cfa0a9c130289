// Windows: Node does not answer the service control manager, so the task scheduler starts the daemon at boot, as SYSTEM, and again when
// it fails. Written from the documentation of schtasks and its XML; NOT RUN on Windows yet.
import { mark, type Placement, type ServicePlan } from './plan.ts'

const task = '\\Backhaul\\backhauld'
const file = 'C:\\ProgramData\\Backhaul\\backhauld.xml'

export function windowsService(placement: Placement): ServicePlan {
  return {
    files: [{ path: file, text: taskXml(placement) }],
    start: [{ words: ['schtasks', '/Create', '/TN', task, '/XML', file, '/F'] }, { words: ['schtasks', '/Run', '/TN', task] }],
    stop: [{ words: ['schtasks', '/End', '/TN', task], mayFail: true }, { words: ['schtasks', '/Delete', '/TN', task, '/F'], mayFail: true }],
    afterRemoval: [],
    isActive: { words: ['schtasks', '/Query', '/TN', task], mayFail: true },
    leftovers: [],
    purge: ['C:\\ProgramData\\Backhaul'],
    obstacle: () => null,
  }
}

export function taskXml({ node, program }: Placement): string {
  return `<?xml version="1.0"?>
<!-- ${mark} -->
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <Triggers><BootTrigger><Enabled>true</Enabled></BootTrigger></Triggers>
  <Principals><Principal id="Author"><UserId>S-1-5-18</UserId><RunLevel>HighestAvailable</RunLevel></Principal></Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <RestartOnFailure><Interval>PT1M</Interval><Count>999</Count></RestartOnFailure>
  </Settings>
  <Actions Context="Author">
    <Exec><Command>${escapeXml(node)}</Command><Arguments>"${escapeXml(program)}" --mode system</Arguments></Exec>
  </Actions>
</Task>
`
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
