// How the suite waits with real sockets: it polls, and fails before Vitest's own bound.
const PATIENCE_MS = 4_000
const STRAGGLERS_MS = 30

/** Waits until a condition holds. */
export async function until(
  condition: () => boolean,
  patienceMs: number = PATIENCE_MS,
): Promise<void> {
  const deadline = performance.now() + patienceMs
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not so within ${patienceMs} ms`)
    await pass(1)
  }
}

/** Waits for events that may still be on their way on this machine. */
export async function settle(): Promise<void> {
  await pass(STRAGGLERS_MS)
}

async function pass(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms))
}
