import type { IncomingMessage, ServerResponse } from 'node:http'
import * as z from 'zod'
import type { DemoUser } from '../../accounts.js'
import { readText } from '../json.js'
import type { OwnAddress } from '../own-address.js'
import { approvalPage, approvalPolicy, type ApprovalView } from './approval-page.js'
import type { Links } from './links.js'
import type { Route } from './routes.js'

const decisionForm = z.object({ code: z.string(), decision: z.enum(['approve', 'deny']) })

/**
 * Makes the route of the page that confirms codes: `GET /link`, with `?code=…`, shows it, and `POST
 * /link` decides. Another site could make this browser post a form here. Browsers send the origin
 * with every POST, so a form from another origin is refused.
 */
export function createApprovalRoute(options: {
  links: Links
  user: DemoUser
  environment: string
  own: () => OwnAddress
}): Route {
  const { links, user, environment, own } = options

  function look(query: string): ApprovalView {
    const typed = new URLSearchParams(query).get('code')
    if (typed === null) return { show: 'question', isUnknown: false }
    const link = links.pending(typed.trim().toUpperCase())
    return link === undefined ? { show: 'question', isUnknown: true } : { show: 'link', link }
  }

  async function decide(request: IncomingMessage): Promise<ApprovalView> {
    const fields = new URLSearchParams(await readText(request))
    const form = decisionForm.safeParse(Object.fromEntries(fields))
    if (!form.success) return { show: 'question', isUnknown: true }
    const { code, decision } = form.data
    const link = links.pending(code)
    if (link === undefined || !links.decide(code, decision)) {
      return { show: 'question', isUnknown: true }
    }
    return { show: 'done', decision, deviceName: link.device.deviceName }
  }

  async function view(request: IncomingMessage, query: string): Promise<ApprovalView | undefined> {
    const { method, headers } = request
    const { isOwnOrigin, isUnderOwnName } = own()
    if (!isUnderOwnName(request)) return undefined
    if (method !== 'POST') return look(query)
    return isOwnOrigin(headers.origin ?? '') ? decide(request) : undefined
  }

  return async (request: IncomingMessage, response: ServerResponse) => {
    const [path, query = ''] = (request.url ?? '').split('?', 2)
    if (path !== '/link') return false
    const shown = await view(request, query)
    const isUnknown = shown?.show === 'question' && shown.isUnknown
    const page = shown === undefined ? 'Not from here.' : approvalPage(shown, user, environment)
    response
      .writeHead(shown === undefined ? 403 : isUnknown ? 404 : 200, {
        'content-type': `text/${shown === undefined ? 'plain' : 'html'}; charset=utf-8`,
        'content-security-policy': approvalPolicy,
        // With `no-referrer` browsers would not send the origin of the form either.
        'referrer-policy': 'same-origin',
        'x-content-type-options': 'nosniff',
        'cache-control': 'no-store',
      })
      .end(page)
    return true
  }
}
