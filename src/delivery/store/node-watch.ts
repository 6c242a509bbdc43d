import { type FSWatcher, watch } from 'node:fs'
import type { Clock, TimerHandle } from '../../base/clock.js'

/** What a folder is watched with. */
export interface FolderWatch {
  readonly directory: string
  readonly clock: Clock
  /** How often to look where the system does not tell, in milliseconds. */
  readonly everyMs: number
  readonly onChange: () => void
}

/** Hears of changes in a folder, sooner or later and at times without any; gives what stops it. */
export function watchFolder({ directory, clock, everyMs, onChange }: FolderWatch): () => void {
  let watcher: FSWatcher | undefined
  let timer: TimerHandle
  try {
    watcher = watch(directory, { persistent: false }, onChange)
    watcher.on('error', () => undefined)
  } catch {
    // Missing by now, on a network, or one watcher too many: looking does, too.
  }
  function lookLater(): void {
    timer = clock.setTimeout(() => {
      lookLater()
      onChange()
    }, everyMs)
  }
  lookLater()
  return () => {
    watcher?.close()
    clock.clearTimeout(timer)
  }
}
