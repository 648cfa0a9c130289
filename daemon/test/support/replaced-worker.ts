// A daemon whose workers are another program, the first argument: what an owner could make of his own process. Only the tests
// start it so; the flags of `backhauld` know no such thing.
import { readArguments } from '../../arguments.ts'
import { assemble } from '../../assembly.ts'
import { groupIdOf } from '../../broker/workers/account.ts'
import { createLog } from '../../log.ts'
import { readSettings } from '../../settings.ts'

const [worker = '', ...argv] = process.argv.slice(2)
const asked = readArguments(argv)
if (asked.kind !== 'run') throw new Error('only for running')
const { arguments: at } = asked
let configuration = await readSettings(at, groupIdOf)
const log = createLog(at.logLevel ?? 'info')
const assembly = await assemble({ at, configuration: () => configuration, activatedFd: null, log, workerProgram: worker })
log.info({}, 'backhauld is ready')
process.on('SIGTERM', () => void assembly.stop().then(() => process.exit(0)))
process.on('SIGHUP', () => void readSettings(at, groupIdOf).then((read) => {
  configuration = read
  assembly.reload()
  log.info({}, 'the configuration was read again')
}))
