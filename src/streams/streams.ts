import {
  BehaviorSubject,
  Observable,
  type Observer,
  Subject,
  Subscriber,
  type Subscription,
} from 'rxjs'
import { type ReportError, SyncError } from '../base/errors.js'

/**
 * An observable whose subscribers may throw. RxJS would rethrow such an error from a timer, where
 * it ends a Node process; here it is reported, and the subscriber, like all others, gets the next
 * value. That holds at the end of a `pipe` too.
 */
class ReportingObservable<T> extends Observable<T> {
  private readonly report: ReportError

  constructor(from: Observable<T>, report: ReportError) {
    super((subscriber) => from.subscribe(subscriber))
    this.report = report
  }

  // `never` fits each of the overloads that this stands in for; callers see those.
  override pipe(
    ...operators: ((from: Observable<never>) => Observable<never>)[]
  ): Observable<never> {
    const start = this as Observable<unknown> as Observable<never>
    const piped = operators.reduce((from, operator) => operator(from), start)
    return new ReportingObservable(piped, this.report)
  }

  override subscribe(observer?: Partial<Observer<T>> | ((value: T) => void) | null): Subscription
  override subscribe(
    next?: ((value: T) => void) | null,
    error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ): Subscription
  override subscribe(
    target?: Partial<Observer<T>> | ((value: T) => void) | null,
    error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ): Subscription {
    // An operator's own subscriber, on the way to the one at the end of the pipe.
    if (target instanceof Subscriber) return super.subscribe(target)
    const observer =
      typeof target === 'object' && target !== null
        ? target
        : { next: target ?? undefined, error: error ?? undefined, complete: complete ?? undefined }
    return super.subscribe(new ReportingObserver(observer, this.report))
  }
}

// What a subscriber gave of an observer.
interface ObserverParts<T> {
  readonly next?: ((value: T) => void) | undefined
  readonly error?: ((error: unknown) => void) | undefined
  readonly complete?: (() => void) | undefined
}

class ReportingObserver<T> implements Observer<T> {
  private readonly to: ObserverParts<T>
  private readonly report: ReportError

  constructor(to: ObserverParts<T>, report: ReportError) {
    this.to = to
    this.report = report
  }

  next(value: T): void {
    try {
      this.to.next?.(value)
    } catch (cause) {
      this.reportThrown(cause)
    }
  }

  error(cause: unknown): void {
    if (this.to.error === undefined) {
      this.report(new SyncError('handler-threw', 'An operator on a stream threw.', { cause }))
      return
    }
    try {
      this.to.error(cause)
    } catch (thrown) {
      this.reportThrown(thrown)
    }
  }

  complete(): void {
    try {
      this.to.complete?.()
    } catch (cause) {
      this.reportThrown(cause)
    }
  }

  private reportThrown(cause: unknown): void {
    this.report(new SyncError('handler-threw', 'A handler threw.', { cause }))
  }
}

/** The end of a stream that values are put in at. */
export interface Stream<T> {
  /** What is handed to users. */
  readonly observable: Observable<T>
  /** Whether anybody listens: with nobody there, `next` costs nothing. */
  readonly isObserved: boolean
  next(value: T): void
  complete(): void
}

/** A stream of events: who subscribes hears what comes after. */
export function createStream<T>(report: ReportError): Stream<T> {
  return wrap(new Subject<T>(), report)
}

/**
 * A stream of values over time: who subscribes hears the current one first. `refresh` brings that
 * up to date, where values are put in only while somebody listens.
 */
export function createValueStream<T>(
  initial: T,
  report: ReportError,
  refresh?: () => void,
): Stream<T> {
  const subject = new BehaviorSubject<T>(initial)
  if (refresh === undefined) return wrap(subject, report)
  const refreshed = new Observable<T>((subscriber) => {
    refresh()
    return subject.subscribe(subscriber)
  })
  return wrap(subject, report, refreshed)
}

function wrap<T>(
  subject: Subject<T>,
  report: ReportError,
  from: Observable<T> = subject,
): Stream<T> {
  return {
    observable: new ReportingObservable<T>(from, report),
    get isObserved() {
      return subject.observed
    },
    next(value) {
      subject.next(value)
    },
    complete() {
      subject.complete()
    },
  }
}

/**
 * What a function makes of each value, whenever that differs from before. A function that throws
 * is reported, and asked again with the next value.
 */
export function createSelection<T, U>(
  source: Observable<T>,
  selector: (value: T) => U,
  report: ReportError,
): Observable<U> {
  const selected = new Observable<U>((subscriber) => {
    let last: { readonly value: U } | undefined
    return source.subscribe({
      next(from) {
        let value: U
        try {
          value = selector(from)
        } catch (cause) {
          report(new SyncError('selector-threw', 'A selector threw.', { cause }))
          return
        }
        if (last !== undefined && Object.is(last.value, value)) return
        last = { value }
        subscriber.next(value)
      },
      complete() {
        subscriber.complete()
      },
    })
  })
  return new ReportingObservable<U>(selected, report)
}
