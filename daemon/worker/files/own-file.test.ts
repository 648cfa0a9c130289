import assert from 'node:assert/strict'
import { lstatSync, mkdtempSync, rmSync, writeFileSync, type Stats } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { identityOf, isSame, shownOwnerOf } from './identity.ts'
import { isOwn } from './own-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'backhaul-own-'))
after(() => rmSync(folder, { recursive: true }))
writeFileSync(join(folder, 'file'), '')
const real = lstatSync(join(folder, 'file'))
const ann = 61_001
const shownAs = (uid: number): Stats => Object.assign(Object.create(Object.getPrototypeOf(real) as object) as Stats, real, { uid })

test('a file is ours by its owner, or by the owner that it was shown with when it was made', () => {
  const made = identityOf(shownAs(1234))
  const cases: readonly (readonly [shown: number, known: string | null, isOurs: boolean])[] = [
    [ann, null, true], [ann, made, true],
    [1234, made, true], [1234, null, false], [1234, identityOf({ ino: real.ino, birthtimeMs: real.birthtimeMs }), false],
    [4321, made, false], [0, made, false],
  ]
  for (const [shown, known, isOurs] of cases) assert.equal(isOwn(shownAs(shown), known, ann), isOurs, `${shown} ${known}`)
  assert.equal(isOwn(shownAs(1234), made, 0), true, 'root may have taken it over')
  assert.equal(isOwn(lstatSync(folder), made, real.uid), false, 'a folder is none')
})

test('the owner that a file was shown with does not decide which file it is', () => {
  const identity = identityOf(shownAs(1234))
  assert.equal(shownOwnerOf(identity), 1234)
  assert.equal(isSame(identity, real), true)
  assert.equal(shownOwnerOf(identityOf(real)), null)
})
