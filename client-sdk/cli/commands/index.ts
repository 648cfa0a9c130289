// The verbs in the order in which the help shows them. A list and nothing else.
import type { AddVerb } from '../verb.ts'
import { addAdd } from './add.ts'
import { addCancel } from './cancel.ts'
import { addComplete } from './complete.ts'
import { addCreate } from './create.ts'
import { addExplain } from './explain.ts'
import { addFiles } from './files.ts'
import { addGet } from './get.ts'
import { addList } from './list.ts'
import { addPing } from './ping.ts'
import { addPolicy } from './policy.ts'
import { addResume } from './resume.ts'
import { addService } from './service.ts'
import { addSet } from './set.ts'
import { addShow } from './show.ts'
import { addStats } from './stats.ts'
import { addSuspend } from './suspend.ts'
import { addWait } from './wait.ts'
import { addWatch } from './watch.ts'

const verbs: readonly AddVerb[] = [
  addGet, addList, addShow, addFiles, addWait, addWatch, addExplain,
  addCreate, addAdd, addSet, addResume, addSuspend, addComplete, addCancel,
  addStats, addPing, addPolicy, addService,
]

export const addVerbs: AddVerb = (program, run) => {
  for (const addVerb of verbs) addVerb(program, run)
}
