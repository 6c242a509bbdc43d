import { parseArgs } from 'node:util'

/** The options of the command line. */
export type Command =
  | ({
      run: 'watch'
      port: number
      /** How long access tokens are valid, in ms. */
      accessLifeMs: number
    } & Common)
  | ({
      run: 'once'
      /** Whether the worker loses its connection for half of the run. */
      isOffline: boolean
    } & Common)
  | { run: 'help' }

type Common = {
  /** The folder with the user's photos; `undefined`: the demo draws some. */
  folder: string | undefined
  /** How many photos to draw, and the seed. */
  pictures: number
  seed: string
  /** The worker's pause after each photo, in ms. */
  paceMs: number
}

export const usage = `npm start -- [options] [folder]

Processes the photos of a folder, by default of one made for the occasion, while
devices watch: in a browser, or headless.

  --once            without a browser: prints a JSON summary and exits
  --offline         with --once: the worker loses its connection for half of the
                    run, and the summary says what became of that
  --pictures <n>    how many pictures to make where no folder is given
                    (default 60; 24 with --once)
  --seed <text>     what they are made from (default statewire)
  --pace <ms>       rest after each photo (default 150; 0 with --once)
  --token-life <s>  how long an access token lasts (default 3600), to see them
                    renewed
  --help            this

PORT is where the development server listens (default 5000); staging and the
dashboard take the two ports after it. What is taken is replaced by a free one,
and 0 takes free ones from the start.

Exits with 0; with 1 when a device saw something else than the worker did, or
the worker failed; with 2 when what was asked for makes no sense.
`

/** Reads the command line. Returns an error message if it makes no sense. */
export function parseCommandLine(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Command | { run: 'refuse'; message: string } {
  let parsed: ReturnType<typeof parse>
  try {
    parsed = parse(args)
  } catch (error) {
    return { run: 'refuse', message: error instanceof Error ? error.message : String(error) }
  }
  const { values, positionals } = parsed
  if (values.help) return { run: 'help' }
  if (positionals.length > 1) return { run: 'refuse', message: 'One folder at a time, please' }

  const isOnce = values.once
  if (values.offline && !isOnce) {
    const message =
      '--offline goes with --once; in the browser, "Stop the server" takes everyone offline'
    return { run: 'refuse', message }
  }
  const pictures = Number(values.pictures ?? (isOnce ? 24 : 60))
  if (!Number.isInteger(pictures) || pictures < 1 || pictures > 10_000) {
    return { run: 'refuse', message: '--pictures must be a whole number from 1 to 10000' }
  }
  const paceMs = Number(values.pace ?? (isOnce ? 0 : 150))
  if (!(paceMs >= 0 && paceMs <= 60_000)) {
    return { run: 'refuse', message: '--pace must be a number of milliseconds from 0 to 60000' }
  }
  const common = { folder: positionals[0], pictures, seed: values.seed, paceMs }
  if (isOnce) return { run: 'once', isOffline: values.offline, ...common }

  const { PORT: given = '' } = env
  const port = given === '' ? 5000 : Number(given)
  if (!Number.isInteger(port) || port < 0 || port > 65_533) {
    return { run: 'refuse', message: 'PORT must be a whole number from 0 to 65533' }
  }
  const tokenLife = Number(values['token-life'])
  if (!(tokenLife >= 2 && tokenLife <= 86_400)) {
    return { run: 'refuse', message: '--token-life must be a number of seconds from 2 to 86400' }
  }
  return { run: 'watch', port, accessLifeMs: tokenLife * 1_000, ...common }
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      once: { type: 'boolean', default: false },
      offline: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
      pictures: { type: 'string' },
      seed: { type: 'string', default: 'statewire' },
      pace: { type: 'string' },
      'token-life': { type: 'string', default: '3600' },
    },
  })
}
