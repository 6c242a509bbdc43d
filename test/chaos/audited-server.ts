import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSyncServer } from 'statewire/server'
import { expect, onTestFinished } from 'vitest'
import { type Audit, addTo, emptyAudit } from '../../chaos/audit.js'
import { bundleScripts } from '../../chaos/bundle.js'
import { storm } from '../../chaos/protocol.js'

/** A server that audits what it takes, the scripts of clients, and a folder for their outboxes. */
export async function serveAudited() {
  const audit: Audit = { ...emptyAudit }
  const server = createSyncServer({
    protocol: storm,
    delivery: {},
    on: { SAY: ({ payload }) => addTo(audit, payload) },
  })
  const { port } = await server.listen(0, '127.0.0.1')
  const directory = await mkdtemp(join(tmpdir(), 'statewire-'))
  const scripts = await bundleScripts()
  const problems: string[] = []
  onTestFinished(async () => {
    await server.close({ graceMs: 0 })
    await scripts.remove()
    await rm(directory, { recursive: true, force: true, maxRetries: 5 })
  })
  return {
    audit,
    server,
    port,
    directory,
    scripts,
    problems,
    /** Everything was taken once and in order, and no client had a problem. */
    expectClean(): void {
      const { lost, duplicated, disordered, notes } = audit
      expect({ lost, duplicated, disordered, notes, problems }).toEqual({
        ...{ lost: 0, duplicated: 0, disordered: 0 },
        ...{ notes: [], problems: [] },
      })
    },
  }
}
