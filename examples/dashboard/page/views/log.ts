import { html, type TemplateResult } from 'lit-html'
import { repeat } from 'lit-html/directives/repeat.js'
import type { LogLine, MessageLog } from '../message-log.js'

/** The latest messages of every kind. Screen readers do not read them: there are too many. */
export function logView(log: MessageLog, onClear: () => void): TemplateResult {
  return html`<section class="card log-card" aria-labelledby="log-title">
    <header>
      <h2 id="log-title">Messages</h2>
      <span class="quiet">${log.total.toLocaleString('en')} so far</span>
      <button type="button" class="small" @click=${onClear}>Clear</button>
    </header>
    <ol class="log" tabindex="0" aria-labelledby="log-title">
      ${repeat(log.lines, ({ id }) => id, lineView)}
    </ol>
  </section>`
}

function lineView({ at, kind, title, text }: LogLine): TemplateResult {
  return html`<li data-kind=${kind} data-test="line">
    <time datetime=${new Date(at).toISOString()}>${timeOfDay(at)}</time>
    <span class="title">${title}</span>
    <span class="text">${text}</span>
  </li>`
}

function timeOfDay(at: number): string {
  const date = new Date(at)
  const parts = [date.getHours(), date.getMinutes(), date.getSeconds()]
  return parts.map((part) => String(part).padStart(2, '0')).join(':')
}
