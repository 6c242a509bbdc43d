import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { ada } from './accounts.js'
import { createCleanUp } from './clean-up.js'
import { providePictures } from './picture-folder.js'
import { createControls } from './server/controls.js'
import { startDesk } from './server/desk.js'
import { type EnvironmentName, startEnvironment } from './server/environment-server.js'
import { buildPage } from './server/page-bundle.js'
import { createWorkerDesk } from './server/worker-desk.js'
import { createTemporaryFolder } from './temporary-folder.js'

const userId = ada.id
const workerId = 'photo-worker'
const suggestedDevices = ['studio-mac', 'travel-ipad'] as const

/**
 * Runs the demo until aborted: two environments, the page, and the worker, which starts when the
 * first signed-in page connects. Leaves nothing behind.
 */
export async function watch(
  wanted: {
    port: number
    folder: string | undefined
    pictures: number
    seed: string
    paceMs: number
    accessLifeMs: number
  },
  signal: AbortSignal,
): Promise<void> {
  const onError = (error: Error) => console.error(error.message, error.cause ?? '')
  const page = await buildPage()
  await using temporary = await createTemporaryFolder()
  const folder = await providePictures(wanted, temporary.path, signal)
  await using cleanUp = createCleanUp()
  const secret = randomUUID()
  const worker = createWorkerDesk({
    folder,
    outboxFolder: join(temporary.path, 'worker-outbox'),
    userId,
    deviceId: workerId,
    secret,
    paceMs: wanted.paceMs,
  })
  let isOurPage = (_origin: string): boolean => false
  let hasBegun = false

  async function startAt(name: EnvironmentName, port: number) {
    const environment = await startEnvironment({
      name,
      port,
      secret,
      isOurPage: (origin) => isOurPage(origin),
      folder: join(temporary.path, `log-${name}`),
      signIn: { accessLifeMs: wanted.accessLifeMs },
      onConnected({ deviceId }) {
        if (hasBegun || deviceId === workerId) return
        hasBegun = worker.run(environment)
      },
      onError,
    })
    cleanUp.defer(() => environment.stop())
    return environment
  }

  const portAfter = (offset: number) => (wanted.port === 0 ? 0 : wanted.port + offset)
  const environments = {
    development: await startAt('development', portAfter(0)),
    staging: await startAt('staging', portAfter(1)),
  }
  // The worker ends before the servers, so that it can tell the devices.
  cleanUp.defer(() => worker.close())
  const controls = createControls({
    userId,
    environments,
    worker: {
      get status() {
        return worker.status
      },
      run: (name) => worker.run(environments[name]),
    },
  })
  const { url, isOurs, close } = await startDesk({ port: portAfter(2), page, controls, onError })
  isOurPage = isOurs
  cleanUp.defer(close)

  const [first, second] = suggestedDevices.map((device) => `${url}/?device=${device}`)
  console.log(`The dashboard, on two devices (open both, and sign each in):

  ${first}
  ${second}

development  ${environments.development.webSocketUrl}
staging      ${environments.staging.webSocketUrl}
photos       ${folder}

Ctrl-C ends it.`)

  if (signal.aborted) return
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
