// A disk of its own in a file, whose power can be cut: ext4 on a loop device, and EXT4_IOC_SHUTDOWN without flushing its
// journal. What the next mount finds is what a disk that honours flushes has after a power cut. Root and Linux only.
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const shutdown = 'import fcntl,os,struct,sys; d=os.open(sys.argv[1],os.O_RDONLY); fcntl.ioctl(d,0x8004587D,struct.pack("I",2))'

export class LoopDisk {
  readonly folder: string
  /** Where it is mounted. */
  readonly path: string
  readonly #image: string
  #isMounted = false

  private constructor(megabytes: number) {
    this.folder = mkdtempSync(join(tmpdir(), 'backhaul-disk-'))
    chmodSync(this.folder, 0o755)
    this.path = join(this.folder, 'disk')
    this.#image = join(this.folder, 'image')
    mkdirSync(this.path)
    this.#run('truncate', '-s', `${megabytes}M`, this.#image)
    this.#run('mkfs.ext4', '-q', '-F', this.#image)
  }

  /** A mounted disk, or the reason why there is none. */
  static make(megabytes: number): LoopDisk | string {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'needs root on Linux to mount a disk'
    for (const tool of ['mkfs.ext4', 'mount', 'python3']) {
      if (spawnSync('sh', ['-c', `PATH=$PATH:/usr/sbin command -v ${tool}`]).status !== 0) return `needs ${tool}`
    }
    const disk = new LoopDisk(megabytes)
    try {
      disk.mount()
      return disk
    } catch (error) {
      disk.close()
      return `no loop device can be mounted here (${String(error).split('\n')[0]})`
    }
  }

  mount(): void {
    this.#run('mount', '-o', 'loop', this.#image, this.path)
    this.#isMounted = true
  }

  /** From now on nothing reaches the disk, and every write to it fails. */
  cut(): void {
    this.#run('python3', '-c', shutdown, this.path)
  }

  /** False while a process still uses it. The next mount replays the journal. */
  unmount(): boolean {
    if (this.#isMounted) this.#isMounted = spawnSync('umount', [this.path], { stdio: 'ignore' }).status !== 0
    return !this.#isMounted
  }

  close(): void {
    if (this.#isMounted) spawnSync('umount', ['-l', this.path])
    rmSync(this.folder, { recursive: true, force: true })
  }

  #run(command: string, ...args: string[]): void {
    execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` } })
  }
}
