import { render } from 'lit-html'
import {
  createBrowserNotifier,
  createEnvironments,
  defineEnvironment,
  type KullEnvironment,
} from 'statewire/kull'
import { createDeviceId } from 'statewire/session'
import { createBrowserStore } from 'statewire/storage'
import type { DemoSetup, DemoStatus } from '../server/controls.js'
import { readQuery } from './address.js'
import { control, type DeskAnswer, fetchSetup, fetchStatus, runWorker } from './desk-client.js'
import { createMessageLog } from './message-log.js'
import { createEnvironmentSession, type EnvironmentSession, type Note } from './session.js'
import { createToasts } from './toasts.js'
import { type AppActions, appView } from './views/app.js'

/** How often the page redraws its times, and asks the desk for the state of the demo. */
const tickMs = 1_000
const toastMs = 6_000
const logLimit = 100

const setup = await fetchSetup()
if (setup.ok) await run(setup.value)
else document.body.textContent = setup.message

async function run(setup: DemoSetup): Promise<void> {
  const log = createMessageLog(logLimit)
  const toasts = createToasts(toastMs)
  const note: Note = (kind, title, text) => {
    log.add({ at: Date.now(), kind, title, text })
    draw()
  }
  const onError = ({ code, message }: { code: string; message: string }) => {
    note('error', code, message)
  }
  const notifier = createBrowserNotifier({ onError })
  const query = readQuery(location.search)
  // Two devices in one browser have separate sessions and settings.
  const scope = query.deviceId === undefined ? 'kull' : `kull.${encodeURIComponent(query.deviceId)}`
  const store = createBrowserStore({ scope, onError })
  const deviceId = query.deviceId ?? (await createDeviceId({ store }).get())

  const known = setup.environments.map(({ name, httpUrl }) => ({
    name,
    // Has its own key: the library knows a staging and a development environment at other
    // addresses.
    environment: defineEnvironment(`demo ${name}`, httpUrl),
  }))
  const [first] = known
  if (first === undefined) {
    document.body.textContent = 'There is no server to connect to.'
    return
  }
  const knownAs = ({ httpUrl }: KullEnvironment) =>
    known.find(({ environment }) => environment.httpUrl === httpUrl)
  const environments = await createEnvironments({
    store,
    release: false,
    initial: first.environment,
    onError,
  })
  // Ports that were stored by an earlier run of the demo may be different.
  if (knownAs(environments.current) === undefined) await environments.switchTo(first.environment)
  const name = () => knownAs(environments.current)?.name ?? first.name

  let demo: DemoStatus | undefined
  let trouble = { ofDesk: '', ofButton: '' }
  let isDrawing = false
  let current: EnvironmentSession | undefined
  environments.follow((environment, store) => {
    current = createEnvironmentSession({
      environment,
      environmentName: name(),
      store,
      deviceId,
      deviceName: query.deviceId ?? 'Web browser',
      timing: query.timing,
      note,
      notify(notification) {
        toasts.show(notification, Date.now())
        notifier.show(notification)
      },
      onChange: draw,
    })
    return current
  })

  const actions: AppActions = {
    signIn: () => current?.session.signIn(),
    cancel: () => current?.session.cancel(),
    signOut: () => void current?.session.signOut(),
    start: () => current?.sync.start(),
    stop: () => current?.sync.stop(),
    connect: () => current?.sync.connect(),
    disconnect: () => current?.sync.disconnect(),
    moveTo(wanted) {
      const next = known.find(({ name }) => name === wanted)
      if (next !== undefined) void environments.switchTo(next.environment).then(draw)
    },
    reportShoot: () => current?.sent.reportShoot(),
    reportProgress: () => current?.sent.reportProgress(),
    reportNameless: () => current?.sent.reportNameless(),
    takeBack: ({ receipt }) => {
      receipt.abort()
    },
    removeWaiting: (id) => void current?.sync.outbox.remove(id),
    control: (action) => void press(control(name(), action, deviceId)),
    runWorker: () => void press(runWorker(name())),
    askPermission: () => void notifier.askPermission().then(draw),
    dismiss(kind) {
      toasts.dismiss(kind)
      draw()
    },
    clearLog() {
      log.clear()
      draw()
    },
  }

  // At most once per frame, however many messages arrive.
  function draw(): void {
    if (isDrawing) return
    isDrawing = true
    requestAnimationFrame(() => {
      isDrawing = false
      if (current === undefined) return
      const nowMs = Date.now()
      const model = {
        connection: current.sync.getSnapshot(),
        delivery: {
          outbox: current.sync.outbox.status,
          counts: current.sync.outbox.counts(),
          waiting: current.sync.outbox.messages(),
          sent: current.sent.latest,
        },
        session: current.session.status,
        log,
        toasts: toasts.at(nowMs),
        permission: notifier.permission,
        deviceId,
        controls: {
          environments: known.map(({ name }) => name),
          environment: name(),
          demo,
          trouble: trouble.ofDesk || trouble.ofButton,
        },
        nowMs,
      }
      render(appView(model, actions), document.body)
    })
  }

  async function press(asked: Promise<DeskAnswer<DemoStatus>>): Promise<void> {
    const answer = await asked
    trouble = { ...trouble, ofButton: answer.ok ? '' : answer.message }
    if (answer.ok) demo = answer.value
    draw()
  }

  async function tick(): Promise<void> {
    if (document.visibilityState === 'visible') {
      const answer = await fetchStatus()
      trouble = { ...trouble, ofDesk: answer.ok ? '' : answer.message }
      if (answer.ok) demo = answer.value
      draw()
    }
    setTimeout(() => void tick(), tickMs)
  }

  draw()
  void tick()
}
