import type { TestProject } from 'vitest/node'
import { startScriptedServer } from '../compliance/scripted-server.js'

/** Runs in Node, beside the browser, as long as the browser's tests run. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startScriptedServer()
  project.provide('scriptedServer', server.addresses)
  return () => server.stop()
}
