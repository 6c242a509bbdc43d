import { BehaviorSubject, Subject } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { SyncError } from '../../src/base/errors.js'
import { createManualClock } from '../../src/testing/clock.js'
import { createRecorder } from '../../src/testing/recorder.js'

function create() {
  const clock = createManualClock()
  const client = {
    status$: new BehaviorSubject({ state: 'disconnected' }),
    state$: new BehaviorSubject({ count: 0 }),
    messages$: new Subject<{ readonly type: 'SAID' }>(),
    unknown$: new Subject<string>(),
    invalid$: new Subject<string>(),
  }
  return { clock, client, recorder: createRecorder({ clock }) }
}

describe('a recorder', () => {
  it('[TEST-30] takes down status, state, messages and errors in one order, dated', () => {
    const { clock, client, recorder } = create()
    const early = new SyncError('handler-threw', 'before')
    const late = new SyncError('fold-threw', 'after')
    recorder.onError(early)
    const recording = recorder.record(client)
    clock.advance(5)
    client.status$.next({ state: 'connected' })
    client.state$.next({ count: 1 })
    client.messages$.next({ type: 'SAID' })
    recorder.onError(late)
    client.unknown$.next('NEW')
    client.invalid$.next('{')
    expect(recording.entries.map(({ at, kind }) => `${kind}@${at}`)).toEqual([
      'error@0',
      'status@0',
      'state@0',
      'status@5',
      'state@5',
      'message@5',
      'error@5',
      'unknown@5',
      'invalid@5',
    ])
    const counts: readonly number[] = recording.values('state').map(({ count }) => count)
    expect(counts).toEqual([0, 1])
    expect(recording.values('error')).toEqual([early, late])
  })

  it('[TEST-30] records what is there, forgets on request, and stops', () => {
    const { client, recorder } = create()
    const { status$ } = client
    const recording = recorder.record({ status$ })
    recording.clear()
    status$.next({ state: 'connecting' })
    recording.stop()
    status$.next({ state: 'connected' })
    recorder.onError(new SyncError('handler-threw', 'unheard'))
    expect(recording.values('status')).toEqual([{ state: 'connecting' }])
    expect(recording.values('error')).toEqual([])
    expect(status$.observed).toBe(false)
  })
})
