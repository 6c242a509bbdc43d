import { html, nothing, type TemplateResult } from 'lit-html'
import { repeat } from 'lit-html/directives/repeat.js'
import type { Shoot } from 'statewire/kull'
import { countText, etaText } from '../text.js'

/** The shoots in progress, one bar each. */
export function shootsView(shoots: Iterable<Shoot>, overall: number): TemplateResult {
  const all = [...shoots]
  return html`<section class="card" aria-labelledby="shoots-title">
    <header>
      <h2 id="shoots-title">Active Shoots</h2>
      <span class="quiet" data-test="overall">
        ${overall > 0 ? `${Math.round(overall * 100)}% overall` : nothing}
      </span>
    </header>
    ${
      all.length === 0
        ? html`<p class="quiet">Nothing is being processed.</p>`
        : html`<ul class="shoots">
            ${repeat(all, ({ shootId }) => shootId, shootView)}
          </ul>`
    }
  </section>`
}

function shootView(shoot: Shoot): TemplateResult {
  const { shootId, status, progress, currentImage, errorMessage } = shoot
  const note = status === 'failed' ? errorMessage : currentImage
  return html`<li data-status=${status} data-test="shoot" data-shoot=${shootId}>
    <div class="row">
      <span class="name clipped">${shootId}</span>
      <span class="tag" data-status=${status}>${status}</span>
    </div>
    <progress max="1" .value=${progress} aria-label=${`Progress of ${shootId}`}></progress>
    <div class="row quiet">
      <span data-test="count">${countText(shoot)}</span>
      <span class="clipped">${note ?? nothing}</span>
      <span data-test="eta">${status === 'processing' ? etaText(shoot.eta) : nothing}</span>
    </div>
  </li>`
}
