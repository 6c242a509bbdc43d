import type { MessageSchemas, TypeOf } from './schema.js'

/** Who connected, as the server knows them. */
export interface Identity {
  readonly userId: string
  readonly deviceId: string
}

/** A server's answer to an upgrade: who it is, or with which close code it is sent away. */
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

/** What a server of a protocol does by itself, told as data so that a browser bundle stays small. */
export interface ServerBehaviour<R extends MessageSchemas, S extends MessageSchemas> {
  /**
   * Reads who connects. `makeId` gives a fresh random part for made-up device ids, `epochMs` the
   * time of the request.
   */
  readonly authenticate: (
    request: UpgradeRequest,
    makeId: () => string,
    epochMs: number,
  ) => Authentication
  /** The announcements of a device that came and one that went, and their data. */
  readonly presence?: {
    readonly connected: TypeOf<R>
    readonly disconnected: TypeOf<R>
    readonly data: (device: Identity, epochMs: number) => unknown
  }
  /** What a client sends that goes on, under another type, to all of the user's devices. */
  readonly relay?: Readonly<Partial<Record<TypeOf<S>, TypeOf<R>>>>
}
