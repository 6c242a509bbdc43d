import { html, nothing, type TemplateResult } from 'lit-html'
import type { ConnectionStatus } from 'statewire'
import {
  type KullNotification,
  type KullState,
  type NotificationPermission,
  overallProgress,
} from 'statewire/kull'
import type { SessionStatus } from 'statewire/session'
import type { MessageLog } from '../message-log.js'
import { lastSyncText, permissionText, userText } from '../text.js'
import { badgeView, bannerView } from './banner.js'
import { type Actions, type ControlsModel, controlsView } from './controls.js'
import { creditsView } from './credits.js'
import { type DeliveryActions, type DeliveryModel, deliveryView } from './delivery.js'
import { devicesView } from './devices.js'
import { logView } from './log.js'
import { shootsView } from './shoots.js'
import { type SignInActions, signInView } from './sign-in.js'
import { toastsView } from './toasts.js'

/** The state of the whole screen. */
export type PageModel = {
  connection: { status: ConnectionStatus; state: KullState; lastSyncTime: number | undefined }
  delivery: DeliveryModel
  session: SessionStatus
  log: MessageLog
  toasts: readonly KullNotification[]
  /** Whether the browser may show notifications. */
  permission: NotificationPermission
  deviceId: string
  controls: Omit<ControlsModel, 'isSignedIn'>
  nowMs: number
}

/** The actions of all buttons. */
export type AppActions = Actions &
  DeliveryActions &
  SignInActions & {
    signOut: () => void
    askPermission: () => void
    dismiss: (kind: KullNotification['kind']) => void
    clearLog: () => void
  }

/** The whole page. */
export function appView(model: PageModel, actions: AppActions): TemplateResult {
  const { session, deviceId, nowMs, log } = model
  const { status, lastSyncTime } = model.connection
  const isSignedIn = session.state === 'signedIn'
  return html`
    ${bannerView(status, isSignedIn ? model.delivery.outbox.depth : 0, nowMs)}
    <header class="top">
      <div>
        <h1>Kull</h1>
        <p class="quiet clipped" data-test="self">${deviceId} · ${model.controls.environment}</p>
      </div>
      ${
        isSignedIn
          ? html`<div class="account">
              <span class="clipped" data-test="user">${userText(session.user)}</span>
              ${permissionView(model.permission, actions.askPermission)}
              <button type="button" class="small" @click=${actions.signOut}>Sign out</button>
            </div>`
          : nothing
      }
      <div class="sync">
        ${badgeView(status)}
        <p class="quiet" data-test="last-sync">${lastSyncText(lastSyncTime, nowMs)}</p>
      </div>
    </header>
    <main>
      <div class="column">
        ${isSignedIn ? syncedView(model, actions) : signInView(session, nowMs, actions)}
        ${logView(log, actions.clearLog)}
      </div>
      ${controlsView({ ...model.controls, isSignedIn }, actions)}
    </main>
    ${toastsView(model.toasts, actions.dismiss)}
  `
}

function syncedView(model: PageModel, actions: AppActions): TemplateResult {
  const { deviceId, delivery } = model
  const { state } = model.connection
  return html`
    <div class="pair">
      ${creditsView(state.creditBalance, state.lastCreditUpdate)}
      ${devicesView(state.connectedDevices.values(), deviceId)}
    </div>
    ${shootsView(state.activeShootProgress.values(), overallProgress(state))}
    ${deliveryView(delivery, actions)}
  `
}

// The page asks only after a click: browsers block a page that asks by itself.
function permissionView(permission: NotificationPermission, ask: () => void): TemplateResult {
  return permission === 'default'
    ? html`<button
        type="button"
        class="small"
        title="Asks the browser to show notifications while this page is hidden"
        @click=${ask}
      >
        Notify me
      </button>`
    : html`<span class="quiet" data-test="permission">${permissionText(permission)}</span>`
}
