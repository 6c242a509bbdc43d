import { defineProtocol, type Draft } from 'statewire'
import * as z from 'zod'
import { addTo, type Audit, emptyAudit, restoreAudit, writeAudit } from './audit.js'

const said = z.object({ from: z.string(), run: z.number(), n: z.number(), text: z.string() })
const pairs = z.array(z.tuple([z.string(), z.number()]))

/** The server relays every message to all devices of a user. Each device audits what it receives. */
export const storm = defineProtocol({
  receive: {
    SAID: said,
    ENDED: null,
    CAME: z.object({ deviceId: z.string() }),
    WENT: z.object({ deviceId: z.string() }),
  },
  send: { SAY: said },
  credentials: {
    schema: z.object({ user: z.string(), device: z.string() }),
    apply({ url }, { user, device }) {
      url.searchParams.set('user', user)
      url.searchParams.set('device', device)
    },
  },
  coordinator: {
    initial: emptyAudit,
    fold: {
      SAID: (audit: Draft<Audit>, { data }) => addTo(audit, data),
      ENDED(audit: Draft<Audit>) {
        audit.isEnded = true
      },
    },
    checkpoint: {
      schema: z.object({
        ends: pairs,
        runs: pairs,
        count: z.number(),
        hash: z.number(),
        lost: z.number(),
        duplicated: z.number(),
        disordered: z.number(),
        isEnded: z.boolean(),
        notes: z.array(z.string()),
      }),
      take: writeAudit,
      restore: restoreAudit,
    },
  },
  server: {
    authenticate({ url }) {
      const userId = url.searchParams.get('user')
      const deviceId = url.searchParams.get('device')
      return userId === null || deviceId === null
        ? { ok: false, closeCode: 4403, reason: 'Who are you?' }
        : { ok: true, userId, deviceId }
    },
    presence: {
      connected: 'CAME',
      disconnected: 'WENT',
      data: ({ deviceId }) => ({ deviceId }),
    },
    relay: { SAY: 'SAID' },
  },
})
