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
 * An observable whose subscribers may throw. RxJS rethrows such an error from a timer, where it ends
 * a Node process. Here it is reported, and the subscriber gets the next value, as all others do.
 * The same holds for the result of a `pipe`.
 */
class ReportingObservable<T> extends Observable<T> {
  readonly #report: ReportError

  constructor(from: Observable<T>, report: ReportError) {
    super((subscriber) => from.subscribe(subscriber))
    this.#report = report
  }

  // `never` fits each overload of `pipe`, and callers see those of the base class.
  override pipe(
    ...operators: ((from: Observable<never>) => Observable<never>)[]
  ): Observable<never> {
    const start = this as Observable<unknown> as Observable<never>
    const piped = operators.reduce((from, operator) => operator(from), start)
    return new ReportingObservable(piped, this.#report)
  }

  override subscribe(
    target?: Partial<Observer<T>> | ((value: T) => void) | null,
    error?: ((error: unknown) => void) | null,
    complete?: (() => void) | null,
  ): Subscription {
    // The subscriber of an operator: the user's own stands at the end of the pipe.
    if (target instanceof Subscriber) return super.subscribe(target)
    const observer =
      typeof target === 'object' && target !== null
        ? target
        : { next: target ?? undefined, error: error ?? undefined, complete: complete ?? undefined }
    return super.subscribe(new ReportingObserver(observer, this.#report))
  }
}

// The handlers that a subscriber passed.
interface ObserverParts<T> {
  readonly next?: ((value: T) => void) | undefined
  readonly error?: ((error: unknown) => void) | undefined
  readonly complete?: (() => void) | undefined
}

class ReportingObserver<T> implements Observer<T> {
  readonly #to: ObserverParts<T>
  readonly #report: ReportError

  constructor(to: ObserverParts<T>, report: ReportError) {
    this.#to = to
    this.#report = report
  }

  next(value: T): void {
    try {
      this.#to.next?.(value)
    } catch (cause) {
      this.#reportThrown('A handler threw.', cause)
    }
  }

  error(cause: unknown): void {
    if (this.#to.error === undefined) {
      this.#reportThrown('An operator on a stream threw.', cause)
      return
    }
    try {
      this.#to.error(cause)
    } catch (thrown) {
      this.#reportThrown('A handler threw.', thrown)
    }
  }

  complete(): void {
    try {
      this.#to.complete?.()
    } catch (cause) {
      this.#reportThrown('A handler threw.', cause)
    }
  }

  #reportThrown(message: string, cause: unknown): void {
    this.#report(new SyncError('handler-threw', message, { cause }))
  }
}

/** A stream: values are put in with `next`, and come out of `observable`. */
export class Stream<T> {
  /** What users are given. */
  readonly observable: Observable<T>
  readonly #subject: Subject<T>

  constructor(subject: Subject<T>, report: ReportError, source: Observable<T> = subject) {
    this.#subject = subject
    this.observable = new ReportingObservable<T>(source, report)
  }

  /** Whether anybody subscribed. */
  get isObserved(): boolean {
    return this.#subject.observed
  }

  next(value: T): void {
    this.#subject.next(value)
  }

  complete(): void {
    this.#subject.complete()
  }
}

/** Calls a handler with each value; gives the function that unsubscribes it. */
export function subscribe<T>(observable: Observable<T>, handler: (value: T) => void): () => void {
  const subscription = observable.subscribe(handler)
  return () => {
    subscription.unsubscribe()
  }
}

/** A stream of events: a subscriber gets those that come after it subscribed. */
export function createStream<T>(report: ReportError): Stream<T> {
  return new Stream(new Subject<T>(), report)
}

/**
 * A stream of values over time: a subscriber gets the current value first. `refresh` runs before
 * that and may put in a newer value, for values that are not put in while nobody subscribes.
 */
export function createValueStream<T>(
  initial: T,
  report: ReportError,
  refresh?: () => void,
): Stream<T> {
  const subject = new BehaviorSubject<T>(initial)
  if (refresh === undefined) return new Stream(subject, report)
  const refreshed = new Observable<T>((subscriber) => {
    refresh()
    return subject.subscribe(subscriber)
  })
  return new Stream(subject, report, refreshed)
}

/**
 * What a function makes of each value, whenever the result differs from the one before. An error of
 * the function is reported; the function is called again with the next value.
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
