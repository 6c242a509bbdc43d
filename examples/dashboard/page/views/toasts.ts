import { html, nothing, type TemplateResult } from 'lit-html'
import type { KullNotification } from 'statewire/kull'

/** What the user is told of. A worker causes several a second, too many to be read out as they come. */
export function toastsView(
  toasts: readonly KullNotification[],
  dismiss: (kind: KullNotification['kind']) => void,
): TemplateResult {
  return html`<div class="toasts">
    ${toasts.map(
      ({ kind, title, subtitle, body }) => html`<div class="toast" data-test="toast">
        <div>
          <strong>${title}</strong>
          ${subtitle === undefined ? nothing : html`<p class="quiet clipped">${subtitle}</p>`}
          <p>${body}</p>
        </div>
        <button
          type="button"
          class="small"
          aria-label="Dismiss"
          @click=${() => {
            dismiss(kind)
          }}
        >
          ×
        </button>
      </div>`,
    )}
  </div>`
}
