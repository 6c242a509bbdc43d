import { html, nothing, type TemplateResult } from 'lit-html'
import type { DemoStatus, EnvironmentAction } from '../../server/controls.js'
import type { EnvironmentName } from '../../server/environment-server.js'
import { workerText } from '../text.js'

/** The actions of the buttons. */
export type Actions = {
  start: () => void
  stop: () => void
  connect: () => void
  disconnect: () => void
  moveTo: (environment: EnvironmentName) => void
  control: (action: EnvironmentAction) => void
  runWorker: () => void
}

/** The state that decides which buttons are shown and enabled. */
export type ControlsModel = {
  environments: readonly EnvironmentName[]
  environment: EnvironmentName
  /** `undefined` before the first answer of the desk. */
  demo: DemoStatus | undefined
  /** The error of the latest button; empty if there was none. */
  trouble: string
  /** Whether this device is signed in. Buttons for its connection make no sense before that. */
  isSignedIn: boolean
}

/** Every button for this device, its server and the worker. */
export function controlsView(model: ControlsModel, actions: Actions): TemplateResult {
  const { environment, demo } = model
  const isUp = demo?.environments.find(({ name }) => name === environment)?.isUp ?? true
  const hurt: Hurt = (action, words, explanation) =>
    button(words, explanation, () => actions.control(action))

  return html`<section class="card controls" aria-labelledby="controls-title">
    <h2 id="controls-title">Try it</h2>
    ${
      model.isSignedIn
        ? group(
            'This device',
            button('Start', 'Connects and loads state', actions.start),
            button('Stop', 'Disconnects and clears the state', actions.stop),
            button('Connect', 'Connects; the state stays', actions.connect),
            button('Disconnect', 'Disconnects; the state stays', actions.disconnect),
          )
        : nothing
    }
    ${environmentView(model, actions)}
    ${group(
      model.isSignedIn ? 'Break the connection' : 'The server',
      model.isSignedIn
        ? [
            hurt('cut', 'Cut the socket', 'Ends the TCP connection without a closing handshake'),
            hurt('silence', 'Go silent', 'The socket stays open, but no data gets through'),
          ]
        : nothing,
      hurt('restart', 'Restart the server', 'Closes every socket with 1001 and starts again'),
      isUp
        ? hurt('stop', 'Stop the server', 'The server is unreachable until you start it')
        : hurt('start', 'Start the server', 'On the same port, with the same accounts'),
    )}
    ${model.isSignedIn ? signedInView(model, actions, hurt) : nothing}
    <p class="trouble" role="alert" data-test="trouble">${model.trouble}</p>
  </section>`
}

type Hurt = (action: EnvironmentAction, words: string, explanation: string) => TemplateResult

function signedInView(model: ControlsModel, actions: Actions, hurt: Hurt): TemplateResult {
  return html`
    ${group(
      'Break the sign-in',
      hurt('expire', 'Expire the token', 'The server no longer accepts this access token'),
      hurt('revoke', 'Revoke the sign-in', 'Signs this device out, as another device could'),
    )}
    ${group(
      'Send unusual frames',
      hurt('bad-frame', 'Bad frame', 'A text frame that is not JSON'),
      hurt('news', 'Newer types', 'A batch, an admin message, and a message of an unknown type'),
    )}
    ${group(
      'Account',
      button('Run the worker', 'Processes the folder once', actions.runWorker),
      hurt('credits', 'Add 100 credits', 'All devices receive the new balance'),
    )}
    <p class="quiet" data-test="worker">${model.demo === undefined ? nothing : workerText(model.demo.worker)}</p>
  `
}

function environmentView(model: ControlsModel, actions: Actions): TemplateResult {
  return html`<fieldset>
    <legend>Environment</legend>
    <div class="choices">
      ${model.environments.map(
        (name) => html`<label class="choice">
          <input
            type="radio"
            name="environment"
            .checked=${name === model.environment}
            @change=${() => {
              actions.moveTo(name)
            }}
          />
          ${name}
        </label>`,
      )}
    </div>
  </fieldset>`
}

function group(
  title: string,
  ...buttons: readonly (TemplateResult | TemplateResult[] | typeof nothing)[]
): TemplateResult {
  return html`<fieldset>
    <legend>${title}</legend>
    <div class="buttons">${buttons}</div>
  </fieldset>`
}

function button(words: string, explanation: string, onClick: () => void): TemplateResult {
  return html`<button type="button" title=${explanation} @click=${onClick}>${words}</button>`
}
