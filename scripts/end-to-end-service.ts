// The installed service under a real systemd: installed by one command, driven by users, killed, hung, reloaded, rebooted and removed. systemd runs
// as PID 1 in namespaces of its own on an overlay (`systemd-machine.sh`), so that nothing of this machine is changed. Needs root, Linux,
// systemd and util-linux; where they are missing it says so. Bounded in time; the last line counts what passed.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const cli = `node ${join(root, 'client-sdk', 'cli', 'backhaul.js')}`
const limitMs = 120_000
const wanted = ['unshare', 'nsenter', 'systemd-analyze', 'useradd', 'setpriv']

interface Machine {
  /** Runs a shell line inside; what it printed. Throws where it fails. */
  run(line: string): string
  /** Ends everything in it at once, like a cut of the power, and starts it again on the same disk. */
  reboot(): Promise<void>
  close(): Promise<void>
}

let passed = 0
let failed = 0

async function step(claim: string, act: () => void | Promise<void>): Promise<void> {
  try {
    await act()
    passed++
    console.log(`ok: ${claim}`)
  } catch (error) {
    failed++
    console.log(`failed: ${claim}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function expect(holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
}

function execute(command: string, args: readonly string[], timeout = 30_000): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(command, args, { encoding: 'utf8', timeout })
}

async function openMachine(): Promise<Machine> {
  const scratch = mkdtempSync(join(tmpdir(), 'backhaul-machine-'))
  execute('mount', ['-t', 'tmpfs', '-o', 'size=512m', 'tmpfs', scratch])
  const groups = join(scratch, 'cgroup')
  mkdirSync(groups)
  execute('mount', ['-t', 'cgroup2', 'cgroup2', groups])
  const group = join(groups, `backhaul-${process.pid}`)
  mkdirSync(group)
  let outer: ChildProcess | null = null
  let first = ''

  const inside = (line: string, timeout?: number): ReturnType<typeof execute> => execute('nsenter', ['-t', first, '-m', '-p', '-u', '-i', '-n', '-C', 'sh', '-c', line], timeout)
  const start = async (unit: string): Promise<void> => {
    const words = ['unshare', '--mount', '--pid', '--fork', '--uts', '--ipc', '--net', '--cgroup', '--kill-child', join(root, 'scripts', 'systemd-machine.sh'), scratch, unit, root]
    const child = spawn('sh', ['-c', `echo 0 > ${group}/cgroup.procs; exec ${words.join(' ')}`], { stdio: 'ignore' })
    outer = child
    const end = performance.now() + 20_000
    for (;;) {
      first = execute('ps', ['-o', 'pid=', '--ppid', String(child.pid)]).stdout.trim()
      if (first !== '' && /running|degraded/.test(inside('systemctl is-system-running').stdout)) break
      if (child.exitCode !== null || performance.now() > end) throw new Error('systemd did not come up')
      await new Promise((next) => setTimeout(next, 100))
    }
    inside('ip link set lo up 2>/dev/null || true')
  }
  const halt = async (): Promise<void> => {
    const ending = outer
    outer = null
    if (!ending || ending.exitCode !== null) return
    const exit = new Promise<void>((done) => { ending.once('exit', () => done()) })
    if (first !== '') process.kill(Number(first), 'SIGKILL')
    await exit
  }
  const close = async (): Promise<void> => {
    await halt()
    removeGroups(group)
    execute('umount', [groups])
    execute('umount', [scratch])
    rmdirSync(scratch)
  }
  try {
    await start('sockets.target')
  } catch (error) {
    await close()
    throw error
  }
  return {
    run(line) {
      const { status, stdout, stderr } = inside(line, 40_000)
      if (status !== 0) throw new Error(`${line}: exit ${status}: ${stderr.trim()} ${stdout.trim()}`)
      return stdout.trim()
    },
    async reboot() {
      await halt()
      await start('multi-user-of-backhaul.target')
    },
    close,
  }
}

function removeGroups(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) if (entry.isDirectory()) removeGroups(join(folder, entry.name))
  rmdirSync(folder)
}

/** What keeps it from running here, or `null`. */
function obstacle(): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'it needs root on Linux'
  if (!existsSync('/lib/systemd/systemd')) return 'systemd is not installed'
  const missing = wanted.filter((name) => execute('sh', ['-c', `command -v ${name}`]).status !== 0)
  return missing.length > 0 ? `${missing.join(', ')} missing` : null
}

const main = '$(systemctl show -P MainPID backhaul.service)'

async function steps(machine: Machine): Promise<void> {
  const show = (property: string): string => machine.run(`systemctl show -P ${property} backhaul.service`)
  const until = async (what: string, holds: () => boolean): Promise<void> => {
    const end = performance.now() + 20_000
    while (!holds()) {
      if (performance.now() > end) throw new Error(`${what} did not come`)
      await new Promise((next) => setTimeout(next, 100))
    }
  }
  machine.run('printf "[Unit]\\nRequires=sysinit.target sockets.target\\nAfter=sockets.target\\n" > /etc/systemd/system/multi-user-of-backhaul.target')

  await step('one command installs the service, and it is ready', () => {
    machine.run(`${cli} service install`)
    expect(machine.run('systemctl is-active backhaul.service backhaul.socket') === 'active\nactive', 'not active')
    expect(show('StatusText').includes('jobs in the queue'), 'no status')
  })
  await step('the units are sound, and exposed less than 4.0', () => {
    const verified = machine.run('systemd-analyze verify --man=no /etc/systemd/system/backhaul.service /etc/systemd/system/backhaul.socket 2>&1')
    expect(verified === '', verified)
    const score = machine.run('systemd-analyze security --no-pager backhaul.service').split('\n').at(-1) ?? ''
    console.log(`   ${score}`)
    expect(Number(/: ([\d.]+)/.exec(score)?.[1]) <= 4, score)
  })
  await step('users and root download under it, each as himself', () => {
    machine.run('useradd --create-home ann && useradd --create-home bob')
    machine.run('mkdir -p /srv/www && head -c 3000000 /dev/urandom > /srv/www/file && chmod 755 /srv/www')
    machine.run(`systemd-run --quiet --unit=origin ${process.execPath} -e "require('http').createServer((q,r)=>require('fs').createReadStream('/srv/www/file').pipe(r)).listen(8099,'127.0.0.1')"`)
    machine.run('for i in 1 2 3 4 5 6 7 8 9 10; do curl -s -o /dev/null http://127.0.0.1:8099/ && break; sleep 0.2; done')
    for (const user of ['ann', 'bob']) {
      machine.run(`setpriv --reuid ${user} --regid ${user} --init-groups env HOME=/home/${user} backhaul get http://127.0.0.1:8099/ /home/${user}/file 2>&1`)
      machine.run(`cmp /srv/www/file /home/${user}/file`)
      expect(machine.run(`stat -c %U:%a /home/${user}/file`) === `${user}:644`, 'not his')
    }
    machine.run('chmod 700 /home/ann && backhaul get http://127.0.0.1:8099/ /home/ann/of-root && test "$(stat -c %U /home/ann/of-root)" = root')
  })
  await step('a job of every user survives a kill -9, and clients meanwhile are held by the socket', async () => {
    const before = Number(show('NRestarts'))
    machine.run('setpriv --reuid ann --regid ann --init-groups backhaul --socket /run/backhaul/backhaul.sock create kept')
    const slowest = Number(machine.run(`kill -9 ${main}; slowest=0; for i in 1 2 3 4 5 6; do a=$(date +%s%N); backhaul --socket /run/backhaul/backhaul.sock ping >/dev/null || exit 1; b=$((($(date +%s%N) - a) / 1000000)); [ $b -gt $slowest ] && slowest=$b; done; echo $slowest`))
    console.log(`   slowest client over the restart: ${slowest} ms, its own start included`)
    expect(Number(show('NRestarts')) === before + 1, 'not restarted')
    expect(machine.run('setpriv --reuid ann --regid ann --init-groups backhaul --socket /run/backhaul/backhaul.sock list').includes('kept'), 'the job is gone')
  })
  await step('a hung daemon is found by the watchdog', async () => {
    machine.run('mkdir -p /run/systemd/system/backhaul.service.d && printf "[Service]\\nWatchdogSec=2\\n" > /run/systemd/system/backhaul.service.d/quick.conf && systemctl daemon-reload && systemctl restart backhaul.service')
    const before = machine.run(`echo ${main}`)
    machine.run(`kill -STOP ${main}`)
    await until('another process', () => machine.run(`echo ${main}`) !== before && machine.run('systemctl is-active backhaul.service || true') === 'active')
    machine.run('rm -r /run/systemd/system/backhaul.service.d && systemctl daemon-reload && backhaul --socket /run/backhaul/backhaul.sock ping')
  })
  await step('a changed configuration is read by reload, and a wrong one changes nothing', () => {
    machine.run('printf "[limits]\\njobsPerUser = 7\\n" > /etc/backhaul/config.toml && systemctl reload backhaul.service')
    expect(machine.run('backhaul --json stats').includes('"jobsPerUser":7'), 'not read')
    machine.run('printf "[limits]\\njobs = 7\\n" > /etc/backhaul/config.toml && systemctl reload backhaul.service')
    expect(machine.run('backhaul --json stats').includes('"jobsPerUser":7'), 'changed')
    machine.run('rm /etc/backhaul/config.toml')
  })
  await step('a credential of systemd is the key', () => {
    machine.run('systemctl stop backhaul.service backhaul.socket && rm -r /var/lib/backhaul && head -c 32 /dev/urandom > /etc/backhaul/backhaul.key')
    machine.run(`${cli} service install --key /etc/backhaul/backhaul.key`)
    machine.run('backhaul --socket /run/backhaul/backhaul.sock ping && test ! -e /var/lib/backhaul/secret.key')
    expect(machine.run(`${cli} service status`).includes('as installed'), 'the status does not know it')
  })
  await step('it stops in order in less than five seconds', () => {
    const tookMs = Number(machine.run('a=$(date +%s%N); systemctl stop backhaul.service; echo $((($(date +%s%N) - a) / 1000000))'))
    expect(tookMs < 5000 && show('Result') === 'success', `${tookMs} ms, ${show('Result')}`)
  })
  await step('after a reboot the socket is there, and a first call starts it', async () => {
    await machine.reboot()
    machine.run('backhaul --socket /run/backhaul/backhaul.sock ping')
    expect(machine.run('systemctl is-enabled backhaul.service backhaul.socket') === 'enabled\nenabled', 'not enabled')
  })
  await step('removing it leaves nothing', () => {
    machine.run(`${cli} service uninstall --purge`)
    const left = machine.run(`find / -xdev \\( -path ${root} -o -path /proc \\) -prune -o -name '*backhaul*' -newer /etc/systemd/system/multi-user-of-backhaul.target -print; find /run /etc/systemd -name '*backhaul*' -print`)
    const ours = left.split('\n').filter((path) => path !== '' && !/multi-user-of-backhaul|\/var\/log\/|-machine-/.test(path))
    expect(ours.length === 0, ours.join(' '))
    expect(machine.run('systemctl list-unit-files "backhaul*" --no-legend || true') === '', 'a unit is left')
  })
}

const reason = obstacle()
if (reason !== null) {
  console.log(`skipped: the service under systemd (${reason})`)
  console.log('0 passed, 0 failed')
  process.exit(0)
}
setTimeout(() => {
  console.log(`failed: it took longer than ${limitMs / 1000} seconds\n${passed} passed, ${failed + 1} failed`)
  process.exit(1)
}, limitMs).unref()
const machine = await openMachine()
try {
  await steps(machine)
} finally {
  await machine.close()
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 && passed > 0 ? 0 : 1)
