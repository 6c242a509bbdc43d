import type { Grant, Tokens } from './tokens.js'

/** What a sign-in gives, in the words of the wire. */
export type IssuedTokens = { accessToken: string; refreshToken: string; expiresIn: number }

/** Which devices are signed in, and as whom. It is the demo's database: it outlives its server. */
export type SignIns = {
  /** Signs a device in. */
  begin(userId: string, deviceId: string): Promise<IssuedTokens>
  /** A fresh access token; `undefined` where the refresh token is not this device's, or revoked. */
  renew(
    refreshToken: string,
    deviceId: string,
  ): Promise<Pick<IssuedTokens, 'accessToken' | 'expiresIn'> | undefined>
  /** Who shows an access token; `undefined` where it is not good, or not any more. */
  holderOf(accessToken: string): Promise<Grant | undefined>
  /** Ends the sign-in of an access token; false where there is none. */
  revoke(accessToken: string): Promise<boolean>
  /** Ends a device's sign-ins. Gives how many there were, as the next one does. */
  revokeDevice(userId: string, deviceId: string): number
  /** Declares a device's access tokens over before their time; its refresh tokens stay good. */
  expireDevice(userId: string, deviceId: string): number
}

const refreshLifeMs = 30 * 24 * 3_600_000

/** Makes {@link SignIns} without any. */
export function createSignIns(options: {
  tokens: Tokens
  makeId: () => string
  /** How long access tokens last, in milliseconds. */
  accessLifeMs: number
  /** Told when a device's tokens are not good any more, so that its sockets can be closed. */
  onRefused: (device: { userId: string; deviceId: string }) => void
}): SignIns {
  const { tokens, makeId, accessLifeMs, onRefused } = options
  const active = new Map<string, Grant>()

  async function issueAccess(grant: Grant) {
    const accessToken = await tokens.issue('access', grant, accessLifeMs)
    return { accessToken, expiresIn: Math.floor(accessLifeMs / 1_000) }
  }

  function ofDevice(userId: string, deviceId: string): Grant[] {
    return [...active.values()].filter(
      (grant) => grant.userId === userId && grant.deviceId === deviceId,
    )
  }

  return {
    async begin(userId, deviceId) {
      const grant = { userId, deviceId, signInId: makeId(), round: 0 }
      active.set(grant.signInId, grant)
      const refreshToken = await tokens.issue('refresh', grant, refreshLifeMs)
      return { ...(await issueAccess(grant)), refreshToken }
    },
    async renew(refreshToken, deviceId) {
      const shown = await tokens.read('refresh', refreshToken)
      const grant = active.get(shown?.signInId ?? '')
      return grant?.deviceId === deviceId ? issueAccess(grant) : undefined
    },
    async holderOf(accessToken) {
      const shown = await tokens.read('access', accessToken)
      const grant = active.get(shown?.signInId ?? '')
      return grant?.round === shown?.round ? grant : undefined
    },
    async revoke(accessToken) {
      // A device that was asleep for long signs out with a token that is over, and means it.
      const shown = await tokens.read('access', accessToken, { evenIfOver: true })
      const grant = active.get(shown?.signInId ?? '')
      if (grant === undefined) return false
      active.delete(grant.signInId)
      onRefused(grant)
      return true
    },
    revokeDevice(userId, deviceId) {
      const grants = ofDevice(userId, deviceId)
      for (const { signInId } of grants) active.delete(signInId)
      onRefused({ userId, deviceId })
      return grants.length
    },
    expireDevice(userId, deviceId) {
      const grants = ofDevice(userId, deviceId)
      for (const grant of grants) active.set(grant.signInId, { ...grant, round: grant.round + 1 })
      onRefused({ userId, deviceId })
      return grants.length
    },
  }
}
