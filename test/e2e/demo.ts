import type { Browser } from 'playwright-core'
import { afterAll, beforeAll } from 'vitest'
import { type DemoProcess, startDemo } from '../examples/dashboard/demo-process.js'
import { launchBrowser } from './browser.js'

/** The demo and a browser, from `beforeAll` to `afterAll` of a test file. */
export type RunningDemo = {
  readonly demo: DemoProcess
  readonly browser: Browser
  /** The address of the dashboard, without a path. */
  readonly url: string
}

/** Starts the demo with these arguments, and a browser, once for all tests of a file. */
export function useDemo(...args: readonly string[]): () => RunningDemo {
  let running: RunningDemo
  const undos: (() => Promise<void>)[] = []

  beforeAll(async () => {
    const browser = await launchBrowser()
    undos.push(() => browser.close())
    const demo = await startDemo((undo) => undos.push(undo), ...args)
    running = { demo, browser, url: await urlOf(demo) }
  })

  afterAll(async () => {
    for (const undo of undos.reverse()) await undo()
  })

  return () => running
}

/** Waits until the demo prints the address of its dashboard; gives it without a path. */
export function urlOf(demo: DemoProcess): Promise<string> {
  return demo.prints(/http:\S+(?=\/\?device)/)
}

/** Starts the worker of the device `MAC` again, in case that a test stopped it. */
export async function restartWorker(url: string): Promise<void> {
  const body = JSON.stringify({ device: 'MAC' })
  await fetch(`${url}/demo/development/start`, { method: 'POST', body })
}
