/**
 * An HTTP server that ends when its last answer has. Node's `close` ends the connections that are idle at that moment; one
 * that becomes idle later, or was opened ahead and never used (browsers and undici do so), would keep it from ending until
 * the client has had enough.
 */
import { type RequestListener, Server, type ServerOptions, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** For reading an answer, while the rest of an upload is still on its way. */
const LINGER_MS = 2000

export class EndingServer extends Server {
  readonly #unused = new Set<Socket>()
  readonly #unanswered = new Set<ServerResponse>()
  #isEnding = false
  readonly #lingering = new WeakSet<Socket>()

  constructor(options: ServerOptions, listener: RequestListener) {
    super(options, listener)
    this.on('connection', (socket) => {
      socket.destroySoon = () => {
        this.#lingering.add(socket)
        linger(socket)
      }
      this.#unused.add(socket)
      socket.once('close', () => this.#unused.delete(socket))
    })
    this.prependListener('request', (request, response) => {
      this.#unused.delete(request.socket)
      this.#unanswered.add(response)
      if (this.#isEnding) response.shouldKeepAlive = false
      // It could not be answered any more.
      if (this.#lingering.has(request.socket)) request.socket.destroy()
      response.once('close', () => {
        this.#unanswered.delete(response)
        if (!this.listening) request.socket.end()
      })
    })
  }

  /** From now on every answer says `Connection: close`: who asks again has to connect again, elsewhere if there is one. */
  announceEnd(): void {
    this.#isEnding = true
    for (const response of this.#unanswered) response.shouldKeepAlive = false
  }

  override close(whenClosed?: (error?: Error) => void): this {
    this.announceEnd()
    super.close(whenClosed)
    for (const socket of this.#unused) socket.destroy()
    return this
  }
}

/**
 * Node closes a connection that is not to be kept as soon as the answer is written. What the client has sent beyond what was read
 * then makes the kernel reset it, and the client may lose the answer: nginx, which asks so unless told otherwise, makes a 502 of
 * every refusal that comes before the end of an upload. So we stop writing, and read on until the client has closed (RFC 9112 §9.6).
 */
function linger(socket: Socket): void {
  if (socket.writable) socket.end()
  if (socket.destroyed || socket.readableEnded) return void socket.destroy()
  const tooLate = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.once('end', () => socket.destroy())
  socket.once('close', () => clearTimeout(tooLate))
  socket.resume()
}
