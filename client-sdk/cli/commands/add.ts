// `add`: more files for a job.
import { resolve } from 'node:path'
import type { Checksum, FileSpecSent, Range } from '../../../protocol/job.ts'
import { checksum, pairs, range } from '../arguments.ts'
import { findJob } from '../find-job.ts'
import { localNameFor } from '../local-name.ts'
import { UsageError } from '../outcome.ts'
import type { AddVerb } from '../verb.ts'

interface Options {
  readonly checksum?: Checksum
  readonly range?: Range[]
}

export const addAdd: AddVerb = (program, run) => {
  program.command('add')
    .summary('add files to a job')
    .description('Adds files to a job, all or none. With one URL alone, its last part is the name, here.')
    .argument('<ID>', 'the job')
    .argument('<FILES...>', 'URL [LOCAL], or URL LOCAL URL LOCAL …')
    .option('--checksum <ALGORITHM:HEX>', 'what the content must be (one file only)', checksum)
    .option('--range <OFFSET:LENGTH>', 'only this part, OFFSET:eof to its end; may be given again (one file only)', range)
    .addHelpText('after', `
Examples:
  backhaul add 1a2b https://example.org/a.bin /srv/a.bin
  backhaul add 1a2b https://example.org/log.txt head.txt --range 0:4096`)
    .action(run(async (verb, id: string, words: readonly string[], options: Options) => {
      const only = words.length <= 2 ? words[0] : undefined
      const files: FileSpecSent[] = only === undefined ? pairs(words, (path) => resolve(path))
        : [{ remoteName: only, localName: await localNameFor(only, words[1]), checksum: options.checksum, ranges: options.range }]
      if (files.length > 1 && (options.checksum || options.range)) throw new UsageError('--checksum and --range are for one file.')
      const job = await findJob(await verb.client(), id)
      const added = await (await verb.client()).call('job.addFiles', { jobId: job.id, files })
      verb.answer(added, added.files.map((file) => `${file.index}  ${file.localName}`).join('\n'))
    }))
}
