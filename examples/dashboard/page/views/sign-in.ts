import { html, nothing, type TemplateResult } from 'lit-html'
import type { SessionStatus } from 'statewire/session'
import { duration, sessionWords } from '../text.js'

/** The actions of the sign-in's buttons. */
export type SignInActions = { signIn: () => void; cancel: () => void }

/** Shown instead of everything that only a signed-in device may see. */
export function signInView(
  status: Exclude<SessionStatus, { state: 'signedIn' }>,
  nowMs: number,
  actions: SignInActions,
): TemplateResult {
  return html`<section
    class="card sign-in"
    aria-labelledby="sign-in-title"
    data-test="sign-in"
    data-state=${status.state}
  >
    ${partOf(status, nowMs, actions)}
  </section>`
}

function partOf(
  status: Exclude<SessionStatus, { state: 'signedIn' }>,
  nowMs: number,
  { signIn, cancel }: SignInActions,
): TemplateResult {
  switch (status.state) {
    case 'loading':
      return html`<h2 id="sign-in-title">${sessionWords(status)}</h2>`
    case 'signedOut':
      return html`
        <h2 id="sign-in-title">Sign this device in</h2>
        <p class="trouble" role="status" data-test="session-message">${status.message ?? nothing}</p>
        <p class="quiet">It gets a code, which you approve on a page of the server's. No password is typed here.</p>
        <button
          type="button"
          class="main-action"
          ?disabled=${nowMs < (status.retryAt ?? 0)}
          @click=${signIn}
        >
          Sign in
        </button>
      `
    case 'linking':
      return html`
        <h2 id="sign-in-title">Approve this code</h2>
        <p class="code">
          <strong data-test="code">${status.code}</strong>
          <span class="quiet" data-test="countdown">
            for another ${duration(status.secondsRemaining)}
          </span>
        </p>
        <p class="trouble" role="status" data-test="session-message">${status.message ?? nothing}</p>
        <div class="row">
          <a class="main-action" href=${status.verificationUrl} target="_blank" rel="noopener">
            Open the approval page
          </a>
          <button type="button" @click=${cancel}>Cancel</button>
        </div>
        <p class="quiet">
          Once it is approved, this page goes on by itself, and stays signed in until you sign out.
        </p>
      `
    default:
      return status satisfies never
  }
}
