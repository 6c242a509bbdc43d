import type { NotificationPermission } from 'statewire/kull'
import type { SessionStatus } from 'statewire/session'
import { expect, it } from 'vitest'
import {
  permissionText,
  sessionDetail,
  sessionWords,
  userText,
} from '../../../examples/dashboard/page/text.js'

const ada = { id: 'ada', email: 'ada@example.com', firstName: 'Ada', lastName: 'Lovelace' }

it.each<[SessionStatus, string, string]>([
  [{ state: 'loading' }, 'One moment…', ''],
  [{ state: 'signedOut' }, 'Signed out', ''],
  [
    { state: 'signedOut', reason: 'revoked', message: 'Your session has ended.' },
    'Signed out',
    'Your session has ended.',
  ],
  [
    {
      state: 'linking',
      code: 'ABC234',
      expiresAt: 1,
      verificationUrl: 'http://link.test',
      secondsRemaining: 9,
    },
    'Signing in',
    'Code ABC234',
  ],
  [{ state: 'signedIn', user: ada }, 'Signed in', 'Ada Lovelace'],
])('[DEMO-29] of %o the log says "%s", and "%s"', (status, words, detail) => {
  expect(sessionWords(status)).toBe(words)
  expect(sessionDetail(status)).toBe(detail)
})

it('[DEMO-29] calls a user by what there is of a name, or by the address', () => {
  const { email } = ada
  expect(userText({ email, lastName: 'Lovelace' })).toBe('Lovelace')
  expect(userText({ email })).toBe(email)
  expect(userText({ email, firstName: '' })).toBe(email)
})

it.each<[NotificationPermission, string]>([
  ['granted', 'Notifications on'],
  ['denied', 'Notifications blocked'],
  ['default', ''],
  ['unsupported', ''],
])('[DEMO-31] says of the permission %s: "%s"', (permission, text) => {
  expect(permissionText(permission)).toBe(text)
})
