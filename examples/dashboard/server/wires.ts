import type { Duplex } from 'node:stream'

/**
 * The TCP sockets under the WebSockets of a server, by device. Neither the server nor the client
 * learns what is done to them: networks fail both ends in the same way.
 *
 * Each call returns how many sockets it reached.
 */
export type Wires = {
  add(device: string, socket: Duplex): void
  /** Ends the sockets without a closing handshake: the client sees 1006. */
  cut(device: string): number
  /**
   * Stops reading from the sockets and writing to them, and leaves them open. To the client it
   * looks like a NAT that forgot the connection, or a server that hangs. It lasts until the socket
   * is closed.
   */
  silence(device: string): number
  /** Writes a text frame of any content directly to the sockets. */
  write(device: string, text: string): number
}

/** Makes an empty {@link Wires}. */
export function createWires(): Wires {
  const socketsOf = new Map<string, Set<Duplex>>()

  function toEach(device: string, act: (socket: Duplex) => void): number {
    const sockets = [...(socketsOf.get(device) ?? [])]
    for (const socket of sockets) act(socket)
    return sockets.length
  }

  return {
    add(device, socket) {
      const sockets = socketsOf.get(device) ?? new Set()
      socketsOf.set(device, sockets.add(socket))
      socket.once('close', () => {
        sockets.delete(socket)
        if (sockets.size === 0 && socketsOf.get(device) === sockets) socketsOf.delete(device)
      })
    },
    cut: (device) => toEach(device, (socket) => socket.destroy()),
    silence: (device) =>
      toEach(device, (socket) => {
        socket.pause()
        // The server corks and uncorks in pairs. This cork has no uncork, so nothing more is
        // written.
        socket.cork()
      }),
    write: (device, text) => toEach(device, (socket) => socket.write(textFrame(text))),
  }
}

/** An unfragmented, unmasked text frame (RFC 6455, 5.2) of up to 65,535 bytes. */
function textFrame(text: string): Buffer {
  const payload = Buffer.from(text)
  const { length } = payload
  if (length > 0xffff) throw new RangeError(`${length} bytes are more than this demo has to say`)
  const header = length < 126 ? [0x81, length] : [0x81, 126, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from(header), payload])
}
