import { defineProtocol } from 'statewire'
import { kull } from 'statewire/kull'
import * as z from 'zod'

// Where a page shows its access token when it connects. A browser lets it set no header, and an
// address is written into the logs of every proxy on the way, so the token goes where Kubernetes,
// for one, has it too: into the list of subprotocols that the page offers. The server takes the
// first, so that it is not said back.
const offered = 'kull'

const credentials = z.object({
  userId: z.string(),
  deviceId: z.string(),
  accessToken: z.string(),
})

/**
 * The Kull protocol for a device that is signed in: connects as the deployed server wants it
 * (`?token=userId:deviceId`, which says who it is), and shows its access token beside that.
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

/** The access token that an upgrade request shows; `undefined` where it shows none. */
export function accessTokenOf(header: string | string[] | undefined): string | undefined {
  const [first, token] = String(header ?? '').split(/\s*,\s*/)
  return first === offered && token !== '' ? token : undefined
}
