import type { IncomingMessage } from 'node:http'
import type { Authenticate } from 'statewire/server'
import { accessTokenOf } from '../../access-proof.js'
import type { SignIns } from './sign-ins.js'
import { bearerOf } from './routes.js'

/** Who is let in, over either way. */
export type Gate = {
  authenticate: Authenticate
  /** Whose balance is asked for; `undefined`: nobody's that we know. */
  identify: (request: IncomingMessage) => Promise<string | undefined>
}

/**
 * Makes the gate. A web page, which browsers announce by its origin, has to show an access token of
 * the user and device that it says it is. What is no page (the worker, the devices of `--once`)
 * connects as it would to the deployed server, which takes `userId:deviceId` at its word.
 */
export function createGate(signIns: SignIns): Gate {
  return {
    async authenticate({ headers }, { byProtocol }) {
      const claimed = byProtocol()
      if (!claimed.ok) return claimed
      // Everyone is an admin here, so that every type of message can be seen.
      const known = { ...claimed, isAdmin: true }
      const accessToken = accessTokenOf(headers['sec-websocket-protocol'])
      if (accessToken === undefined && headers['origin'] === undefined) return known
      const holder = await signIns.holderOf(accessToken ?? '')
      const isOwn = holder?.userId === claimed.userId && holder.deviceId === claimed.deviceId
      // 4401: the client gets a fresh token and comes back, once.
      return isOwn ? known : { ok: false, closeCode: 4401, reason: 'Sign in first' }
    },
    async identify({ url = '/', headers }) {
      const inAddress = new URL(url, 'http://localhost').searchParams.get('token')
      const token = inAddress ?? bearerOf(headers.authorization) ?? ''
      const holder = await signIns.holderOf(token)
      if (holder !== undefined) return holder.userId
      const [userId = ''] = token.split(':', 1)
      // A token of ours that is not good any more is nobody's name.
      const isName =
        headers.origin === undefined && userId !== '' && !/^[\w-]+\.[\w-]+\./.test(token)
      return isName ? userId : undefined
    },
  }
}
