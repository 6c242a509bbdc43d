import type { AnyMessage, InvalidFrame, UnknownMessage } from 'statewire'
import type { kull } from 'statewire/kull'
import { countText } from './text.js'

type KullMessage = AnyMessage<typeof kull.receive>

/** Describes a message in one line. */
export function messageText(message: KullMessage): string {
  switch (message.type) {
    case 'SHOOT_PROGRESS': {
      const { shootId, status, processedCount, totalCount, progress = 0 } = message.data
      const count = countText({ processedCount, totalCount, progress })
      return join(shootId, status, count, message.data.currentImage, message.data.errorMessage)
    }
    case 'CREDIT_UPDATE': {
      const { change, newBalance, reason } = message.data
      return join(`${signed(change)} → ${newBalance}`, reason)
    }
    case 'PROMPT_CHANGE':
      return join(message.data.promptId, message.data.action)
    case 'DEVICE_CONNECTED':
    case 'DEVICE_DISCONNECTED':
      return join(message.data.deviceId, message.data.deviceName, message.data.platform)
    case 'ADMIN_SESSION_UPDATE': {
      const { sessionId, action, messageCount, userEmail } = message.data
      const count = messageCount === undefined ? undefined : `${messageCount} messages`
      return join(sessionId, action.replaceAll('_', ' '), count, userEmail)
    }
    case 'PING':
    case 'PONG':
      return ''
    default:
      return message satisfies never
  }
}

/** Describes a message of a type that the client does not know: its data, shortened. */
export function unknownText({ data }: UnknownMessage): string {
  return clip(data === undefined ? '' : JSON.stringify(data))
}

/** Why a frame is invalid, and how it begins. */
export function invalidText({ detail, raw }: InvalidFrame): string {
  return `${detail}: ${clip(typeof raw === 'string' ? raw : `${raw.byteLength} bytes`)}`
}

/** `+100`, `−20` (with a minus sign, which is as wide as the plus), `0`. */
export function signed(change: number): string {
  if (change === 0) return '0'
  return change > 0 ? `+${change}` : `−${Math.abs(change)}`
}

/** Shortens a text to at most 120 characters. */
export function clip(text: string): string {
  const most = 120
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`
}

function join(...parts: readonly (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined && part !== '').join(' · ')
}
