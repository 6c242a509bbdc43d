import { SyncError } from '../base/errors.js'

/** Makes the error of a test that uses the kit wrongly. */
export function testingMisuse(message: string): SyncError {
  return new SyncError('testing-misuse', message)
}
