/**
 * What the surroundings tell a connection. All of them are hints: none is needed to connect, and
 * none ends a connection by itself.
 */
export type EnvironmentSignal = 'online' | 'offline' | 'visible' | 'hidden' | 'frozen' | 'woke'

/** Where environment signals come from. Replace it for a platform with its own lifecycle. */
export interface EnvironmentSource {
  /** Starts to listen; gives the function that stops it and leaves nothing behind. */
  watch(signal: (signal: EnvironmentSignal) => void): () => void
}
