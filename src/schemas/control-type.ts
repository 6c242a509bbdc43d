// Apart from the frames' schemas, which clients without delivery do not load.
/** Tells a type of control frame from a type of message. */
export function isControlType(type: string): boolean {
  return type.startsWith('$')
}
