/**
 * What the environment tells a connection. Every signal is a hint: a connection needs none, and
 * none ends a connection by itself.
 */
export type EnvironmentSignal = 'online' | 'offline' | 'visible' | 'hidden' | 'frozen' | 'woke'

/** Where environment signals come from. Replace it for a platform with its own lifecycle. */
export interface EnvironmentSource {
  /** Starts to listen; returns the function that stops listening and leaves no listener or timer. */
  watch(signal: (signal: EnvironmentSignal) => void): () => void
}
