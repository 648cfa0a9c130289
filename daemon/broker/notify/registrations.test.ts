import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventKinds, type EventKind } from '../../../protocol/options.ts'
import type { Caller } from '../../core/access.ts'
import { newJob, type JobRecord } from '../../core/job.ts'
import type { Endpoint } from './endpoint.ts'
import { Registrations, type Registration, type Scope } from './registrations.ts'

const caller = (id: string, role: Caller['role'] = 'user'): Caller => ({ id, name: `user ${id}`, role, isExempt: role === 'admin' })
const [ann, bob, root] = [caller('1001'), caller('1002'), caller('0', 'admin')]
const endpoint = (): Endpoint => ({ isEnded: false, call: () => Promise.resolve(true), onEnded: () => {}, close: () => {} })

function jobOf(owner: Caller, id: string, application: string | null = null): JobRecord {
  return newJob({
    id, number: 1, owner: { id: owner.id, name: owner.name }, exempt: false, now: 0, displayName: id, type: 'download', description: '',
    application, priority: 'normal', options: {}, clientToken: null, files: [],
  })
}

class House {
  readonly registrations = new Registrations()
  readonly jobs = new Map<string, JobRecord>()
  #last = 0

  add(by: Caller, scope: Scope, kinds: readonly EventKind[] = eventKinds, at: Endpoint = endpoint()): Registration {
    const made = { id: `r${++this.#last}`, caller: by, scope, kinds: new Set(kinds), endpoint: at }
    return this.registrations.add(made, (id) => this.jobs.get(id) ?? null)
  }

  job(owner: Caller, id: string, application: string | null = null): JobRecord {
    const job = jobOf(owner, id, application)
    this.jobs.set(id, job)
    return job
  }

  takeOver(job: JobRecord, by: Caller): JobRecord {
    const taken = { ...job, owner: { id: by.id, name: by.name } }
    this.jobs.set(job.id, taken)
    this.registrations.handOver(job)
    return taken
  }
}

const all: Scope = { kind: 'all' }
const named = (...ids: string[]): Scope => ({ kind: 'jobs', jobIds: new Set(ids) })
const labelled = (application: string): Scope => ({ kind: 'application', application })

test('an explicit job beats an application, which beats all, in whatever order they came', () => {
  const scopes = [all, labelled('app'), named('j')]
  for (const order of [[0, 1, 2], [2, 1, 0], [1, 2, 0], [1, 0, 2]]) {
    const house = new House()
    const job = house.job(ann, 'j', 'app')
    const made = new Map<number, Registration>()
    for (const at of order) made.set(at, house.add(ann, scopes[at] ?? all))
    for (const at of [2, 1, 0]) {
      const winner = made.get(at)
      assert.equal(house.registrations.of(job, 'error'), winner)
      if (winner) house.registrations.remove(winner)
    }
    assert.equal(house.registrations.of(job, 'error'), null)
  }
})

test('within one kind of scope the last wins, and the one before is back when it ends', () => {
  const house = new House()
  const job = house.job(ann, 'j')
  const [first, second] = [house.add(ann, named('j')), house.add(ann, named('j', 'k'))]
  assert.equal(house.registrations.of(job, 'error'), second)
  house.registrations.remove(second)
  assert.equal(house.registrations.of(job, 'error'), first)
})

test('each kind goes to the best of those who want it', () => {
  const house = new House()
  const job = house.job(ann, 'j')
  const wide = house.add(ann, all)
  const narrow = house.add(ann, named('j'), ['error'])
  assert.equal(house.registrations.of(job, 'error'), narrow)
  assert.equal(house.registrations.of(job, 'transferred'), wide)
})

test("nobody is told of another's job, whatever he registers; an admin may name it", () => {
  const house = new House()
  const job = house.job(ann, 'j', 'app')
  for (const scope of [all, labelled('app'), named('j')]) house.add(bob, scope)
  for (const scope of [all, labelled('app')]) house.add(root, scope)
  assert.equal(house.registrations.of(job, 'error'), null)
  const byRoot = house.add(root, named('j'))
  assert.equal(house.registrations.of(job, 'error'), byRoot)
})

test('application and all cover jobs made later, and follow the label', () => {
  const house = new House()
  const registration = house.add(ann, labelled('app'))
  const job = house.job(ann, 'j')
  assert.equal(house.registrations.of(job, 'error'), null)
  assert.equal(house.registrations.of({ ...job, application: 'app' }, 'error'), registration)
})

test('after a job is taken over, what covered it goes on until the new owner registers something for it', () => {
  for (const scope of [all, labelled('app'), named('j')]) {
    const house = new House()
    const before = house.add(root, all)
    const old = house.add(ann, scope)
    const job = house.takeOver(house.job(ann, 'j', 'app'), root)
    assert.equal(house.registrations.of(job, 'error'), old)
    assert.equal(house.registrations.covers(old, job), true)
    house.add(ann, all)
    house.add(root, labelled('something else'))
    assert.equal(house.registrations.of(job, 'error'), old)
    const next = house.add(root, all)
    assert.equal(house.registrations.of(job, 'error'), next)
    assert.equal(house.registrations.covers(old, job), false)
    house.registrations.remove(next)
    assert.equal(house.registrations.of(job, 'error'), before)
  }
})

test('when the old endpoint ends after a job was taken over, the new owner is told where he registered before', () => {
  const house = new House()
  const byRoot = house.add(root, all)
  const old = house.add(ann, all)
  const job = house.takeOver(house.job(ann, 'j'), root)
  house.registrations.remove(old)
  assert.equal(house.registrations.of(job, 'error'), byRoot)
})

test('the registrations of one endpoint and of one caller are known', () => {
  const house = new House()
  const at = endpoint()
  const [one, two] = [house.add(ann, all, eventKinds, at), house.add(ann, named('j'), eventKinds, at)]
  house.add(bob, all)
  assert.deepEqual(house.registrations.at(at), [one, two])
  assert.equal(house.registrations.countOf(ann.id), 2)
  for (const each of house.registrations.at(at)) house.registrations.remove(each)
  assert.deepEqual([house.registrations.at(at), house.registrations.countOf(ann.id), house.registrations.get(one.id)], [[], 0, null])
})
