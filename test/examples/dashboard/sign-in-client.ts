/** How the devices of these tests describe themselves. */
export const mac = {
  deviceId: 'MAC',
  deviceName: 'studio-mac',
  platform: 'web',
  appVersion: '1.0.0',
}

/** What a sign-in gives. */
export type TestTokens = { accessToken: string; refreshToken: string; expiresIn: number }

/** What is answered to a request for a code, and to one for a token. */
type TestAnswer = { code: string; verificationUrl: string; accessToken: string }

/** Speaks to an environment's sign-in by hand, as a device and as the one who approves. */
export function createSignInClient(httpUrl: string) {
  async function post(path: string, body: unknown) {
    const response = await fetch(`${httpUrl}/api/device-auth${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
    })
    return {
      status: response.status,
      retryAfter: response.headers.get('retry-after'),
      body: (await response.json()) as TestAnswer,
    }
  }

  const request = (device: typeof mac = mac) => post('/request', device)

  async function status(code: string) {
    const response = await fetch(`${httpUrl}/api/device-auth/status/${code}`)
    return {
      status: response.status,
      body: (await response.json()) as { status: string; tokens?: TestTokens },
    }
  }

  const decide = (code: string, decision: string, headers: Record<string, string> = {}) =>
    fetch(`${httpUrl}/link`, {
      method: 'POST',
      body: new URLSearchParams({ code, decision }),
      headers: { origin: httpUrl, ...headers },
    })

  const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })

  return {
    request,
    status,
    decide,
    renew: (refreshToken: string, deviceId = 'MAC') => post('/refresh', { refreshToken, deviceId }),
    async revoke(accessToken: string) {
      const init = { method: 'POST', ...bearer(accessToken) }
      return (await fetch(`${httpUrl}/api/device-auth/revoke`, init)).status
    },
    /** The status that a question for the balance is answered with. */
    balance: async (token: string) =>
      (await fetch(`${httpUrl}/api/kull/credits/summary`, bearer(token))).status,
    /** The whole way, from a code to its tokens. */
    async signIn(deviceId = 'MAC'): Promise<TestTokens> {
      const { code } = (await request({ ...mac, deviceId })).body
      await decide(code, 'approve')
      const { tokens } = (await status(code)).body
      if (tokens === undefined) throw new Error('It was not approved')
      return tokens
    },
  }
}
