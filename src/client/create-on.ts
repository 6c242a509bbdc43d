import type { Observable } from 'rxjs'
import type { MessageOf } from '../schemas/message.js'
import type { MessageSchemas, TypeOf } from '../schemas/schema.js'
import { subscribe } from '../streams/streams.js'
import type { SyncClient } from './sync-client.js'

/**
 * Makes a client's `on`. The streams are untyped; the reader puts into each of them the messages
 * of its type alone, validated by its schema.
 */
export function createOn<R extends MessageSchemas>(
  streamOf: (type: string) => Observable<unknown>,
): SyncClient<R, MessageSchemas, object>['on'] {
  function on<K extends TypeOf<R>>(type: K): Observable<MessageOf<R, K>>
  function on<K extends TypeOf<R>>(type: K, handler: (message: MessageOf<R, K>) => void): () => void
  function on<K extends TypeOf<R>>(
    type: K,
    handler?: (message: MessageOf<R, K>) => void,
  ): Observable<MessageOf<R, K>> | (() => void) {
    const messages = streamOf(type) as Observable<MessageOf<R, K>>
    return handler === undefined ? messages : subscribe(messages, handler)
  }
  return on
}
