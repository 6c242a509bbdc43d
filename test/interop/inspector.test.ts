import { createInspector, type StatelyInspectionEvent } from '@statelyai/inspect'
import { describe, expect, it, vi } from 'vitest'
import { bring, createHarness } from '../client/harness.js'

describe("Stately's inspector", () => {
  it('[CLI-12] [CLI-13] is sent a client, its machines and their states, and no secret', async () => {
    const events: StatelyInspectionEvent[] = []
    const { inspect } = createInspector({
      start: () => undefined,
      stop: () => undefined,
      send: (event) => events.push(event),
    })
    const harness = createHarness({ inspect })
    await bring(harness, 'connected')
    harness.peer.sends('SAID', { id: '1', text: 'hello' })
    await harness.settle()
    harness.peer.drops()
    await harness.settle()

    const actors = events.filter(({ type }) => type === '@xstate.actor')
    expect(actors.map((event) => 'name' in event && event.name)).toEqual(
      expect.arrayContaining(['client', 'connection', 'coordinator']),
    )
    // What leaves for the inspector's page is text, and leaves when the process is idle.
    const sent = (): string => events.map((event) => JSON.stringify(event)).join('\n')
    await vi.waitFor(() => expect(sent()).toContain('"value":{"reconnecting":"waiting"}'))
    expect(sent()).not.toContain('canary')
    expect(sent()).not.toContain('server.test')
    expect(harness.errors).toEqual([])
  })
})
