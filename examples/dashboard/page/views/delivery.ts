import { html, nothing, type TemplateResult } from 'lit-html'
import { repeat } from 'lit-html/directives/repeat.js'
import type { DeliveryCounts, OutboxState, WaitingMessage } from 'statewire'
import {
  aboutText,
  durableText,
  deliveryStateText,
  outcomeText,
  ownerText,
  waitingOfOthers,
} from '../delivery-text.js'
import type { SentReport } from '../sent-reports.js'

/** What the delivery panel shows. */
export type DeliveryModel = {
  outbox: OutboxState
  counts: DeliveryCounts
  /** Every queued message, in the order in which the client will send them. */
  waiting: readonly WaitingMessage[]
  /** The messages that this page sent, newest first. */
  sent: readonly SentReport[]
}

/** The actions of the panel's buttons. */
export type DeliveryActions = {
  reportShoot: () => void
  reportProgress: () => void
  reportNameless: () => void
  takeBack: (report: SentReport) => void
  /** Removes the queued messages that another tab sent, or this one before a reload. */
  removeWaiting: (id: string) => void
}

/** The queue, the state of delivery, and the receipts of what this page sent. */
export function deliveryView(model: DeliveryModel, actions: DeliveryActions): TemplateResult {
  const { outbox, counts, sent } = model
  const others = waitingOfOthers(model.waiting, sent)
  return html`<section class="card" aria-labelledby="delivery-title">
    <header>
      <h2 id="delivery-title">Delivery</h2>
      <span class="quiet">
        <span data-test="owner">${ownerText(outbox)}</span> ·
        <span data-test="durable">${durableText(outbox)}</span>
      </span>
      <span class="tag" data-line=${outbox.delivery} data-test="line">${deliveryStateText(outbox.delivery)}</span>
    </header>
    <div class="queue">
      <p>
        <span class="figure" data-test="depth">${outbox.depth.toLocaleString('en')}</span>
        <span class="quiet">queued</span>
      </p>
      <dl class="counts">
        ${countView('In flight', outbox.inFlight, 'Queued messages that were transmitted and not yet acknowledged')}
        ${countView('Resumes', counts.resumed, 'Reconnects after which the server sent only what was missed')}
        ${countView('Resets', counts.reset, 'Reconnects after which the server sent a snapshot of the state')}
        ${countView('Duplicates dropped', counts.duplicates, 'Messages that were received before')}
      </dl>
    </div>
    <div class="buttons">
      <button
        type="button"
        title="Sends the progress of an invented shoot, or queues it"
        @click=${actions.reportShoot}
      >
        Report a shoot
      </button>
      <button
        type="button"
        title="Replaces the queued report of the same shoot"
        @click=${actions.reportProgress}
      >
        Report its progress
      </button>
      <button
        type="button"
        title="Sends a shoot without a name, which the server refuses"
        @click=${actions.reportNameless}
      >
        Report no name
      </button>
    </div>
    ${
      sent.length + others.length === 0
        ? html`<p class="quiet">Nothing was sent from here yet.</p>`
        : html`<ul class="receipts" tabindex="0" aria-label="What was sent">
            ${repeat(
              sent,
              ({ id }) => id,
              (report) => receiptView(report, actions),
            )}
            ${repeat(
              others,
              ({ id }) => id,
              (message) => otherView(message, actions),
            )}
          </ul>`
    }
  </section>`
}

function countView(name: string, count: number, explanation: string): TemplateResult {
  return html`<div title=${explanation}>
    <dt class="quiet">${name}</dt>
    <dd data-count=${name}>${count.toLocaleString('en')}</dd>
  </div>`
}

function receiptView(report: SentReport, actions: DeliveryActions): TemplateResult {
  const { progress, receipt, isDurable } = report
  const { outcome, type } = receipt
  return rowView({
    about: aboutText({ type, payload: progress }),
    state: outcome?.outcome ?? 'waiting',
    words: outcomeText(outcome, isDurable),
    takeBack:
      outcome === undefined
        ? () => {
            actions.takeBack(report)
          }
        : undefined,
  })
}

function otherView(message: WaitingMessage, actions: DeliveryActions): TemplateResult {
  return rowView({
    about: aboutText(message),
    state: 'waiting',
    words: 'waiting, not from this page',
    takeBack() {
      actions.removeWaiting(message.id)
    },
  })
}

function rowView(row: {
  about: { readonly name: string; readonly count: string }
  state: string
  words: string
  takeBack: (() => void) | undefined
}): TemplateResult {
  return html`<li class="row" data-test="receipt" data-shoot=${row.about.name}>
    <span class="name clipped" title=${row.about.name}>${row.about.name.split('/').at(-1)}</span>
    <span class="quiet">${row.about.count}</span>
    <span class="tag" data-receipt=${row.state} data-test="outcome">${row.words}</span>
    ${
      row.takeBack === undefined
        ? nothing
        : html`<button type="button" class="small" @click=${row.takeBack}>Take back</button>`
    }
  </li>`
}
