import type { Grant, Tokens } from './tokens.js'

/** The result of a sign-in, in the form that the API sends. */
export type IssuedTokens = { accessToken: string; refreshToken: string; expiresIn: number }

/**
 * Which devices are signed in, and as which user. It is the demo's database, and survives a
 * server's restart.
 */
export type SignIns = {
  /** Signs a device in. */
  begin(userId: string, deviceId: string): Promise<IssuedTokens>
  /** Makes a new access token; `undefined` if the refresh token is revoked, or another device's. */
  renew(
    refreshToken: string,
    deviceId: string,
  ): Promise<Pick<IssuedTokens, 'accessToken' | 'expiresIn'> | undefined>
  /** The owner of an access token; `undefined` if the token is not valid. */
  holderOf(accessToken: string): Promise<Grant | undefined>
  /** Ends the sign-in of an access token. Returns false if there is none. */
  revoke(accessToken: string): Promise<boolean>
  /** Ends a device's sign-ins. Returns how many there were. */
  revokeDevice(userId: string, deviceId: string): number
  /** Makes a device's access tokens invalid before they expire. Its refresh tokens stay valid. */
  expireDevice(userId: string, deviceId: string): number
}

const refreshLifeMs = 30 * 24 * 3_600_000

/** Makes an empty {@link SignIns}. */
export function createSignIns(options: {
  tokens: Tokens
  makeId: () => string
  /** How long access tokens are valid, in ms. */
  accessLifeMs: number
  /** Called when a device's tokens become invalid, so that its sockets can be closed. */
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
      // A device that slept for long signs out with an expired token. That must work too.
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
