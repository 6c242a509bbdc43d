import type { IncomingMessage } from 'node:http'
import type { Authenticate } from 'statewire/server'
import { accessTokenOf } from '../../access-proof.js'
import type { SignIns } from './sign-ins.js'
import { bearerOf } from './routes.js'

/** Decides who may connect and who may call the API. */
export type Gate = {
  authenticate: Authenticate
  /** The user whose balance is asked for; `undefined`: an unknown user. */
  identify: (request: IncomingMessage) => Promise<string | undefined>
}

/**
 * Makes the gate. Browsers send the origin of a web page: a page must send an access token of its
 * user and device. Other clients (the worker, the devices of `--once`) connect as to the deployed
 * server, which trusts `userId:deviceId`.
 */
export function createGate(signIns: SignIns): Gate {
  return {
    async authenticate({ headers }, { byProtocol }) {
      const claimed = byProtocol()
      if (!claimed.ok) return claimed
      // Every user is an admin in the demo, so that the page can show every type of message.
      const known = { ...claimed, isAdmin: true }
      const accessToken = accessTokenOf(headers['sec-websocket-protocol'])
      if (accessToken === undefined && headers['origin'] === undefined) return known
      const holder = await signIns.holderOf(accessToken ?? '')
      const isOwn = holder?.userId === claimed.userId && holder.deviceId === claimed.deviceId
      // After 4401 the client fetches a new token and reconnects once.
      return isOwn ? known : { ok: false, closeCode: 4401, reason: 'Sign in first' }
    },
    async identify({ url = '/', headers }) {
      const inAddress = new URL(url, 'http://localhost').searchParams.get('token')
      const token = inAddress ?? bearerOf(headers.authorization) ?? ''
      const holder = await signIns.holderOf(token)
      if (holder !== undefined) return holder.userId
      const [userId = ''] = token.split(':', 1)
      // An invalid token of the demo must not be read as a user's name.
      const isName =
        headers.origin === undefined && userId !== '' && !/^[\w-]+\.[\w-]+\./.test(token)
      return isName ? userId : undefined
    },
  }
}
