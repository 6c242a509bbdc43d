import { request as httpRequest } from 'node:http'
import { expect, it, onTestFinished } from 'vitest'
import { createControls, type WorkerStatus } from '../../../examples/dashboard/server/controls.js'
import { startDesk } from '../../../examples/dashboard/server/desk.js'
import type {
  EnvironmentName,
  EnvironmentServer,
} from '../../../examples/dashboard/server/environment-server.js'

/** An environment that notes what is done to it. */
function createEnvironment(name: EnvironmentName, done: string[]): EnvironmentServer {
  let isUp = true
  const note =
    (what: string) =>
    (...about: unknown[]) => {
      done.push([name, what, ...about].join(' '))
      return 1
    }
  return {
    name,
    port: 1,
    httpUrl: `http://${name}.test`,
    webSocketUrl: `ws://${name}.test/ws`,
    get isUp() {
      return isUp
    },
    devices: () => [],
    stop() {
      isUp = false
      note('stop')()
      return Promise.resolve()
    },
    start() {
      isUp = true
      note('start')()
      return Promise.resolve()
    },
    cut: note('cut'),
    silence: note('silence'),
    writeFrame: note('write'),
    sendNews: note('news'),
    addCredits: note('credits'),
    expire: note('expire'),
    revoke: note('revoke'),
  }
}

async function serve(worker: WorkerStatus = { state: 'idle' }) {
  const done: string[] = []
  const environments = {
    development: createEnvironment('development', done),
    staging: createEnvironment('staging', done),
  }
  const controls = createControls({
    userId: 'ada',
    environments,
    worker: {
      status: worker,
      run(environment) {
        if (worker.state === 'working') return false
        done.push(`worker in ${environment}`)
        return true
      },
    },
  })
  const files = { '/': 'text/html', '/assets/page.js': 'text/javascript' }
  const page = new Map(
    Object.entries(files).map(([path, contentType]) => [
      path,
      { contentType, bytes: Buffer.from(path) },
    ]),
  )
  const errors: Error[] = []
  const desk = await startDesk({ port: 0, page, controls, onError: (error) => errors.push(error) })
  onTestFinished(() => desk.close())

  const post = (path: string, body: unknown, headers = {}) =>
    fetch(desk.url + path, { method: 'POST', body: JSON.stringify(body), headers })
  return { ...desk, environments, done, errors, post }
}

const mac = { device: 'mac' }

it('[DEMO-18] serves the page, which may load and reach nothing beyond the demo', async () => {
  const { url } = await serve()
  const response = await fetch(`${url}/?device=mac`)
  expect(await response.text()).toBe('/')
  expect(response.headers.get('content-type')).toBe('text/html')
  const policy = response.headers.get('content-security-policy')
  expect(policy).toContain("default-src 'none'")
  expect(policy).not.toContain('unsafe')
  const script = await fetch(`${url}/assets/page.js`, { method: 'HEAD' })
  expect(script.headers.get('content-type')).toBe('text/javascript')
  expect(await script.text()).toBe('')
  expect((await fetch(`${url}/../../package.json`)).status).toBe(404)
  expect((await fetch(`${url}/`, { method: 'DELETE' })).status).toBe(404)
})

it('tells the page what there is, and how it stands', async () => {
  const { url, environments } = await serve({ state: 'failed', message: 'No photos' })
  expect(await (await fetch(`${url}/demo/setup`)).json()).toEqual({
    environments: [
      {
        name: 'development',
        httpUrl: 'http://development.test',
        webSocketUrl: 'ws://development.test/ws',
      },
      { name: 'staging', httpUrl: 'http://staging.test', webSocketUrl: 'ws://staging.test/ws' },
    ],
  })
  await environments.staging.stop()
  expect(await (await fetch(`${url}/demo/status`)).json()).toEqual({
    environments: [
      { name: 'development', isUp: true },
      { name: 'staging', isUp: false },
    ],
    worker: { state: 'failed', message: 'No photos' },
  })
})

it.each([
  ['cut', ['cut ada mac']],
  ['silence', ['silence ada mac']],
  ['restart', ['stop', 'start']],
  ['stop', ['stop']],
  ['start', ['start']],
  ['bad-frame', ['write ada mac {"type":"SHOOT_PROGRESS","data":{"shootId":7},']],
  [
    'news',
    ['news ada', 'write ada mac {"type":"STUDIO_WEATHER","data":{"sky":"overcast","lux":9400}}'],
  ],
  ['credits', ['credits ada 100']],
  ['expire', ['expire ada mac']],
  ['revoke', ['revoke ada mac']],
])('does %s to the environment that is named', async (action, expected) => {
  const { post, done } = await serve()
  const response = await post(`/demo/staging/${action}`, mac)
  expect(response.status).toBe(200)
  expect(done).toEqual(expected.map((what) => `staging ${what}`))
  expect(await response.json()).toMatchObject({
    environments: [{ isUp: true }, { isUp: action !== 'stop' }],
  })
})

it('runs the worker where it is asked to, one job at a time', async () => {
  const { post, done } = await serve()
  expect((await post('/demo/worker', { environment: 'staging' })).status).toBe(202)
  expect(done).toEqual(['worker in staging'])
  expect((await post('/demo/worker', { environment: 'production' })).status).toBe(400)

  const busy = await serve({ state: 'working', environment: 'staging' })
  const refused = await busy.post('/demo/worker', { environment: 'staging' })
  expect(refused.status).toBe(409)
  expect(await refused.json()).toEqual({ error: 'The worker is at work' })
  // It keeps the account, and the balance that it says next would undo a gift.
  expect((await busy.post('/demo/staging/credits', mac)).status).toBe(409)
  expect((await busy.post('/demo/development/credits', mac)).status).toBe(200)
  expect(busy.done).toEqual(['development credits ada 100'])
})

it.each([
  ['/demo/staging/explode', mac, 404],
  ['/demo/production/cut', mac, 404],
  ['/other/staging/cut', mac, 404],
  ['/demo/staging/cut/more', mac, 404],
  ['/demo/staging/__proto__', mac, 404],
  ['/demo/staging/cut', {}, 400],
  ['/demo/staging/cut', { device: '' }, 400],
  ['/demo/staging/cut', null, 400],
  ['/demo/staging/cut', { ...mac, padding: 'x'.repeat(70_000) }, 400],
])('answers a request to %s that makes no sense with why', async (path, body, status) => {
  const { post, done, errors } = await serve()
  const response = await post(path, body)
  expect(response.status).toBe(status)
  expect(await response.json()).toEqual({ error: expect.any(String) as string })
  expect(done).toEqual([])
  expect(errors).toEqual([])
})

it('answers what it could not do, and reports it', async () => {
  const { post, environments, errors } = await serve()
  environments.staging.start = () => Promise.reject(new Error('The port is taken'))
  expect((await post('/demo/staging/start', mac)).status).toBe(500)
  expect(errors).toMatchObject([{ message: 'The port is taken' }])
})

it('[DEMO-18] does nothing for pages of other origins, or under another name', async () => {
  const { url, post, done, isOurs } = await serve()
  const { port } = new URL(url)
  expect(isOurs(url)).toBe(true)
  expect(isOurs(`http://localhost:${port}`)).toBe(true)
  expect(isOurs('http://localhost')).toBe(false)
  expect(isOurs(`https://127.0.0.1:${port}`)).toBe(false)

  for (const origin of ['http://evil.test', 'null', `http://evil.test:${port}`]) {
    expect((await post('/demo/staging/cut', mac, { origin })).status).toBe(403)
  }
  for (const host of ['evil.test', `evil.test:${port}`, '127.0.0.1']) {
    expect(await statusUnder(host, port)).toBe(403)
  }
  expect(done).toEqual([])
  expect(await statusUnder(`localhost:${port}`, port)).toBe(200)
  expect((await post('/demo/staging/cut', mac, { origin: url })).status).toBe(200)
})

/** The status of a request to the same address under another name; fetch sets its own `Host`. */
function statusUnder(host: string, port: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      host: '127.0.0.1',
      port,
      path: '/demo/status',
      headers: { host },
    })
    request.on('response', (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    request.on('error', reject)
    request.end()
  })
}
