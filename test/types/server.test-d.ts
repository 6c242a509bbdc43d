import { defineProtocol } from 'statewire'
import { kull } from 'statewire/kull'
import { createKullRoutes } from 'statewire/kull/server'
import { createSyncServer, type SyncServer } from 'statewire/server'
import { describe, expectTypeOf, it } from 'vitest'
import * as z from 'zod'

const chat = defineProtocol({
  receive: { SAID: z.object({ text: z.string() }), NOTICE: null },
  send: { SAY: z.object({ text: z.string() }), MAYBE: z.string().optional(), BYE: null },
})

const authenticate = () => ({ ok: true, userId: 'ada', deviceId: 'mac' }) as const
const server = createSyncServer({ protocol: chat, authenticate })

describe('what a server sends', () => {
  it('[SRV-26] is typed by the protocol', () => {
    expectTypeOf(server).toEqualTypeOf<SyncServer<typeof chat.receive>>()
    expectTypeOf(server.broadcastToUser('ada', 'SAID', { text: 'hi' })).toEqualTypeOf<number>()
    expectTypeOf(server.broadcastToUser('ada', 'NOTICE')).toEqualTypeOf<number>()
    // @ts-expect-error: a type with a typo
    server.broadcastToUser('ada', 'SIAD', { text: 'hi' })
    // @ts-expect-error: clients send that
    server.broadcastToUser('ada', 'SAY', { text: 'hi' })
    // @ts-expect-error: data of the wrong shape
    server.broadcastToUser('ada', 'SAID', { text: 1 })
    // @ts-expect-error: data is missing
    server.broadcastToUser('ada', 'SAID')
    // @ts-expect-error: data where there is none
    server.sendToDevice('ada', 'mac', 'NOTICE', {})
    // @ts-expect-error: data of the wrong shape
    server.broadcastToAdmins('SAID', 'hi')
  })

  it('[SRV-28] is typed in batches too', () => {
    server.broadcastBatchToUser('ada', [{ type: 'SAID', data: { text: 'hi' } }, { type: 'NOTICE' }])
    // @ts-expect-error: data of the wrong shape
    server.broadcastBatchToUser('ada', [{ type: 'SAID', data: {} }])
  })
})

describe('what a server hears', () => {
  it('[SRV-23] is typed by the protocol', () => {
    createSyncServer({
      protocol: chat,
      authenticate,
      on: {
        SAY({ client, payload, type }) {
          expectTypeOf(payload).toEqualTypeOf<{ text: string }>()
          expectTypeOf(type).toEqualTypeOf<'SAY'>()
          client.send('SAID', payload)
          // @ts-expect-error: servers do not send that
          client.send('SAY', payload)
        },
        MAYBE: ({ payload }) => expectTypeOf(payload).toEqualTypeOf<string | undefined>(),
        BYE: ({ payload }) => expectTypeOf(payload).toEqualTypeOf<undefined>(),
      },
      onMessage(message) {
        if (message.type !== 'SAY') return
        expectTypeOf(message.payload).toEqualTypeOf<{ text: string }>()
      },
    })
    createSyncServer({
      protocol: chat,
      authenticate,
      // @ts-expect-error: a type with a typo
      on: { SYA: () => undefined },
    })
  })
})

describe('the routes of kull', () => {
  it('[SRV-50] take a server of kull, or of a protocol that has all of its messages', () => {
    createKullRoutes(createSyncServer({ protocol: kull }), { authorize: () => 'allowed' })
    const more = defineProtocol({
      receive: { ...kull.receive, MORE: z.string() },
      send: kull.send,
    })
    createKullRoutes(createSyncServer({ protocol: more, authenticate }), {
      authorize: () => Promise.resolve('forbidden'),
    })
    // @ts-expect-error: a server of another protocol
    createKullRoutes(server, { authorize: () => 'allowed' })
  })
})
