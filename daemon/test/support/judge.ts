// What must hold after the daemon died, whatever the moment: nothing answered is lost, nothing that ended has come back, what
// was not answered is there whole or not at all, no file under its local name is wrong or came early, and of partial files
// there are only those of jobs that live. Gives sentences; none is what is wanted.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { hasEnded, type Job } from '../../../protocol/job.ts'
import { until } from './daemon.ts'
import type { Program } from './program.ts'
import type { Known, Note, Session } from './session.ts'

/** By the last part of a file's name: what it may hold. */
export type Bodies = ReadonlyMap<string, readonly Buffer[]>

export async function judge(session: Session, program: Program, bodies: Bodies): Promise<string[]> {
  const wrong = session.surprises.splice(0)
  const live = await allJobs(program)
  const byToken = new Map(live.map((job) => [job.description, job]))
  for (const note of session.notes) {
    const job = note.id === null ? byToken.get(note.token) ?? null : await session.get(program, note).catch((error: unknown) => String(error))
    if (typeof job === 'string') wrong.push(`job ${note.token} was lost: ${job}`)
    else wrong.push(...judgeJob(note, job))
    if (job && typeof job !== 'string') settle(note, job)
    wrong.push(...judgeFiles(note, bodies))
  }
  const tokens = new Set(session.notes.map(({ token }) => token))
  for (const { description } of live) if (!tokens.has(description)) wrong.push(`nobody made the job ${description}`)
  return [...wrong, ...await judgePartialFiles(session, program)]
}

function judgeJob(note: Note, job: Job | null): string[] {
  if (note.isRefused) return job ? [`job ${note.token} was refused, and is there (${job.state})`] : []
  if (note.id === null) return job && note.pending ? misfits(note.pending, job) : []
  if (!job) return [`job ${note.token} was lost`]
  const wrong = misfits(note.known, job)
  const otherwise = note.pending ? misfits(note.pending, job) : wrong
  return wrong.length === 0 || otherwise.length === 0 ? [] : wrong.map((each) => `${each} (pending: ${JSON.stringify(note.pending)})`)
}

function misfits(known: Known, job: Job): string[] {
  const wrong: string[] = []
  const must = (holds: boolean, what: string): void => { if (!holds) wrong.push(`job ${job.description} in ${job.state}: ${what}`) }
  if (known.ended) must(job.state === known.ended, `was ${known.ended}`)
  else must(!hasEnded(job.state), 'had not ended')
  must(job.displayName === known.displayName, `its name was ${known.displayName}, is ${job.displayName}`)
  must(job.priority === known.priority, `its priority was ${known.priority}, is ${job.priority}`)
  must(job.progress.filesTotal === known.files, `had ${known.files} files, has ${job.progress.filesTotal}`)
  if (!known.ended && known.wants === 'rest') must(['suspended', 'transferred', 'error'].includes(job.state), 'was suspended')
  if (!known.ended && known.wants === 'run') must(job.state !== 'suspended', 'was resumed')
  if (job.state === 'transferred') must(job.progress.filesTransferred === job.progress.filesTotal, 'not all files are there')
  return wrong
}

/** What was not answered is known now. */
function settle(note: Note, job: Job): void {
  if (note.pending && misfits(note.known, job).length > 0) note.known = note.pending
  if (note.id === null && note.pending) note.known = note.pending
  if (!note.isRefused) note.id = job.id
  note.pending = null
}

function judgeFiles(note: Note, bodies: Bodies): string[] {
  return note.names.flatMap((name) => {
    if (!existsSync(name)) return note.known.published.includes(name) ? [`${basename(name)} was published and is gone`] : []
    if (!note.completing) return [`${basename(name)} is there before its job was completed`]
    const content = readFileSync(name)
    const fits = bodies.get(name.split('-').at(-1) ?? '')?.some((body) => body.equals(content))
    return fits ? [] : [`${basename(name)} has wrong content (${content.length} bytes)`]
  })
}

async function judgePartialFiles(session: Session, program: Program): Promise<string[]> {
  let left: string[] = []
  const look = async (): Promise<boolean> => {
    const ids = (await allJobs(program)).map(({ id }) => id.replaceAll('-', '').slice(0, 16))
    left = readdirSync(session.options.folder).filter((name) => /^BH.*\.tmp$/.test(name) && !ids.some((id) => name.startsWith(`BH${id}`)))
    return left.length === 0
  }
  // What a job that ended has left is removed right after the start.
  await until(look, 'only partial files of jobs that live', 10_000).catch(() => undefined)
  return left.map((name) => `${join('…', name)} belongs to no job`)
}

async function allJobs(program: Program): Promise<Job[]> {
  return [...(await program.call('job.list', { limit: 1000 })).jobs]
}
