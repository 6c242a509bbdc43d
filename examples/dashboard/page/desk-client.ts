import type { DemoSetup, DemoStatus, EnvironmentAction } from '../server/controls.js'
import type { EnvironmentName } from '../server/environment-server.js'

/** The result of a request to the desk. */
export type DeskAnswer<T> = { ok: true; value: T } | { ok: false; message: string }

/** Asks for the environments to connect to. */
export function fetchSetup(): Promise<DeskAnswer<DemoSetup>> {
  return ask('/demo/setup')
}

/** Asks for the state of the demo. */
export function fetchStatus(): Promise<DeskAnswer<DemoStatus>> {
  return ask('/demo/status')
}

/** Runs an action on an environment, for a device. */
export function control(
  environment: EnvironmentName,
  action: EnvironmentAction,
  device: string,
): Promise<DeskAnswer<DemoStatus>> {
  return ask(`/demo/${environment}/${action}`, { device })
}

/** Starts the worker. */
export function runWorker(environment: EnvironmentName): Promise<DeskAnswer<DemoStatus>> {
  return ask('/demo/worker', { environment })
}

async function ask<T>(path: string, body?: unknown): Promise<DeskAnswer<T>> {
  const init: RequestInit = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
  try {
    const response = await fetch(path, init)
    const answer: unknown = await response.json()
    // The page and the desk come from the same build, so the answer needs no check.
    if (response.ok) return { ok: true, value: answer as T }
    return { ok: false, message: errorOf(answer) ?? `Answered with ${response.status}` }
  } catch {
    return { ok: false, message: 'The demo is not running any more' }
  }
}

function errorOf(answer: unknown): string | undefined {
  if (typeof answer !== 'object' || answer === null || !('error' in answer)) return undefined
  return typeof answer.error === 'string' ? answer.error : undefined
}
