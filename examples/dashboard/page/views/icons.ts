import { html } from 'lit-html'

/** A bolt: the connection is fine. */
export const bolt = html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
  <path d="M13.5 2 4.6 13.2a.7.7 0 0 0 .6 1.1h5.6L9.6 22l9.4-12.3a.7.7 0 0 0-.6-1.1h-5.9z" />
</svg>`

/** A warning triangle: there is no connection. */
export const warning = html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
  <path
    d="M10.7 3.8 2.3 18.4A1.5 1.5 0 0 0 3.6 20.6h16.8a1.5 1.5 0 0 0 1.3-2.2L13.3 3.8a1.5 1.5 0 0 0-2.6 0ZM12 8.2c.6 0 1 .5 1 1.1l-.3 4.6a.7.7 0 0 1-1.4 0L11 9.3c0-.6.4-1.1 1-1.1Zm0 8.9a1.1 1.1 0 1 1 0-2.2 1.1 1.1 0 0 1 0 2.2Z"
    fill-rule="evenodd"
  />
</svg>`
