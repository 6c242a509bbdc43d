import { html, nothing, type TemplateResult } from 'lit-html'
import type { CreditUpdate } from 'statewire/kull'
import { signed } from '../log-text.js'

/** The live balance, and the reason of its last change. */
export function creditsView(balance: number, last: CreditUpdate | undefined): TemplateResult {
  return html`<section class="card" aria-labelledby="credits-title">
    <h2 id="credits-title">Credits</h2>
    <p class="figure" data-test="credits">${balance.toLocaleString('en')}</p>
    ${
      last === undefined
        ? nothing
        : html`<p class="quiet clipped">
            <span class="change">${signed(last.change)}</span> ${last.reason}
          </p>`
    }
  </section>`
}
