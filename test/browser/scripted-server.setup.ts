import type { TestProject } from 'vitest/node'
import { startScriptedServer } from '../compliance/scripted-server.js'

/** Runs in Node, beside the browser, for as long as its tests do. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startScriptedServer()
  project.provide('scriptedServer', server.addresses)
  return () => server.stop()
}
