// Who may import whom. Each folder of src/ is a layer with a rule of its own:
//
//   base <- schemas <- transport, state, database <- storage <- streams, machines <- delivery <- client <- index
//
// Layers that stand side by side do not import each other. `session`, `kull` and `testing` stand on
// the library, which never imports them. `server` shares the lower layers with the client.
// test/tooling/layers.test.ts shows that each rule can fail.

/** @param {string} folders as a regular expression */
const inSrc = (folders) => `^src/(${folders})/`
const client = '^src/client(\\.ts$|/)'
const kullServer = '^src/kull/server(\\.ts$|/)'
const lower = [inSrc('base|schemas|transport|state|database|storage')]
const library = [...lower, inSrc('streams|machines|delivery'), client]
const usesNode = [
  '^src/server/',
  kullServer,
  '^src/(storage|delivery/store)/node',
  inSrc('database/sqlite'),
]

/**
 * @param {string} name
 * @param {string} from
 * @param {readonly string[]} allowed what the layer may import beside itself and packages
 * @param {string} comment
 * @returns {import('dependency-cruiser').IForbiddenRuleType}
 */
function layer(name, from, allowed, comment) {
  return {
    name,
    severity: 'error',
    comment,
    from: { path: from },
    to: { path: '^(src|test|bench|examples|scripts)/', pathNot: [from, ...allowed] },
  }
}

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    layer('base', inSrc('base'), [], 'The base imports no other layer.'),
    layer('schemas', inSrc('schemas'), [inSrc('base')], 'Messages do not know how they travel.'),
    layer(
      'transport',
      inSrc('transport'),
      [inSrc('base|schemas')],
      'Transport knows only schemas.',
    ),
    layer(
      'state',
      inSrc('state'),
      [inSrc('base|schemas')],
      'Folds do not know how messages travel.',
    ),
    layer('database', inSrc('database'), [inSrc('base')], 'A database holds rows of any meaning.'),
    layer(
      'storage',
      inSrc('storage'),
      [inSrc('base|schemas|database')],
      'Storage holds values by key.',
    ),
    layer('streams', inSrc('streams'), lower, 'Streams stand beside machines, below delivery.'),
    layer('machines', inSrc('machines'), lower, 'A machine declares what it asks for as a port.'),
    layer(
      'delivery',
      inSrc('delivery'),
      [...lower, inSrc('streams|machines')],
      'Delivery is optional: the layers below it work without it.',
    ),
    layer('client', client, library, 'The client is where the layers meet.'),
    layer('index', '^src/index\\.ts$', library, 'The main entry is the library alone.'),
    layer('session', inSrc('session'), library, 'The session is for any product.'),
    layer('server', inSrc('server'), lower, 'The server shares the lower layers with the client.'),
    layer(
      'kull',
      '^src/kull/(?!server(\\.ts$|/))',
      [...library, inSrc('session')],
      'The product uses the library; only its server entry uses the server.',
    ),
    layer(
      'kull-server',
      kullServer,
      [...lower, inSrc('kull|server')],
      "The server entry adds the product's routes to the server.",
    ),
    layer('testing', inSrc('testing'), library, 'The testing kit is for any protocol.'),
    layer(
      'examples',
      '^examples/',
      ['^dist/'],
      'Examples use the package by its public names, as its users do.',
    ),
    {
      name: 'kull-schemas',
      severity: 'error',
      comment: 'The schemas of one protocol are for that protocol alone.',
      from: { path: '^src/', pathNot: '^src/kull/' },
      to: { path: '^src/schemas/kull\\.ts$' },
    },
    {
      name: 'isomorphic-ws',
      severity: 'error',
      comment: 'One import site: its types promise what browsers lack.',
      from: { path: '^src/', pathNot: '^src/transport/websocket\\.ts$' },
      to: { path: 'node_modules/isomorphic-ws/' },
    },
    {
      name: 'idb',
      severity: 'error',
      comment: 'Only who stores an outbox in IndexedDB downloads it.',
      from: { path: '^src/', pathNot: '^src/delivery/store/' },
      to: { path: 'node_modules/idb/' },
    },
    {
      name: 'ws',
      severity: 'error',
      comment: 'Browser bundles never pull in ws.',
      from: { path: '^src/', pathNot: '^src/server/' },
      to: { path: 'node_modules/(@types/)?ws/' },
    },
    {
      name: 'node',
      severity: 'error',
      comment: "Browser bundles never pull in Node's modules.",
      from: { path: '^src/', pathNot: usesNode },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'zod-classic',
      severity: 'error',
      comment: 'Own schemas are zod/mini: classic costs 20 kB, and 85 kB with every locale.',
      from: { path: '^src/' },
      to: { path: 'node_modules/zod/', pathNot: 'node_modules/zod/(v4/)?(mini|core)/' },
    },
    {
      name: 'packages',
      severity: 'error',
      comment: 'The package may use only what it asks its users to install.',
      from: { path: '^src/' },
      to: { path: 'node_modules/', dependencyTypesNot: ['npm', 'npm-peer', 'core'] },
    },
    {
      name: 'resolved',
      severity: 'error',
      comment: 'Every import leads somewhere.',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'cycles',
      severity: 'error',
      comment: 'No file needs itself.',
      from: { path: '^src/' },
      to: { circular: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules|^dist/' },
    exclude: { path: '(^|/)(node_modules/\\.|dist/assets)' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      conditionNames: ['import', 'types', 'default'],
      exportsFields: ['exports'],
    },
  },
}
