import type { Duplex } from 'node:stream'

/**
 * The TCP sockets under the WebSockets of a server, by whatever names a device. What is done to them
 * neither the server nor the client is told of, which is how networks hurt both.
 *
 * Each call gives the number of sockets it reached.
 */
export type Wires = {
  add(device: string, socket: Duplex): void
  /** Ends the sockets without a closing handshake: the client sees 1006. */
  cut(device: string): number
  /**
   * From now on nothing is read from the sockets and nothing written to them, and they stay open: what
   * a client sees of a NAT that forgot it, or of a server that hangs. Lasts as long as the socket.
   */
  silence(device: string): number
  /** Writes one text frame of any content, past the server. */
  write(device: string, text: string): number
}

/** Makes a {@link Wires} without any. */
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
        // The server corks and uncorks in pairs; this one nobody takes back.
        socket.cork()
      }),
    write: (device, text) => toEach(device, (socket) => socket.write(textFrame(text))),
  }
}

/** A whole, unmasked text frame (RFC 6455, 5.2), of up to 65,535 bytes. */
function textFrame(text: string): Buffer {
  const payload = Buffer.from(text)
  const { length } = payload
  if (length > 0xffff) throw new RangeError(`${length} bytes are more than this demo has to say`)
  const header = length < 126 ? [0x81, length] : [0x81, 126, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from(header), payload])
}
