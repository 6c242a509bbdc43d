import { jwtVerify, SignJWT } from 'jose'
import * as z from 'zod'

/** The use of a token. A token of one use is not valid for the other. */
export type TokenUse = 'access' | 'refresh'

/** The owner of a token, and the sign-in that it belongs to. */
export type Grant = {
  userId: string
  deviceId: string
  signInId: string
  /** Increases each time that the sign-in's access tokens are made invalid. */
  round: number
}

/** Makes and reads JWTs. No error contains a token, or the reason why one is invalid. */
export type Tokens = {
  issue(use: TokenUse, grant: Grant, lifeMs: number): Promise<string>
  /** The owner of a token; `undefined` if the token is foreign or expired. */
  read(use: TokenUse, token: string, options?: { evenIfOver: boolean }): Promise<Grant | undefined>
}

const algorithm = 'HS256'
const claims = z.object({ sub: z.string(), device: z.string(), sid: z.string(), round: z.int() })

/** Makes {@link Tokens} of an issuer, signed with a secret key of 32 bytes. */
export function createTokens(options: {
  issuer: string
  key: Uint8Array
  /** Milliseconds since 1970. */
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
          // The algorithm is fixed, so that a token cannot choose how it is verified.
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
