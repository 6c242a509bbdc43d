import type { Observable } from 'rxjs'
import {
  createSyncClient,
  defineCoordinator,
  defineProtocol,
  type Draft,
  type MapDraft,
  PersistentMap,
  type Receipt,
} from 'statewire'
import { kull } from 'statewire/kull'
import { describe, expectTypeOf, it } from 'vitest'
import * as z from 'zod'
import * as mini from 'zod/mini'

const receive = {
  SAID: z.object({ id: z.string(), text: z.string() }),
  COUNTED: mini.object({ count: mini.number() }),
  NOTICE: null,
}

const chat = defineProtocol({
  receive,
  send: { SAY: z.object({ text: z.string() }), MAYBE: z.string().optional(), BYE: null },
  coordinator: {
    initial: { lines: PersistentMap.empty<{ text: string }>(), total: 0 },
    fold: {
      SAID: (draft, { data }) => {
        expectTypeOf(data).toEqualTypeOf<{ id: string; text: string }>()
        draft.lines = draft.lines.set(data.id, data)
      },
      COUNTED: (state, { data }) => ({ ...state, total: state.total + data.count }),
    },
    expire: { lines: { when: (line) => line.text === '', afterMs: 1 } },
  },
})

const sync = createSyncClient(chat, { url: 'ws://test' })

describe('types', () => {
  it('[CLI-3] types streams by the protocol', () => {
    sync.on('SAID').subscribe(({ type, data }) => {
      expectTypeOf(type).toEqualTypeOf<'SAID'>()
      expectTypeOf(data).toEqualTypeOf<{ id: string; text: string }>()
    })
    sync.on('COUNTED', ({ type, data, meta }) => {
      expectTypeOf(type).toEqualTypeOf<'COUNTED'>()
      expectTypeOf(data).toEqualTypeOf<{ count: number }>()
      expectTypeOf(meta.timestamp).toEqualTypeOf<number | undefined>()
    })
    sync.on('NOTICE', ({ data }) => expectTypeOf(data).toBeUndefined())
    // @ts-expect-error a typo is a compile error
    sync.on('SIAD')
  })

  it('[CLI-3] types all messages as a union', () => {
    sync.messages$.subscribe((message) => {
      if (message.type === 'SAID') expectTypeOf(message.data.text).toBeString()
      if (message.type === 'COUNTED') expectTypeOf(message.data.count).toBeNumber()
    })
  })

  it('[CLI-5] types state and selections', () => {
    expectTypeOf(sync.state.total).toBeNumber()
    expectTypeOf(sync.select(({ lines }) => lines.get('1')?.text)).toEqualTypeOf<
      Observable<string | undefined>
    >()
  })

  it('[COORD-1] types the maps of a draft: one that may be absent is replaced as a whole', () => {
    interface Saved {
      readonly notes: PersistentMap<string>
      readonly saved?: PersistentMap<string> | undefined
    }
    expectTypeOf<Draft<Saved>['notes']>().toEqualTypeOf<MapDraft<string>>()
    expectTypeOf<Draft<Saved>['saved']>().toEqualTypeOf<PersistentMap<string> | undefined>()
  })

  it('[SEND-1] types payloads: required, optional, none', () => {
    expectTypeOf(sync.send('SAY', { text: 'hello' })).toEqualTypeOf<Receipt>()
    sync.send('MAYBE')
    sync.send('MAYBE', 'text')
    sync.send('BYE')
    // @ts-expect-error a payload is missing
    sync.send('SAY')
    // @ts-expect-error the payload has the wrong shape
    sync.send('SAY', { text: 5 })
    // @ts-expect-error this type has no payload
    sync.send('BYE', {})
    // @ts-expect-error there is no such type
    sync.send('SHOUT')
  })

  it('[CONN-3] asks for credentials exactly where the protocol has a rule for them', () => {
    createSyncClient(kull, { url: 'ws://test', credentials: { userId: 'u', deviceId: 'd' } })
    createSyncClient(kull, {
      url: 'ws://test',
      credentials: () => Promise.resolve({ userId: 'u' }),
    })
    // @ts-expect-error kull needs credentials
    createSyncClient(kull, { url: 'ws://test' })
    // @ts-expect-error a user id is needed
    createSyncClient(kull, { url: 'ws://test', credentials: { deviceId: 'd' } })
    // @ts-expect-error this protocol has no rule for credentials
    createSyncClient(chat, { url: 'ws://test', credentials: {} })
  })

  it('[COORD-1] types a coordinator that stands by itself', () => {
    const coordinator = defineCoordinator(receive, {
      initial: { last: '' },
      fold: { SAID: (_state, { data }) => ({ last: data.text }) },
    })
    const protocol = defineProtocol({ receive, send: {}, coordinator })
    const client = createSyncClient(protocol, { url: 'ws://test' })
    expectTypeOf(client.state).toEqualTypeOf<{ last: string }>()
  })

  it('[KULL-1] types the Kull protocol', () => {
    const client = createSyncClient(kull, { url: 'ws://test', credentials: { userId: 'u' } })
    client.on('SHOOT_PROGRESS', ({ data }) => {
      expectTypeOf(data.status).toEqualTypeOf<'queued' | 'processing' | 'completed' | 'failed'>()
      expectTypeOf(data.processedCount).toEqualTypeOf<number | undefined>()
    })
    client.send('UPDATE_PROGRESS', { shootId: 's', status: 'queued' })
    client.send('PING')
    // @ts-expect-error no such status
    client.send('UPDATE_PROGRESS', { shootId: 's', status: 'done' })
  })
})
