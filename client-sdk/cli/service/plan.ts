// What installing a system service means, whichever system it is: files to write, and what to tell the system about them. A plan does
// nothing by itself, so that it can be shown, tested, and carried out below another root.

/** Where the programs are, and what runs them. Absolute paths as they will be on the machine. */
export interface Placement {
  readonly node: string
  readonly program: string
  /** A file with the key for what is sealed in the queue, handed over by the system where it can do that. */
  readonly key?: string | undefined
}

export interface PlannedFile {
  readonly path: string
  readonly text: string
}

export interface SystemCommand {
  readonly words: readonly string[]
  /** It may fail where there is nothing to be done. */
  readonly mayFail?: boolean
}

export interface ServicePlan {
  readonly files: readonly PlannedFile[]
  /** The commands after the files were written. */
  readonly start: readonly SystemCommand[]
  /** The commands before the files are removed, and after it. */
  readonly stop: readonly SystemCommand[]
  readonly afterRemoval: readonly SystemCommand[]
  /** Answers by its exit code whether it runs. */
  readonly isActive: SystemCommand
  /** Folders that running it leaves behind; those of `purge` hold the queue and the configuration. */
  readonly leftovers: readonly string[]
  readonly purge: readonly string[]
  /** `null`: the system takes our commands now; else why not, and what to do instead. */
  readonly obstacle: () => string | null
}

/** In the first line of every file of ours; one without it is somebody else's. */
export const mark = 'Written by `backhaul service install`; `backhaul service uninstall` removes it.'
