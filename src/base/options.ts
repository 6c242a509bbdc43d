import { DELAY, isDelay } from './clock.js'
import { assertOption, type ReportError } from './errors.js'

/** Throws `option-invalid` unless the value is a duration that a timer can take. */
export function assertDuration(
  name: string,
  value: unknown,
  { mayBeInfinite = false }: { readonly mayBeInfinite?: boolean } = {},
): asserts value is number {
  const isEndless = mayBeInfinite && value === Number.POSITIVE_INFINITY
  assertOption(isEndless || isDelay(value), `${name} must be ${DELAY}`)
}

/** Throws `option-invalid` unless the value is a whole number, 1 or more, of the unit if one is named. */
export function assertWholeNumber(
  name: string,
  value: unknown,
  unit?: string,
): asserts value is number {
  const isWhole = Number.isSafeInteger(value) && Number(value) >= 1
  const ofUnit = unit === undefined ? '' : ` of ${unit}`
  assertOption(isWhole, `${name} must be a whole number${ofUnit}, 1 or more`)
}

/** Throws `option-invalid` unless the value is a function or absent. */
export function assertOptionalFunction(name: string, value: unknown): void {
  const isFunction = value === undefined || typeof value === 'function'
  assertOption(isFunction, `${name} must be a function`)
}

/** Makes a report function that never throws. An error that `onError` throws is dropped. */
export function guardReport(onError: ReportError | undefined): ReportError {
  return (error) => {
    try {
      onError?.(error)
    } catch {
      // An error of the error handler has nowhere to go.
    }
  }
}

/** An observer of events: a function, or an object with `next`. */
export type EventObserver<E> = ((event: E) => void) | { readonly next?: (event: E) => void }

/**
 * Makes an inspector that never throws: an exception inside an inspector would stop the mailbox of
 * every actor in the system.
 */
export function guardInspector<E>(
  inspect: EventObserver<E> | undefined,
): ((event: E) => void) | undefined {
  if (inspect === undefined) return undefined
  return (event) => {
    try {
      if (typeof inspect === 'function') inspect(event)
      else inspect.next?.(event)
    } catch {
      // What an inspector throws concerns nobody but the inspector.
    }
  }
}
