import { createHash } from 'node:crypto'
import type { DemoUser } from '../../accounts.js'
import type { Decision, Link } from './links.js'

/** The content of the page. */
export type ApprovalView =
  /** The form for a code; `isUnknown`: the code that was entered cannot be confirmed. */
  | { show: 'question'; isUnknown: boolean }
  | { show: 'link'; link: Link }
  | { show: 'done'; decision: Decision; deviceName: string }

const styles = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  --page: light-dark(#f4f5f7, #0f1216); --card: light-dark(#fff, #181c22);
  --line: light-dark(#dfe3e8, #2b313a); --text: light-dark(#1a1f26, #e9edf2);
  --quiet: light-dark(#5b6571, #9aa5b1); --blue: light-dark(#0a58ca, #7db4ff);
  --on-blue: light-dark(#fff, #0f1216); --orange: light-dark(#8f4700, #ffb057); }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem;
  background: var(--page); color: var(--text); }
main { width: min(26rem, 100%); padding: 1.75rem; background: var(--card);
  border: 1px solid var(--line); border-radius: 14px; }
h1 { margin: 0 0 .25rem; font-size: 1.4rem; line-height: 1.2; overflow-wrap: anywhere; }
p { margin: 0 0 1rem; } footer { margin-top: 1.5rem; } .quiet { color: var(--quiet); font-size: .875rem; }
.trouble { color: var(--orange); }
.code { margin: 1rem 0; padding: .6rem; border: 1px dashed var(--line); border-radius: 9px;
  font: 650 2rem/1.2 ui-monospace, Menlo, Consolas, monospace; letter-spacing: .3em;
  text-indent: .3em; text-align: center; }
dl { display: grid; grid-template-columns: auto 1fr; gap: .1rem 1rem; margin: 0 0 1.25rem;
  font-size: .875rem; }
dt { color: var(--quiet); } dd { margin: 0; overflow-wrap: anywhere; }
form { display: flex; gap: .5rem; margin: 0; }
button, input { flex: 1; min-width: 0; padding: .6rem; border: 1px solid var(--line); border-radius: 9px;
  background: var(--page); color: inherit; font: inherit; }
button { cursor: pointer; } button.main { background: var(--blue); border-color: var(--blue);
  color: var(--on-blue); font-weight: 600; }
input { flex: 2; text-transform: uppercase; letter-spacing: .2em; }
:focus-visible { outline: 2px solid var(--blue); outline-offset: 2px; }
`

/**
 * The page's security policy: no scripts, forms only to this server, and no frames, against
 * clickjacking.
 */
export const approvalPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(styles).digest('base64')}'`,
  'img-src data:',
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** The page on which a user confirms a device. It needs no script. */
export function approvalPage(view: ApprovalView, user: DemoUser, environment: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Approve a device · Kull</title>
<link rel="icon" href="data:,">
<style>${styles}</style>
</head>
<body>
<main>
${body(view, user)}
<footer class="quiet">The approval page of ${escape(environment)}. You are
${escape(`${user.firstName} ${user.lastName} (${user.email})`)} here; a server of yours would have you
log in first.</footer>
</main>
</body>
</html>
`
}

function body(view: ApprovalView, user: DemoUser): string {
  switch (view.show) {
    case 'question':
      return `<h1>Approve a device</h1>
<p class="${view.isUnknown ? 'trouble' : 'quiet'}" role="status">${
        view.isUnknown
          ? 'There is no such code, or it has expired, or somebody has decided about it.'
          : 'Which code does it show?'
      }</p>
<form method="get" action="/link">
<input name="code" aria-label="Code" maxlength="6" autocomplete="off" required autofocus>
<button class="main">Next</button>
</form>`
    case 'link':
      return linkBody(view.link, user)
    case 'done':
      return view.decision === 'approve'
        ? `<h1>${escape(view.deviceName)} is signed in</h1><p role="status">You can close this page.</p>`
        : `<h1>${escape(view.deviceName)} is not signed in</h1><p role="status">Its code is of no use any more.</p>`
    default:
      return view satisfies never
  }
}

function linkBody({ code, device }: Link, user: DemoUser): string {
  return `<h1>Sign ${escape(device.deviceName)} in?</h1>
<p class="quiet">Approve only if that device, in front of you, shows this code. It will see and do
what ${escape(user.firstName)} can.</p>
<p class="code" data-test="code">${escape(code)}</p>
<dl>
<dt>Platform</dt><dd>${escape(device.platform)}</dd>
<dt>Version</dt><dd>${escape(device.appVersion)}</dd>
<dt>Device</dt><dd>${escape(device.deviceId)}</dd>
</dl>
<form method="post" action="/link">
<input type="hidden" name="code" value="${escape(code)}">
<button class="main" name="decision" value="approve">Approve</button>
<button name="decision" value="deny">Deny</button>
</form>`
}

/** Escapes what a device says about itself, so that it is only text. */
function escape(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  }
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? '')
}
