import * as z from 'zod'
import {
  type EnvironmentName,
  environmentNames,
  type EnvironmentServer,
} from './environment-server.js'

/** The addresses of an environment. */
export type DemoEnvironment = { name: EnvironmentName; httpUrl: string; webSocketUrl: string }

/** What the page learns once, when it loads. */
export type DemoSetup = { environments: readonly DemoEnvironment[] }

/** The state of the demo. */
export type DemoStatus = {
  environments: readonly { name: EnvironmentName; isUp: boolean }[]
  worker: WorkerStatus
}

/** The state of the worker; `finished` and `failed` are about its last job. */
export type WorkerStatus =
  | { state: 'idle' }
  | { state: 'working'; environment: EnvironmentName }
  | { state: 'finished'; imagesProcessed: number; durationMs: number }
  | { state: 'failed'; message: string }

/** The actions on an environment. They exist only in the demo. */
export const environmentActions = [
  'cut',
  'silence',
  'restart',
  'stop',
  'start',
  'bad-frame',
  'news',
  'credits',
  'expire',
  'revoke',
] as const
export type EnvironmentAction = (typeof environmentActions)[number]

/** The demo's control routes, below `/demo`. */
export type Controls = {
  answer(method: string, path: string, body: unknown): Promise<{ status: number; body: unknown }>
}

/** What {@link createControls} needs. */
export type ControlsOptions = {
  /** The user who owns the devices. */
  userId: string
  environments: Readonly<Record<EnvironmentName, EnvironmentServer>>
  worker: { readonly status: WorkerStatus; run(environment: EnvironmentName): boolean }
}

const environmentRequest = z.object({ device: z.string().min(1) })
const workerRequest = z.object({ environment: z.enum(environmentNames) })
const badFrame = '{"type":"SHOOT_PROGRESS","data":{"shootId":7},'
// Messages of a server that is newer than its clients.
const newerFrame = '{"type":"STUDIO_WEATHER","data":{"sky":"overcast","lux":9400}}'
const gift = 100

/**
 * Makes the control routes: `GET /demo/setup`, `GET /demo/status`, `POST /demo/worker` and `POST
 * /demo/<environment>/<action>`, whose body names the device. Each POST answers with the new state.
 */
export function createControls({ userId, environments, worker }: ControlsOptions): Controls {
  const status = (): DemoStatus => ({
    environments: environmentNames.map((name) => ({ name, isUp: environments[name].isUp })),
    worker: worker.status,
  })

  async function act(
    environment: EnvironmentServer,
    action: EnvironmentAction,
    device: string,
  ): Promise<void> {
    switch (action) {
      case 'cut':
        environment.cut(userId, device)
        return
      case 'silence':
        environment.silence(userId, device)
        return
      case 'stop':
        return environment.stop()
      case 'start':
        return environment.start()
      case 'restart':
        await environment.stop()
        return environment.start()
      case 'bad-frame':
        environment.writeFrame(userId, device, badFrame)
        return
      case 'news':
        environment.sendNews(userId)
        environment.writeFrame(userId, device, newerFrame)
        return
      case 'credits':
        environment.addCredits(userId, gift)
        return
      case 'expire':
        environment.expire(userId, device)
        return
      case 'revoke':
        environment.revoke(userId, device)
        return
      default:
        action satisfies never
    }
  }

  async function post(path: string, body: unknown) {
    if (path === '/demo/worker') {
      const request = workerRequest.safeParse(body)
      if (!request.success) return refuse(400, 'Which environment?')
      const isStarted = worker.run(request.data.environment)
      return isStarted ? { status: 202, body: status() } : refuse(409, 'The worker is at work')
    }
    const [, name, action] = /^\/demo\/([a-z]+)\/([a-z-]+)$/.exec(path) ?? []
    const environment = environmentNames.find((known) => known === name)
    const asked = environmentActions.find((known) => known === action)
    if (environment === undefined || asked === undefined) return refuse(404, 'Not found')
    const request = environmentRequest.safeParse(body)
    if (!request.success) return refuse(400, 'Which device?')
    // The worker would overwrite the new balance with its own.
    const isCharging = worker.status.state === 'working' && worker.status.environment === name
    if (asked === 'credits' && isCharging) return refuse(409, 'The worker keeps the account now')
    await act(environments[environment], asked, request.data.device)
    return { status: 200, body: status() }
  }

  return {
    async answer(method, path, body) {
      if (method === 'GET' && path === '/demo/setup') {
        const described = environmentNames.map((name) => {
          const { httpUrl, webSocketUrl } = environments[name]
          return { name, httpUrl, webSocketUrl }
        })
        return { status: 200, body: { environments: described } satisfies DemoSetup }
      }
      if (method === 'GET' && path === '/demo/status') return { status: 200, body: status() }
      return method === 'POST' ? post(path, body) : refuse(404, 'Not found')
    },
  }
}

function refuse(status: number, error: string) {
  return { status, body: { error } }
}
