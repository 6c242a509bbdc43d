// The limits stand just above what is measured; docs/adr/0009-bundle-size.md and 0012 say why.
// The code that a browser downloads for a page that uses the client with the Kull protocol.
const client = { 'dist/index.js': '{ createSyncClient }', 'dist/kull/index.js': '{ kull }' }

/** @param {string[]} external packages to leave out; size-limit by itself leaves out peers */
function bundleWithout(external) {
  /** @param {import('esbuild').BuildOptions} config */
  return (config) => ({ ...config, format: 'esm', external })
}

export default [
  {
    name: 'client with kull, xstate, rxjs and zod',
    import: client,
    gzip: true,
    limit: '42.0 kB',
    modifyEsbuildConfig: bundleWithout([]),
  },
  {
    name: 'own code of the client with kull',
    import: client,
    gzip: true,
    limit: '20.5 kB',
    modifyEsbuildConfig: bundleWithout(['xstate', 'rxjs', 'zod', 'isomorphic-ws']),
  },
  {
    name: 'own code of the same with delivery',
    import: { ...client, 'dist/delivery/index.js': '{ createDelivery }' },
    gzip: true,
    limit: '35.5 kB',
    modifyEsbuildConfig: bundleWithout(['xstate', 'rxjs', 'zod', 'isomorphic-ws']),
  },
  {
    name: 'a database in IndexedDB, with idb',
    import: { 'dist/database/indexeddb.js': '{ createIndexedDbDatabase }' },
    gzip: true,
    limit: '3.2 kB',
    modifyEsbuildConfig: bundleWithout([]),
  },
]
