/**
 * What the function of a callback actor is given. XState types the events that the actor hears, but
 * not those that it sends back to its parent; this type does.
 */
export interface CallbackScope<Input, Sent, Heard = NoEvent> {
  readonly input: Input
  /** Sends an event to the parent; nothing once the actor has stopped. */
  readonly sendBack: (event: Sent) => void
  /** Sets the listener of the actor's events. */
  readonly receive: (listener: (event: Heard) => void) => void
}

/** The event of an actor that is sent none. */
export interface NoEvent {
  readonly type: never
}
