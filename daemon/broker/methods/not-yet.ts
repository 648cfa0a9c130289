// Methods that are declared, and not offered yet.
import { Refusal } from '../../../protocol/refusals.ts'

export function notYet(): never {
  throw new Refusal('not-supported')
}
