import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { eventually } from '../../eventually.js'

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
  /** Stops the process where it stands, as a debugger does; the kernel goes on taking connections. */
  freeze(): void
  thaw(): void
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>
  /** What it left behind: processes of its group, temporary folders. */
  leftovers(): Promise<string[]>
}

/** Starts the demo on free ports. What is left of it goes when `defer` says: with the test, or the file. */
export async function startDemo(
  defer: (undo: () => Promise<void>) => void,
  ...args: readonly string[]
): Promise<DemoProcess> {
  const temporary = await mkdtemp(join(tmpdir(), 'statewire-demo-'))
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
  defer(async () => {
    signalGroup(child, 'SIGKILL')
    await rm(temporary, { recursive: true, force: true })
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
      eventually(() => {
        const found = pattern.exec(output + errors)
        if (found === null) throw new Error(`It printed:\n${output}${errors}`)
        return found[1] ?? found[0]
      }),
    interrupt: () => void signalGroup(child, 'SIGINT'),
    terminate: () => void child.kill('SIGTERM'),
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    ended,
    async leftovers() {
      // The compiler that tsx runs ends a moment later, when it notices.
      const isGone = () => {
        if (signalGroup(child, 0)) throw new Error('Somebody is left')
      }
      const processes = await eventually(isGone).then(
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
