// `get`: one file from a URL to here. The job is an ordinary one in the daemon's queue, so leaving does not end it.
import { randomUUID } from 'node:crypto'
import { lstat } from 'node:fs/promises'
import type { Checksum, Job, Priority } from '../../../protocol/job.ts'
import type { JobOptions } from '../../../protocol/options.ts'
import { Refusal } from '../../../protocol/refusals.ts'
import type { Client } from '../../client.ts'
import { persist } from '../../follow.ts'
import { JobFailed } from '../../download.ts'
import { checksum, conflictOption, header, priorityOption, seconds } from '../arguments.ts'
import { stayWith } from '../attach.ts'
import { localNameFor, nameFromUrl } from '../local-name.ts'
import { shortId } from '../print.ts'
import type { AddVerb, Verb } from '../verb.ts'

interface Options {
  readonly checksum?: Checksum
  readonly priority?: Priority
  readonly header?: Record<string, string>
  readonly name?: string
  readonly application?: string
  readonly detach?: boolean
  readonly keep?: boolean
  readonly clobber: boolean
  readonly onConflict?: JobOptions['onConflict']
  readonly retryDelay?: number
  readonly giveUpAfter?: number
}

const help = `
LOCAL is a file, or a folder to put it into; without it, the URL's last part is the name, here. The file appears only
when it is whole. Where the name is taken by then, the file is called "name (1).ext", and that path is printed;
--on-conflict replace or fail says otherwise.

While you wait, the job runs at foreground priority, tries again 5 seconds after a failure, and gives up after 10
minutes without a new byte. With --detach it is a background job: normal priority, and the daemon's own delays.
Ctrl-C leaves the job running and says how to come back. The file appears also when nobody waits, unless --keep.

Examples:
  backhaul get https://example.org/disk.iso
  backhaul get https://example.org/disk.iso ~/images/ --checksum sha256:9f86d0…
  backhaul get https://example.org/private.zip --header @headers.txt
  id=$(backhaul get --detach https://example.org/disk.iso); backhaul wait "$id"`

export const addGet: AddVerb = (program, run) => {
  program.command('get')
    .summary('download a file and wait for it')
    .description('Downloads a file and prints its path.')
    .argument('<URL>', 'an http or https URL')
    .argument('[LOCAL]', 'where to')
    .option('--checksum <ALGORITHM:HEX>', 'what the content must be: sha256, sha512, sha1 or md5', checksum)
    .option('--header <HEADER>', '"Name: value", or @FILE with such lines; may be given again; values are never shown or logged', header)
    .addOption(priorityOption('default: foreground; with --detach: normal'))
    .option('--name <NAME>', 'display name of the job (default: the file\'s name)')
    .option('--application <LABEL>', 'a label to find the job by')
    .option('--retry-delay <SECONDS>', 'from a failure to the next attempt, at least 5', seconds)
    .option('--give-up-after <SECONDS>', 'without a new byte for so long, a failure is final', seconds)
    .option('--detach', 'do not wait: print the job\'s id; the file appears by itself')
    .option('--keep', 'let the file appear only when "backhaul complete" says so')
    .addOption(conflictOption('where the local name is taken in the end (default: rename)'))
    .option('--no-clobber', 'refuse when the local file exists, now or in the end')
    .addHelpText('after', help)
    .action(run(async (verb, url: string, local: string | undefined, options: Options) => {
      const localName = await localNameFor(url, local)
      if (!options.clobber) await refuseExisting(localName)
      const client = await verb.client()
      const job = await create(client, url, localName, options)
      if (options.detach) return verb.answer({ job }, job.id)
      const ended = await follow(verb, client, job, options)
      if (options.keep) {
        verb.answer({ path: null, job: ended }, ended.id)
        return verb.remark(`The file is kept aside. Take it: backhaul complete ${shortId(ended.id)}`)
      }
      const { file } = await persist(client, () => client.call('file.get', { jobId: job.id, fileIndex: 0 }), {})
      verb.answer({ path: file.localName, job: ended }, file.localName)
    }))
}

async function create(client: Client, url: string, localName: string, options: Options): Promise<Job> {
  const { detach, retryDelay, giveUpAfter } = options
  const { job } = await client.call('job.create', {
    displayName: options.name ?? nameFromUrl(url),
    application: options.application,
    priority: options.priority ?? (detach ? 'normal' : 'foreground'),
    files: [{ remoteName: url, localName, checksum: options.checksum }],
    options: {
      completion: options.keep ? 'manual' : 'automatic',
      onConflict: options.clobber ? options.onConflict ?? 'rename' : 'fail',
      minimumRetryDelaySeconds: whole(retryDelay ?? (detach ? undefined : 5)),
      noProgressTimeoutSeconds: whole(giveUpAfter ?? (detach ? undefined : 600)),
      ...(options.header && { http: { headers: options.header } }),
    },
    resume: true,
    clientToken: randomUUID(),
  })
  return job
}

async function follow(verb: Verb, client: Client, created: Job, { keep = false }: Options): Promise<Job> {
  const { job } = await stayWith(verb, client, created.id, { completes: !keep })
  if (job.state !== 'error' && job.state !== 'cancelled') return job
  if (verb.json) verb.answer({ path: null, job }, '')
  throw new JobFailed(job)
}

function whole(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : Math.ceil(seconds)
}

async function refuseExisting(path: string): Promise<void> {
  const exists = await lstat(path).then(() => true, () => false)
  if (exists) throw new Refusal('publish-failed', { files: [{ index: 0, localName: path }] }, `${path} exists already, and --no-clobber was given.`)
}
