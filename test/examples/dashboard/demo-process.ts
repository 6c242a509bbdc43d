import { type ChildProcess, spawn } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished, vi } from 'vitest'
import { temporaryFolder } from '../photos/temporary-folder.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** The demo as `npm start` runs it, in a process group and with a folder for temporary files of its own. */
export type DemoProcess = {
  /** What it printed so far. */
  readonly output: string
  readonly errors: string
  /** The first match in what it prints, as soon as there is one. */
  prints(pattern: RegExp): Promise<string>
  /** What Ctrl-C in a terminal does: SIGINT to every process of the group. */
  interrupt(): void
  /** Sends SIGTERM to it alone. */
  terminate(): void
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>
  /** What it left behind: processes of its group, temporary folders. */
  leftovers(): Promise<string[]>
}

/** Starts the demo on free ports. It is ended with the test, in case it has not. */
export async function startDemo(...args: readonly string[]): Promise<DemoProcess> {
  const temporary = await temporaryFolder()
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', join('examples', 'dashboard', 'start.ts'), ...args],
    {
      cwd: root,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, PORT: '0', TMPDIR: temporary, NODE_OPTIONS: '' },
    },
  )
  onTestFinished(() => {
    signalGroup(child, 'SIGKILL')
  })
  let output = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const ended = new Promise<number | NodeJS.Signals>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      resolve(code ?? signal ?? 0)
    })
  })

  return {
    get output() {
      return output
    },
    get errors() {
      return errors
    },
    prints: (pattern) =>
      vi.waitFor(
        () => {
          const found = pattern.exec(output + errors)
          if (found === null) throw new Error(`It printed:\n${output}${errors}`)
          return found[1] ?? found[0]
        },
        { timeout: 30_000 },
      ),
    interrupt: () => void signalGroup(child, 'SIGINT'),
    terminate: () => void child.kill('SIGTERM'),
    ended,
    async leftovers() {
      // The compiler that tsx runs ends a moment later, when it notices.
      const isGone = () => {
        if (signalGroup(child, 0)) throw new Error('Somebody is left')
      }
      const processes = await vi.waitFor(isGone, { timeout: 5_000 }).then(
        () => [],
        () => ['processes'],
      )
      const folders = await readdir(temporary)
      return [...processes, ...folders.filter((name) => name.startsWith('statewire'))]
    },
  }
}

/** Signals all processes that are left of a child's group; gives whether there was one. */
function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals | 0): boolean {
  try {
    return pid !== undefined && process.kill(-pid, signal)
  } catch {
    return false
  }
}
