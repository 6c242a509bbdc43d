import type { ApiResult, SessionApi } from 'statewire/session'

/** Wraps an API so that each of its calls is logged. Tokens are never logged. */
export function createTellingApi(
  api: SessionApi,
  tell: (title: string, text: string) => void,
): SessionApi {
  return {
    requestLink: (...call) => api.requestLink(...call),
    checkLink: (...call) => api.checkLink(...call),
    async renew(...call) {
      const result = await api.renew(...call)
      tell(
        result.ok ? 'Token renewed' : 'Token not renewed',
        result.ok ? `Good for ${result.value.expiresIn} s` : result.failure.message,
      )
      return result
    },
    async revoke(...call): Promise<ApiResult<undefined>> {
      const result = await api.revoke(...call)
      tell('Told the server', result.ok ? 'The sign-in is revoked' : result.failure.message)
      return result
    },
  }
}
