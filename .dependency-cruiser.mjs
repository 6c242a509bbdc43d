// Who may import whom. Direction: schemas <- transport, storage <- machines <- client <- index.
// kull, server and testing stand on the library; the library never uses them.

/** What has no layer of its own: errors, clock and the like, which all layers may use. */
const foundation = '^src/(base/|(?!(index|client|compile)\\.ts)[^/]+\\.ts$)'
const packages = 'node_modules/'
const serverSide = '^src/(server/|storage/node|kull/server)'

// Files move to the layout of docs/architecture.md one folder a commit; until the last has moved,
// a layer is the files that were its own before.
const transport = '^src/(transport/|streams/(?!publisher))'
const storage = '^src/(storage|delivery/store)/'
const machines =
  '^src/(machines/|state/|delivery/(channel|cursor|elsewhere|ending|outbox|queue|receipt|transmission)\\.ts)'
const client = '^src/(client(\\.ts|/)|streams/publisher|delivery/port)'
const lower = [transport, storage, '^src/schemas/']

/**
 * @param {string} name
 * @param {string} from
 * @param {string[]} allowed what the layer may use beside itself, the foundation and packages
 * @param {string} comment
 * @returns {import('dependency-cruiser').IForbiddenRuleType}
 */
function layer(name, from, allowed, comment) {
  return {
    name,
    severity: 'error',
    comment,
    from: { path: from },
    to: { path: '^(src|test|bench|examples|scripts)/', pathNot: [from, foundation, ...allowed] },
  }
}

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    layer('foundation', foundation, [], 'The foundation stands on nothing.'),
    layer('schemas', '^src/schemas/', [], 'What is said knows nothing of how it travels.'),
    layer('transport', transport, ['^src/schemas/'], 'Transport knows only schemas.'),
    layer('storage', storage, ['^src/schemas/'], 'Storage stands beside transport.'),
    layer('machines', machines, lower, 'Machines stand below the client.'),
    layer('client', client, [...lower, machines], 'The client is where the layers meet.'),
    layer('compile', '^src/compile\\.ts$', ['^src/schemas/'], 'An optional part of the schemas.'),
    layer(
      'index',
      '^src/index\\.ts$',
      [...lower, machines, client],
      'The main entry is the library alone.',
    ),
    layer(
      'session',
      '^src/session/',
      [...lower, machines, client, '^src/kull/(answers|create-api)\\.ts$'],
      'The session stands on the library.',
    ),
    layer(
      'kull',
      '^src/kull/(?!server)',
      [...lower, machines, client, '^src/session/'],
      'The protocol uses the library; only its server entry uses the server.',
    ),
    layer(
      'kull-server',
      '^src/kull/',
      [...lower, machines, client, '^src/(server|session)/'],
      'The protocol never uses testing.',
    ),
    layer(
      'server',
      '^src/server/',
      // With delivery it folds messages as the client does, to write the state down for newcomers.
      // The folding is no machine: it needs no XState.
      [...lower, '^src/(machines/coordinator|state)/folding\\.ts$'],
      'The server shares schemas, codecs and folds with the client, and nothing else.',
    ),
    layer(
      'testing',
      '^src/testing/',
      [...lower, machines, client],
      'The testing kit uses the library, for any protocol.',
    ),
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
      from: { path: '^src/', pathNot: '^src/(kull|schemas/kull)/' },
      to: { path: '^src/schemas/kull/' },
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
      comment: 'One import site; only who keeps an outbox in IndexedDB downloads it.',
      from: { path: '^src/', pathNot: '^src/(storage|delivery/store)/indexeddb-database\\.ts$' },
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
      from: { path: '^src/', pathNot: serverSide },
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
      to: { path: packages, dependencyTypesNot: ['npm', 'npm-peer', 'core'] },
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
