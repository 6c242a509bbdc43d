import {
  combineLatest,
  filter,
  firstValueFrom,
  map,
  merge,
  mergeMap,
  type Observable,
  of,
  share,
  shareReplay,
  skip,
  Subject,
  switchMap,
  take,
  tap,
} from 'rxjs'
import { describe, expect, it } from 'vitest'
import type { SyncError } from '../../src/base/errors.js'
import { createSelection, createStream, createValueStream } from '../../src/streams/streams.js'

function create() {
  const errors: SyncError[] = []
  const report = (error: SyncError): void => {
    errors.push(error)
  }
  return { errors, report, codes: () => errors.map(({ code }) => code) }
}

const fault = new Error('a fault of the user’s')
function failing(): never {
  throw fault
}

describe('a handler that throws', () => {
  it('[CLI-4] is reported, and gets the next value like all others', () => {
    const { errors, report } = create()
    const stream = createStream<number>(report)
    const heard: string[] = []
    stream.observable.subscribe((value) => heard.push(`before ${value}`))
    stream.observable.subscribe((value) => {
      heard.push(`throws ${value}`)
      failing()
    })
    stream.observable.subscribe({ next: (value) => heard.push(`after ${value}`) })
    stream.next(1)
    stream.next(2)
    expect(heard).toEqual(['before 1', 'throws 1', 'after 1', 'before 2', 'throws 2', 'after 2'])
    expect(errors).toMatchObject([
      { code: 'handler-threw', cause: fault },
      { code: 'handler-threw', cause: fault },
    ])
  })

  it('[CLI-4] is reported at the end of any pipe', () => {
    const pipes: Record<string, (from: Observable<number>) => Observable<unknown>> = {
      none: (from) => from,
      empty: (from) => from.pipe(),
      map: (from) => from.pipe(map((value) => value * 2)),
      several: (from) =>
        from.pipe(
          filter((value) => value > 0),
          map((value) => String(value)),
          tap(() => undefined),
        ),
      chained: (from) => from.pipe(map((value) => value + 1)).pipe(filter((value) => value > 0)),
      share: (from) => from.pipe(share()),
      shareReplay: (from) => from.pipe(shareReplay(1)),
      mergeMap: (from) => from.pipe(mergeMap((value) => of(value, value))),
      switchMap: (from) => from.pipe(switchMap((value) => of(value))),
    }
    for (const [name, pipe] of Object.entries(pipes)) {
      const { errors, report } = create()
      const stream = createStream<number>(report)
      let calls = 0
      pipe(stream.observable).subscribe(() => {
        calls += 1
        failing()
      })
      stream.next(1)
      stream.next(2)
      const expected = name === 'mergeMap' ? 4 : 2
      expect([name, calls, errors.length]).toEqual([name, expected, expected])
    }
  })

  it('[CLI-4] is reported from complete and error handlers, too', () => {
    const { report, codes } = create()
    const stream = createStream<number>(report)
    stream.observable.subscribe({ complete: failing })
    stream.observable.pipe(map(failing)).subscribe({ error: failing })
    stream.next(1)
    stream.complete()
    expect(codes()).toEqual(['handler-threw', 'handler-threw'])
  })

  it('[CLI-4] keeps its `this`', () => {
    const { report, errors } = create()
    const stream = createStream<number>(report)
    const observer = {
      sum: 0,
      next(value: number) {
        this.sum += value
      },
      complete() {
        this.sum = -this.sum
      },
    }
    stream.observable.subscribe(observer)
    stream.next(2)
    stream.next(3)
    stream.complete()
    expect(observer.sum).toBe(-5)
    expect(errors).toEqual([])
  })
})

describe('an operator that throws', () => {
  it('[CLI-4] ends its own subscription, is reported, and touches no other', () => {
    const { errors, report } = create()
    const stream = createStream<number>(report)
    const heard: number[] = []
    stream.observable.pipe(map((value) => (value === 2 ? failing() : value))).subscribe(() => {})
    stream.observable.subscribe((value) => heard.push(value))
    stream.next(1)
    stream.next(2)
    stream.next(3)
    expect(heard).toEqual([1, 2, 3])
    expect(errors).toMatchObject([{ code: 'handler-threw', cause: fault }])
  })

  it('[CLI-4] is told to the error handler, where there is one', () => {
    const { errors, report } = create()
    const stream = createStream<number>(report)
    const told: unknown[] = []
    stream.observable.pipe(map(failing)).subscribe({ error: (cause: unknown) => told.push(cause) })
    stream.next(1)
    expect([told, errors]).toEqual([[fault], []])
  })
})

describe('subscribing and unsubscribing', () => {
  it('[CLI-3] counts from the next value on; during an emission, too', () => {
    const { report } = create()
    const stream = createStream<number>(report)
    const heard: string[] = []
    let hasSubscribed = false
    stream.next(0)
    stream.observable.subscribe((value) => {
      heard.push(`a ${value}`)
      if (hasSubscribed) return
      hasSubscribed = true
      stream.observable.subscribe((late) => heard.push(`late ${late}`))
    })
    stream.next(1)
    stream.next(2)
    expect(heard).toEqual(['a 1', 'a 2', 'late 2'])
  })

  it('[CLI-3] ends at once, also for a value that is being emitted', () => {
    const { report } = create()
    const stream = createStream<number>(report)
    const heard: string[] = []
    const own = stream.observable.subscribe((value) => {
      heard.push(`own ${value}`)
      own.unsubscribe()
      other.unsubscribe()
    })
    const other = stream.observable.subscribe((value) => heard.push(`other ${value}`))
    stream.observable.subscribe((value) => heard.push(`third ${value}`))
    stream.next(1)
    stream.next(2)
    expect(heard).toEqual(['own 1', 'third 1', 'third 2'])
  })

  it('[CLI-3] is counted: with nobody there, nobody is observed', () => {
    const { report } = create()
    const stream = createStream<number>(report)
    expect(stream.isObserved).toBe(false)
    const first = stream.observable.subscribe()
    const second = stream.observable.pipe(take(1)).subscribe()
    expect(stream.isObserved).toBe(true)
    stream.next(1)
    expect(second.closed).toBe(true)
    first.unsubscribe()
    expect(stream.isObserved).toBe(false)
  })

  it('[CLI-5] a stream of values gives the current one first', () => {
    const { report } = create()
    const stream = createValueStream(0, report)
    stream.next(1)
    const heard: number[] = []
    stream.observable.subscribe((value) => heard.push(value))
    stream.observable.pipe(skip(1)).subscribe((value) => heard.push(-value))
    stream.next(2)
    expect(heard).toEqual([1, 2, -2])
  })

  it('[CLI-14] completes those who are there and those who come later', async () => {
    const { report } = create()
    for (const stream of [createStream<number>(report), createValueStream(0, report)]) {
      let completed = 0
      const complete = (): void => {
        completed += 1
      }
      stream.observable.subscribe({ complete })
      stream.complete()
      stream.observable.subscribe({ complete, next: () => expect.unreachable() })
      stream.next(7)
      expect(completed).toBe(2)
      expect(stream.isObserved).toBe(false)
      await expect(firstValueFrom(stream.observable, { defaultValue: 'none' })).resolves.toBe(
        'none',
      )
    }
  })

  it('[CLI-3] works with what RxJS offers beside pipe', async () => {
    const { report, errors } = create()
    const stream = createValueStream(1, report)
    const relayed: number[] = []
    const subject = new Subject<number>()
    subject.subscribe((value) => relayed.push(value))
    stream.observable.subscribe(subject)
    const merged: unknown[] = []
    merge(stream.observable, of('x')).subscribe((value) => merged.push(value))
    combineLatest([stream.observable, stream.observable]).subscribe((pair) => merged.push(pair))
    const next = firstValueFrom(stream.observable.pipe(skip(1)))
    const each = stream.observable.pipe(take(2)).forEach((value) => merged.push(`each ${value}`))
    stream.next(2)
    await expect(next).resolves.toBe(2)
    await each
    expect(relayed).toEqual([1, 2])
    expect(merged).toEqual([1, 'x', [1, 1], 'each 1', 2, [2, 1], [2, 2], 'each 2'])
    expect(errors).toEqual([])
  })
})

describe('a selection', () => {
  it('[CLI-5] gives the current result, then each that differs', () => {
    const { report } = create()
    const source = createValueStream({ count: 1, other: 0 }, report)
    const heard: unknown[] = []
    createSelection(source.observable, ({ count }) => count, report).subscribe((value) => {
      heard.push(value)
    })
    for (const count of [1, 2, 2, Number.NaN, Number.NaN, 0, -0]) source.next({ count, other: 1 })
    expect(heard).toEqual([1, 2, Number.NaN, 0, -0])
  })

  it('[CLI-5] gives a result of undefined, too, and once', () => {
    const { report } = create()
    const source = createValueStream<{ name?: string }>({}, report)
    const heard: unknown[] = []
    createSelection(source.observable, ({ name }) => name, report).subscribe((name) => {
      heard.push(name)
    })
    source.next({})
    source.next({ name: 'a' })
    source.next({})
    expect(heard).toEqual([undefined, 'a', undefined])
  })

  it('[CLI-5] is computed for each subscriber apart', () => {
    const { report } = create()
    const source = createValueStream(1, report)
    const selection = createSelection(source.observable, (value) => value > 1, report)
    const heard: string[] = []
    selection.subscribe((value) => heard.push(`a ${value}`))
    source.next(2)
    selection.subscribe((value) => heard.push(`b ${value}`))
    source.next(3)
    expect(heard).toEqual(['a false', 'a true', 'b true'])
  })

  it('[CLI-6] whose selector throws is reported, and asked again with the next value', () => {
    const { report, errors } = create()
    const source = createValueStream(0, report)
    const heard: number[] = []
    const selector = (value: number): number => (value % 2 === 0 ? failing() : value)
    createSelection(source.observable, selector, report).subscribe((value) => heard.push(value))
    for (const value of [1, 2, 1, 3]) source.next(value)
    expect(heard).toEqual([1, 3])
    expect(errors.map(({ code }) => code)).toEqual(['selector-threw', 'selector-threw'])
  })

  it('[CLI-4] has handlers that may throw', () => {
    const { report, codes } = create()
    const source = createValueStream(0, report)
    let calls = 0
    createSelection(source.observable, (value) => value, report)
      .pipe(map((value) => String(value)))
      .subscribe(() => {
        calls += 1
        failing()
      })
    source.next(1)
    expect([calls, codes()]).toEqual([2, ['handler-threw', 'handler-threw']])
  })

  it('[CLI-14] completes with its source, and unsubscribes from it', () => {
    const { report } = create()
    const source = createValueStream(0, report)
    const selection = createSelection(source.observable, (value) => value, report)
    selection.pipe(take(1)).subscribe()
    const subscription = selection.subscribe()
    expect(source.isObserved).toBe(true)
    subscription.unsubscribe()
    expect(source.isObserved).toBe(false)
    let hasCompleted = false
    selection.subscribe({
      complete() {
        hasCompleted = true
      },
    })
    source.complete()
    expect(hasCompleted).toBe(true)
  })
})
