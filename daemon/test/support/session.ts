// A scripted mixed session of a client that keeps its own record: what was answered, and the one call of each job that was
// not. Jobs are made, changed, resumed, suspended, completed and cancelled, several at once, in random order. The record is
// the model; `judge.ts` compares it with what the daemon says after it died.
import { join } from 'node:path'
import type { Job } from '../../../protocol/job.ts'
import type { MethodName, ParamsSent, Result } from '../../../protocol/methods.ts'
import { Refusal } from '../../../protocol/refusals.ts'
import type { Origin } from './origin.ts'
import { Program } from './program.ts'
import type { Chance } from './seed.ts'

/** What a client knows of its job from answers. */
export interface Known {
  readonly displayName: string
  readonly priority: string
  readonly files: number
  /** `either`: files were added, which suspends a job that was transferred. */
  readonly wants: 'rest' | 'run' | 'either'
  readonly ended: 'acknowledged' | 'cancelled' | null
  readonly published: readonly string[]
}

export interface Note {
  /** Client token, and description, by which the job is found although its making was not answered. */
  readonly token: string
  id: string | null
  readonly names: string[]
  known: Known
  /** What the job is if the call that was not answered has taken effect. */
  pending: Known | null
  /** The making was refused: there must be no such job. */
  isRefused: boolean
  completing: boolean
  busy: boolean
}

export interface SessionOptions {
  readonly origin: Origin
  /** Below these paths of the origin lies what may be fetched. */
  readonly paths: readonly string[]
  readonly folder: string
  readonly chance: Chance
  /** Which refusals are no surprise, besides `invalid-state`. */
  readonly expected?: readonly string[]
  readonly lanes?: number
}

/** A sequence number belongs to one event for ever. */
export interface Heard {
  readonly deliveryId: string
  readonly jobId: string
}

/** For the daemon's configuration: a long session ends more jobs than are kept otherwise, and asks for each of them. */
export const remembersAll = '[jobs]\nhistoryJobsPerUser = 1000000\n\n'

const untouched: Known = { displayName: '', priority: 'normal', files: 0, wants: 'rest', ended: null, published: [] }

export class Session {
  readonly notes: Note[] = []
  readonly heard = new Map<number, Heard>()
  readonly surprises: string[] = []
  readonly refusals: { readonly kind: string; readonly afterMs: number }[] = []
  readonly options: SessionOptions
  answered = 0
  #made = 0

  constructor(options: SessionOptions) {
    this.options = options
  }

  /** A connection that is called back for everything, and answers most of it. */
  async connect(socket: string): Promise<Program> {
    const program = Program.open(socket)
    program.answer = ({ sequence, deliveryId, job }) => {
      const before = this.heard.get(sequence)
      if (before && before.deliveryId !== deliveryId) this.surprises.push(`the number ${sequence} was given to two events`)
      this.heard.set(sequence, { deliveryId, jobId: job.id })
      if (this.options.chance.is(0.1)) throw new Error('not now')
      return {}
    }
    await program.register({ all: true, events: ['transferred', 'error', 'file-transferred'] })
    return program
  }

  /** Goes on until the connection is lost or `until` says so. */
  async run(program: Program, until: () => boolean = () => false): Promise<void> {
    const lane = async (): Promise<void> => {
      while (!until() && !program.isClosed) {
        const free = this.notes.filter((note) => !note.busy && !note.isRefused && note.known.ended === null && (note.pending === null || note.id === null))
        const note = free.length > 3 ? this.options.chance.of(free) : this.#newNote()
        note.busy = true
        try {
          await this.#step(program, note)
        } finally {
          note.busy = false
        }
      }
    }
    await Promise.all(Array.from({ length: this.options.lanes ?? 4 }, lane))
  }

  /** Brings every job to its end: completed, whatever happened to it. */
  async finish(program: Program): Promise<void> {
    for (const note of this.notes) {
      for (let turn = 0; note.known.ended === null && !note.isRefused; turn++) {
        if (turn > 40) throw new Error(`job ${note.token} does not come to an end: ${JSON.stringify(await this.get(program, note))}`)
        if (note.id === null) await this.#create(program, note)
        else if (note.known.files === 0) await this.#call(program, note, 'job.cancel', { jobId: note.id }, { ended: 'cancelled' })
        else await this.#forward(program, note, true)
      }
    }
  }

  async get(program: Program, note: Note): Promise<Job> {
    return (await program.call('job.get', { jobId: note.id ?? '' })).job
  }

  #newNote(): Note {
    const note: Note = {
      token: `${this.options.chance.below(2 ** 30).toString(36)}-${this.#made++}`, id: null, names: [], known: untouched, pending: null,
      isRefused: false, completing: false, busy: false,
    }
    this.notes.push(note)
    return note
  }

  async #step(program: Program, note: Note): Promise<void> {
    const { chance } = this.options
    if (note.id === null) return await this.#create(program, note)
    const jobId = note.id
    if (note.known.files === 0 || chance.is(0.1)) return await this.#addFiles(program, note, jobId)
    const dice = chance.next()
    const displayName = `named ${chance.below(1e6)}`
    const priority = chance.of(['foreground', 'high', 'normal', 'low'] as const)
    if (dice < 0.12) return await this.#call(program, note, 'job.update', { jobId, set: { displayName, priority } }, { displayName, priority })
    if (dice < 0.2) return await this.#call(program, note, 'job.suspend', { jobId }, { wants: 'rest' })
    if (dice < 0.26) return await this.#call(program, note, 'job.cancel', { jobId }, { ended: 'cancelled' })
    await this.#forward(program, note, false)
  }

  async #create(program: Program, note: Note): Promise<void> {
    const { chance } = this.options
    // The same call again after a crash must be the same to the letter.
    const files = note.pending ? note.pending.files : chance.below(3)
    const specs = this.#specs(note, files)
    const resume = note.pending ? note.pending.wants === 'run' : files > 0 && chance.is(0.5)
    const known: Known = { ...untouched, displayName: note.token, files, wants: resume ? 'run' : 'rest' }
    note.pending = known
    const answer = await this.#ask(program, note, 'job.create', {
      displayName: note.token, description: note.token, clientToken: note.token, resume, files: specs,
      options: { minimumRetryDelaySeconds: 5, notify: { events: ['transferred', 'error', 'file-transferred'] } },
    })
    if (answer === null) note.isRefused = note.pending === null
    else {
      note.id = answer.job.id
      note.known = known
      note.pending = null
    }
  }

  async #addFiles(program: Program, note: Note, jobId: string): Promise<void> {
    const files = this.#specs(note, note.known.files + 1).slice(note.known.files)
    await this.#call(program, note, 'job.addFiles', { jobId, files }, { files: note.known.files + 1, wants: 'either' })
  }

  /** One step towards the end of the job. */
  async #forward(program: Program, note: Note, isLast: boolean): Promise<void> {
    const jobId = note.id ?? ''
    const job = await this.get(program, note).catch((error: unknown) => this.#closed(error))
    if (!job) return
    if (job.state === 'error' && !this.options.expected?.includes('error')) this.surprises.push(`job ${note.token} failed: ${JSON.stringify(job.error)}`)
    if (job.state === 'suspended' || job.state === 'transient-error' || job.state === 'error') {
      return await this.#call(program, note, 'job.resume', { jobId }, { wants: 'run' })
    }
    if (job.state !== 'transferred') {
      const timeoutSeconds = isLast ? 3 : this.options.chance.below(2)
      await program.call('job.wait', { jobId, states: ['transferred', 'error', 'transient-error', 'suspended'], timeoutSeconds }).catch((error: unknown) => this.#closed(error))
      return
    }
    note.completing = true
    const published = note.names.slice(0, note.known.files)
    await this.#call(program, note, 'job.complete', { jobId }, { ended: 'acknowledged', published })
  }

  async #call<Name extends MethodName>(program: Program, note: Note, name: Name, params: ParamsSent<Name>, change: Partial<Known>): Promise<void> {
    const known = { ...note.known, ...change }
    note.pending = known
    if (await this.#ask(program, note, name, params) === null) return
    note.known = known
    note.pending = null
  }

  /** `null`: refused, and then `pending` is too; or the connection was lost, and nobody knows. */
  async #ask<Name extends MethodName>(program: Program, note: Note, name: Name, params: ParamsSent<Name>): Promise<Result<Name> | null> {
    const from = performance.now()
    try {
      const result = await program.call(name, params)
      this.answered++
      return result
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      if (error.kind === 'connection-closed') return null
      this.refusals.push({ kind: error.kind, afterMs: performance.now() - from })
      note.pending = null
      if (!['invalid-state', ...this.options.expected ?? []].includes(error.kind)) this.surprises.push(`${name} of ${note.token} was refused: ${JSON.stringify(error.data)}`)
      return null
    }
  }

  #closed(error: unknown): null {
    if (error instanceof Refusal && error.kind === 'connection-closed') return null
    throw error
  }

  #specs(note: Note, count: number): { remoteName: string; localName: string }[] {
    const { origin, paths, folder, chance } = this.options
    for (let at = note.names.length; at < count; at++) note.names.push(join(folder, `${note.token}-${at}-${chance.of(paths).slice(1)}`))
    return note.names.slice(0, count).map((localName) => ({ remoteName: origin.url(`/${localName.split('-').at(-1)}`), localName }))
  }
}
