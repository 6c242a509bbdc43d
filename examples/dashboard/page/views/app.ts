import { html, type TemplateResult } from 'lit-html'
import { overallProgress } from 'statewire/kull'
import type { Session } from '../session.js'
import { lastSyncText } from '../text.js'
import { badgeView, bannerView } from './banner.js'
import { type Actions, type ControlsModel, controlsView } from './controls.js'
import { creditsView } from './credits.js'
import { devicesView } from './devices.js'
import { logView } from './log.js'
import { shootsView } from './shoots.js'

/** Everything that is on the screen. */
export type PageModel = {
  session: Session
  deviceId: string
  controls: ControlsModel
  nowMs: number
}

/** Everything that its buttons do. */
export type AppActions = Actions & { clearLog: () => void }

/** The whole page. */
export function appView(model: PageModel, actions: AppActions): TemplateResult {
  const { session, deviceId, nowMs } = model
  const { status, state, lastSyncTime } = session.sync.getSnapshot()
  return html`
    ${bannerView(status, nowMs)}
    <header class="top">
      <div>
        <h1>Kull</h1>
        <p class="quiet clipped" data-test="self">${deviceId} · ${session.environment.name}</p>
      </div>
      <div class="sync">
        ${badgeView(status)}
        <p class="quiet" data-test="last-sync">${lastSyncText(lastSyncTime, nowMs)}</p>
      </div>
    </header>
    <main>
      <div class="column">
        <div class="pair">
          ${creditsView(state.creditBalance, state.lastCreditUpdate)}
          ${devicesView(state.connectedDevices.values(), deviceId)}
        </div>
        ${shootsView(state.activeShootProgress.values(), overallProgress(state))}
        ${logView(session.log, actions.clearLog)}
      </div>
      ${controlsView(model.controls, actions)}
    </main>
  `
}
