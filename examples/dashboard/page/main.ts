import { render } from 'lit-html'
import type { DemoEnvironment, DemoSetup, DemoStatus } from '../server/controls.js'
import { readQuery } from './address.js'
import { control, type DeskAnswer, fetchSetup, fetchStatus, runWorker } from './desk-client.js'
import { createKept, keepDeviceId } from './remembered.js'
import { createSession } from './session.js'
import { type AppActions, appView } from './views/app.js'

/** How often the clock on the screen goes on, and the desk is asked how the demo stands. */
const tickMs = 1_000

const setup = await fetchSetup()
const first = setup.ok ? setup.value.environments[0] : undefined
if (setup.ok && first !== undefined) run(setup.value, first)
else document.body.textContent = setup.ok ? 'There is no server to connect to.' : setup.message

function run({ userId, environments }: DemoSetup, first: DemoEnvironment): void {
  const kept = createKept(() => localStorage)
  const query = readQuery(location.search)
  const deviceId = query.deviceId ?? keepDeviceId(kept, () => crypto.randomUUID())
  // Two devices in one browser each keep a choice of their own.
  const choice = `environment.${deviceId}`
  const environmentOf = (name: string | undefined) =>
    environments.find((environment) => environment.name === name) ?? first

  const session = createSession({
    userId,
    deviceId,
    environment: environmentOf(kept.read(choice)),
    timing: query.timing,
    onChange: draw,
  })
  const { sync } = session
  let demo: DemoStatus | undefined
  let trouble = { ofDesk: '', ofButton: '' }
  let isDrawing = false

  const actions: AppActions = {
    start: () => sync.start(),
    stop: () => sync.stop(),
    connect: () => sync.connect(),
    disconnect: () => sync.disconnect(),
    moveTo(name) {
      kept.write(choice, name)
      session.moveTo(environmentOf(name))
      draw()
    },
    control: (action) => void press(control(session.environment.name, action, deviceId)),
    runWorker: () => void press(runWorker(session.environment.name)),
    clearLog() {
      session.log.clear()
      draw()
    },
  }

  // At most once a frame, however many messages come.
  function draw(): void {
    if (isDrawing) return
    isDrawing = true
    requestAnimationFrame(() => {
      isDrawing = false
      const controls = {
        environments: environments.map(({ name }) => name),
        environment: session.environment.name,
        demo,
        trouble: trouble.ofDesk || trouble.ofButton,
      }
      render(appView({ session, deviceId, controls, nowMs: Date.now() }, actions), document.body)
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

  sync.start()
  draw()
  void tick()
}
