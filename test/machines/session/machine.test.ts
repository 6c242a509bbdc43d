import { inspect } from 'node:util'
import { expect, it } from 'vitest'
import { createSessionMachine } from '../../../src/machines/session/machine.js'
import { createScriptedSession } from './scripted-ports.js'

it('is the same machine for every session', () => {
  expect(createSessionMachine()).toBe(createSessionMachine())
})

it('[SESS-17] shows an inspector nothing of its ports', async () => {
  const session = createScriptedSession()
  session.actor.start()
  session.actor.send({ type: 'start' })
  await session.settle()
  const { context } = session.actor.getSnapshot()
  expect(context.input().ports).toBe(session.ports)
  const restoring = Object.values(session.actor.getSnapshot().children).map((child) =>
    child?.getPersistedSnapshot(),
  )
  expect(restoring).toHaveLength(1)
  for (const printed of [
    inspect([context, restoring], { depth: 8, showHidden: true }),
    JSON.stringify([context, restoring]),
  ]) {
    expect(printed).not.toContain('requestLink')
    expect(printed).not.toContain('revoke')
  }
})
