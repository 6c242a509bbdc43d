import { html, nothing, type TemplateResult } from 'lit-html'
import type { KullNotification } from 'statewire/kull'

/** Messages to the user. Screen readers do not read them: a worker causes several per second. */
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
