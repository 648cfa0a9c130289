import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HeldBytes, type Holder } from './held-bytes.ts'

function scene(): { held: HeldBytes; cut: string[]; holder: (ownerId: string, name: string) => Holder } {
  const cut: string[] = []
  return {
    held: new HeldBytes({ ofOwner: 100, ofMachine: 250 }), cut,
    holder: (ownerId, name) => ({ ownerId, cut: () => void cut.push(name) }),
  }
}

test('over the budget of an owner his connection that holds most is cut, and nobody else', () => {
  const { held, cut, holder } = scene()
  const [a, b, c] = [holder('1', 'a'), holder('1', 'b'), holder('2', 'c')]
  held.note(c, 100)
  held.note(a, 60)
  held.note(b, 40)
  assert.deepEqual(cut, [])
  held.note(b, 41)
  assert.deepEqual(cut, ['a'])
  held.note(b, 100)
  assert.deepEqual(cut, ['a'])
})

test('what was read or has ended counts no more', () => {
  const { held, cut, holder } = scene()
  const [a, b] = [holder('1', 'a'), holder('1', 'b')]
  for (let time = 0; time < 10; time++) {
    held.note(a, 90)
    held.note(a, 0)
    held.note(b, 90)
    held.note(b, 10)
    held.note(b, 0)
  }
  assert.deepEqual(cut, [])
})

test('over the budget of the machine the owner who holds most pays', () => {
  const { held, cut, holder } = scene()
  held.note(holder('1', 'a'), 60)
  held.note(holder('1', 'b'), 39)
  held.note(holder('2', 'c'), 80)
  held.note(holder('3', 'd'), 72)
  assert.deepEqual(cut, ['a'])
})
