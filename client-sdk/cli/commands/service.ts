// `service`: the daemon of the whole machine, installed and removed by root. What would be written can be seen before.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, rmdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Argument } from 'commander'
import { Refusal } from '../../../protocol/refusals.ts'
import { connect } from '../../client.ts'
import { exitCodes, UsageError } from '../outcome.ts'
import { foreignSource, inTheWay, placeProgram, programPath, removeProgram } from '../service/program.ts'
import { mark, type ServicePlan, type SystemCommand } from '../service/plan.ts'
import { servicePlan } from '../service/platform.ts'
import type { AddVerb, Verb } from '../verb.ts'

interface Options {
  readonly print?: boolean
  readonly purge?: boolean
  readonly root?: string
  readonly key?: string
}

export const addService: AddVerb = (program, run) => {
  program.command('service')
    .summary('install, remove or look at the service of this machine')
    .description('Installs backhauld for all users of this machine, removes it, or says how it is.')
    .addArgument(new Argument('<ACTION>', 'what to do').choices(['install', 'uninstall', 'status']))
    .option('--print', 'install: only show what would be written')
    .option('--purge', 'uninstall: the queue and the configuration too')
    .option('--key <FILE>', 'install: 32 bytes that seal the secrets in the queue, as a credential of systemd')
    .option('--root <DIR>', 'act on the tree below this folder and tell no system about it (for packages)')
    .addHelpText('after', `
Examples:
  backhaul service install --print
  sudo backhaul service install
  sudo backhaul service uninstall --purge`)
    .action(run(async (verb, action: 'install' | 'uninstall' | 'status', options: Options) => {
      const plan = servicePlan({ node: process.execPath, program: programPath(), key: options.key })
      if (options.key !== undefined && !(options.key.startsWith('/') && existsSync(options.key))) throw new UsageError('--key takes the absolute path of a file.')
      if (!plan) throw new UsageError('There is no service for this system.')
      if (options.purge && action !== 'uninstall') throw new UsageError('--purge goes with uninstall.')
      if (action === 'status') return await tellStatus(verb, plan, options.root ?? '')
      if (options.print) return verb.answer({ files: plan.files }, plan.files.map(({ path, text }) => `# ${path}\n${text}`).join('\n'))
      if (process.getuid?.() !== 0 && process.platform !== 'win32') throw new Refusal('access-denied', {}, `Only root can ${action} the service.`)
      if (action === 'install') await install(verb, plan, options)
      else uninstall(verb, plan, options)
    }))
}

async function install(verb: Verb, plan: ServicePlan, { root = '' }: Options): Promise<void> {
  for (const { path } of plan.files) if (!isOurs(join(root, path))) throw inTheWay(join(root, path))
  if (root === '' && !isActive(plan) && await answers()) throw new Refusal('invalid-state', {}, 'A daemon that is not this service answers on the socket of the machine. Stop it first.')
  process.umask(0o022)
  const foreign = foreignSource()
  if (foreign !== null) process.stderr.write(`Warning: ${foreign} can be written by others than root, and root has just run it. Install from a copy that is root's if you do not trust them.\n`)
  placeProgram(root)
  for (const { path, text } of plan.files) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  const obstacle = root === '' ? plan.obstacle() : 'Nothing was started.'
  if (obstacle === null) for (const command of plan.start) execute(command)
  verb.answer({ installed: plan.files.map(({ path }) => path), started: obstacle === null }, obstacle === null ? 'Installed and started.' : `Installed. ${obstacle}`)
}

function uninstall(verb: Verb, plan: ServicePlan, { root = '', purge = false }: Options): void {
  const ours = plan.files.filter(({ path }) => existsSync(join(root, path)))
  for (const { path } of ours) if (!isOurs(join(root, path))) throw inTheWay(join(root, path))
  const isReachable = root === '' && plan.obstacle() === null
  if (isReachable && ours.length > 0) for (const command of plan.stop) execute(command)
  const removed = ours.map(({ path }) => join(root, path))
  for (const path of removed) rmSync(path)
  removed.push(...removeProgram(root))
  if (isReachable) for (const command of plan.afterRemoval) execute(command)
  for (const folder of [...plan.leftovers, ...(purge ? plan.purge : [])].map((path) => join(root, path)).filter((path) => existsSync(path))) {
    rmSync(folder, { recursive: true })
    removed.push(folder)
  }
  if (!purge) removeEmpty(plan.purge.map((path) => join(root, path)))
  verb.answer({ removed }, removed.length === 0 ? 'Nothing was installed.' : `Removed:\n${removed.map((path) => `  ${path}`).join('\n')}`)
}

async function tellStatus(verb: Verb, plan: ServicePlan, root: string): Promise<void | 1> {
  const files = plan.files.map(({ path, text }) => {
    const there = join(root, path)
    return { path, state: !existsSync(there) ? 'missing' : !isOurs(there) ? 'not ours' : withoutKey(readFileSync(there, 'utf8')) === text ? 'as installed' : 'changed' }
  })
  const active = root === '' && plan.obstacle() === null && isActive(plan)
  const answering = root === '' && await answers()
  verb.answer({ files, active, answering }, [
    ...files.map(({ path, state }) => `${path}  ${state}`), `active     ${active ? 'yes' : 'no'}`, `answering  ${answering ? 'yes' : 'no'}`,
  ].join('\n'))
  return active || answering ? undefined : exitCodes.jobFailed
}

function withoutKey(text: string): string {
  return text.replace(/^LoadCredential=backhaul\.key:.*\n/m, '')
}

/** Also where there is nothing. */
function isOurs(path: string): boolean {
  return !existsSync(path) || readFileSync(path, 'utf8').split('\n', 3).some((line) => line.includes(mark))
}

function isActive({ isActive: { words: [command = '', ...args] } }: ServicePlan): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}

async function answers(): Promise<boolean> {
  try {
    const client = await connect({ socket: '/run/backhaul/backhaul.sock', reconnect: false })
    client.close()
    return true
  } catch (error) {
    if (error instanceof Refusal) return false
    throw error
  }
}

function execute({ words: [command = '', ...args], mayFail = false }: SystemCommand): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0 && !mayFail) throw new Refusal('invalid-state', {}, `${[command, ...args].join(' ')} failed: ${stderr.trim()}`)
}

/** Folders that the system made and nobody used. */
function removeEmpty(folders: readonly string[]): void {
  for (const folder of folders) {
    try {
      rmdirSync(folder)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && ['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(String(error.code)))) throw error
    }
  }
}
