import type { MessageSchemas, TypeOf } from './schema.js'

/** Who connected, as the server knows them. */
export interface Identity {
  readonly userId: string
  readonly deviceId: string
}

/** Whether a server accepts an upgrade: who connects, or the close code of the refusal. */
export type Authentication =
  | ({ readonly ok: true } & Identity & { readonly isAdmin?: boolean })
  | { readonly ok: false; readonly closeCode: number; readonly reason: string }

/** What is known of an upgrade request. */
export interface UpgradeRequest {
  /** The request's path and query, resolved against its host. */
  readonly url: URL
  /** Header names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** What a server of a protocol does by itself. As data, so that a browser's bundle stays small. */
export interface ServerBehaviour<R extends MessageSchemas, S extends MessageSchemas> {
  /**
   * Decides who connects. `makeId` returns a random part for a device id that the server makes up;
   * `epochMs` is the time of the request.
   */
  readonly authenticate: (
    request: UpgradeRequest,
    makeId: () => string,
    epochMs: number,
  ) => Authentication
  /** The types by which a server announces that a device connected or disconnected, and their data. */
  readonly presence?: {
    readonly connected: TypeOf<R>
    readonly disconnected: TypeOf<R>
    readonly data: (device: Identity, epochMs: number) => unknown
  }
  /** Types of clients' messages that the server relays to all devices of the user, and under which type. */
  readonly relay?: Readonly<Partial<Record<TypeOf<S>, TypeOf<R>>>>
}
