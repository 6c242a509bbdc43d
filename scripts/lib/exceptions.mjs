/**
 * Code that the limits, the check of names and the search for duplicates leave out: paths and how
 * they start, each with its reason. There are three at most, and each must still be needed.
 *
 * @type {readonly { path: string, reason: string }[]}
 */
export const exceptions = [
  {
    path: 'src/delivery/store/outbox-store.ts',
    reason: 'One state: who owns the outbox. Its parts are files of their own.',
  },
]

/** @param {string} file */
export function isException(file) {
  return exceptions.some(({ path }) => file.startsWith(path))
}
