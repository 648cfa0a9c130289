// Opens the partial file of an order: the folder of its local name first, then what the rules and the name itself forbid,
// then the file in that folder. The folder is let go again whatever happens; the file holds it for itself.
import type { TransferOrder } from '../link/messages.ts'
import type { Folders } from './files/folders.ts'
import { refuseByRules } from './owner-rules.ts'
import { refuseImpossible } from './files/own-file.ts'
import { PartialFile } from './files/partial-file.ts'
import { openKnownPlace } from './files/volume.ts'
import { usableResumePoint } from './resume-point.ts'

export function openPartial(order: TransferOrder, folders: Folders): PartialFile {
  const { folder, name } = openKnownPlace(folders, order)
  try {
    refuseByRules(order, folder)
    refuseImpossible(folder, name)
    return PartialFile.open(folder, order.temporaryName, usableResumePoint(order))
  } finally {
    folder.release()
  }
}
