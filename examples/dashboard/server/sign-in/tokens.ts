import { jwtVerify, SignJWT } from 'jose'
import * as z from 'zod'

/** What a token is good for; the one is never taken for the other. */
export type TokenUse = 'access' | 'refresh'

/** Whose token it is, and of which sign-in. */
export type Grant = {
  userId: string
  deviceId: string
  signInId: string
  /** Counts up each time that the sign-in's access tokens are declared over. */
  round: number
}

/** Makes and reads JWTs. No token, and no reason why one is not good, is ever in an error. */
export type Tokens = {
  issue(use: TokenUse, grant: Grant, lifeMs: number): Promise<string>
  /** Whom a token was made for; `undefined` where it is not one of ours, or is over. */
  read(use: TokenUse, token: string, options?: { evenIfOver: boolean }): Promise<Grant | undefined>
}

const algorithm = 'HS256'
const claims = z.object({ sub: z.string(), device: z.string(), sid: z.string(), round: z.int() })

/** Makes {@link Tokens} of an issuer, signed with a key of 32 bytes that nobody else has. */
export function createTokens(options: {
  issuer: string
  key: Uint8Array
  /** Milliseconds since the epoch. */
  now: () => number
}): Tokens {
  const { issuer, key, now } = options
  return {
    issue: (use, { userId, deviceId, signInId, round }, lifeMs) =>
      new SignJWT({ device: deviceId, sid: signInId, round })
        .setProtectedHeader({ alg: algorithm, typ: 'JWT' })
        .setIssuer(issuer)
        .setAudience(use)
        .setSubject(userId)
        .setIssuedAt(new Date(now()))
        .setExpirationTime(new Date(now() + lifeMs))
        .sign(key),
    async read(use, token, { evenIfOver } = { evenIfOver: false }) {
      try {
        const { payload } = await jwtVerify(token, key, {
          // Named, so that no token chooses how it is checked.
          algorithms: [algorithm],
          issuer,
          audience: use,
          requiredClaims: ['exp'],
          currentDate: new Date(now()),
          ...(evenIfOver && { clockTolerance: Number.MAX_SAFE_INTEGER }),
        })
        const { sub, device, sid, round } = claims.parse(payload)
        return { userId: sub, deviceId: device, signInId: sid, round }
      } catch {
        return undefined
      }
    },
  }
}
