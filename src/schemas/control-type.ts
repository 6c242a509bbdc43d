// In a file of its own: clients without delivery do not load the schemas of control frames.
/** Whether a frame's type is that of a control frame, not of a message. */
export function isControlType(type: string): boolean {
  return type.startsWith('$')
}
