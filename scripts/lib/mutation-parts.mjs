/**
 * The parts of the source that `npm run mutation` holds at a score of 90, each with the tests that
 * can tell its mutants, and no slow ones.
 *
 * @typedef {object} MutationPart
 * @property {string[]} mutate source files, as globs
 * @property {string[]} tests folders and files below test/
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
  machines: {
    mutate: ['src/machines/**/*.ts'],
    tests: [
      'machines',
      'property/connection.test.ts',
      'property/delivery.test.ts',
      'delivery',
      'session',
    ],
  },
  delivery: {
    mutate: ['src/delivery/**/*.ts', '!src/delivery/store/**'],
    tests: ['delivery', 'property/delivery.test.ts'],
  },
}
