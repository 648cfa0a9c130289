// Which plan is for which system: one small file each.
import { linuxService } from './linux.ts'
import { macosService } from './macos.ts'
import type { Placement, ServicePlan } from './plan.ts'
import { windowsService } from './windows.ts'

export function servicePlan(placement: Placement, platform: string = process.platform): ServicePlan | null {
  if (platform === 'linux') return linuxService(placement)
  if (platform === 'darwin') return macosService(placement)
  if (platform === 'win32') return windowsService(placement)
  return null
}
