import { SyncError } from '../base/errors.js'

/** The error for an option that makes no sense: `option must be …`. */
export function optionError(option: string, problem: string): SyncError {
  return new SyncError('option-invalid', `${option} ${problem}`)
}
