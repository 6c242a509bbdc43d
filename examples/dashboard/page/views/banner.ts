import { html, type TemplateResult } from 'lit-html'
import type { ConnectionStatus } from 'statewire'
import { queuedText } from '../delivery-text.js'
import { statusDetail, statusWords } from '../text.js'
import { bolt, warning } from './icons.js'

/**
 * The banner over the full width, and how many operations wait while there is no connection. Screen
 * readers read its words when they change, but not the countdown beside them.
 */
export function bannerView(status: ConnectionStatus, depth: number, nowMs: number): TemplateResult {
  const queued = status.state === 'connected' ? '' : queuedText(depth)
  return html`<div class="banner" data-state=${status.state}>
    ${statusIcon(status)}
    <strong role="status" data-test="banner">${statusWords(status)}</strong>
    <span class="banner-detail">${statusDetail(status, nowMs)}</span>
    <span class="banner-queue" data-test="queued">${queued}</span>
  </div>`
}

/** A green bolt with `Synced`, or an orange warning with the reason. */
export function badgeView(status: ConnectionStatus): TemplateResult {
  return html`<span class="badge" data-state=${status.state} data-test="badge">
    ${statusIcon(status)} ${statusWords(status)}
  </span>`
}

function statusIcon(status: ConnectionStatus): TemplateResult {
  return status.state === 'connected' ? bolt : warning
}
