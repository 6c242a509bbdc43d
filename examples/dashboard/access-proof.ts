import { defineProtocol } from 'statewire'
import { kull } from 'statewire/kull'
import * as z from 'zod'

// How a page sends its access token when it connects. A page in a browser cannot set a header, and
// an URL is written into the logs of every proxy on the way. So the page sends the token in the
// list of subprotocols, as Kubernetes clients do, too. The server selects the first subprotocol of
// the list and does not send the token back.
const offered = 'kull'

const credentials = z.object({
  userId: z.string(),
  deviceId: z.string(),
  accessToken: z.string(),
})

/**
 * The Kull protocol for a signed-in device. It connects as the deployed server requires
 * (`?token=userId:deviceId`, which names the device), and sends its access token as well.
 */
export const signedInKull = defineProtocol({
  ...kull,
  credentials: {
    schema: credentials,
    apply(request, { userId, deviceId, accessToken }) {
      kull.credentials?.apply(request, { userId, deviceId })
      request.protocols.push(offered, accessToken)
    },
  },
})

/** Reads the access token of an upgrade request; `undefined` if it has none. */
export function accessTokenOf(header: string | string[] | undefined): string | undefined {
  const [first, token] = String(header ?? '').split(/\s*,\s*/)
  return first === offered && token !== '' ? token : undefined
}
