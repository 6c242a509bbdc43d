/**
 * The parts of the source that `npm run mutation` holds at a score of 90. Each lists the tests that
 * can tell its mutants, without slow ones: every mutant runs them.
 *
 * @typedef {object} MutationPart
 * @property {string[]} mutate source files, as globs
 * @property {string[]} tests folders below test/, and files as globs
 */

/** @type {Record<string, MutationPart>} */
export const parts = {
  schemas: {
    mutate: ['src/schemas/**/*.ts'],
    tests: ['schemas', 'state', 'kull/protocol.test.ts'],
  },
  state: {
    mutate: ['src/state/**/*.ts'],
    tests: ['state', 'machines/coordinator', 'property/coordinator.test.ts'],
  },
  'machines/connection': {
    mutate: ['src/machines/connection{.ts,/**/*.ts}', 'src/machines/backoff.ts'],
    tests: ['machines/connection', 'machines/backoff.test.ts', 'property/connection.test.ts'],
  },
  'machines/coordinator': {
    mutate: ['src/machines/coordinator{.ts,/**/*.ts}'],
    tests: ['machines/coordinator', 'property/coordinator.test.ts'],
  },
  'machines/delivery': {
    mutate: ['src/machines/{delivery,outbox}{.ts,/**/*.ts}'],
    tests: ['machines/delivery.test.ts', 'machines/outbox.test.ts', 'delivery/*.test.ts'],
  },
  'machines/session': {
    mutate: ['src/machines/session{.ts,/**/*.ts}'],
    tests: ['machines/session'],
  },
  delivery: {
    mutate: ['src/delivery/*.ts'],
    tests: ['delivery/*.test.ts'],
  },
}

/**
 * The parts of a name: `machines/session` is one, `machines` is all whose names start with it.
 * @param {string} name
 * @returns {string[]}
 */
export function partsNamed(name) {
  return Object.keys(parts).filter((part) => part === name || part.startsWith(`${name}/`))
}
