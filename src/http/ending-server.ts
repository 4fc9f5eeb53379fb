/**
 * An HTTP server that ends when its last answer has. Node's `close` ends the connections that are idle at that moment; one
 * that becomes idle later, or was opened ahead and never used (browsers and undici do so), would keep it from ending until
 * the client has had enough.
 */
import { type RequestListener, Server, type ServerOptions, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

export class EndingServer extends Server {
  readonly #unused = new Set<Socket>()
  readonly #unanswered = new Set<ServerResponse>()
  #isEnding = false

  constructor(options: ServerOptions, listener: RequestListener) {
    super(options, listener)
    this.on('connection', (socket) => {
      this.#unused.add(socket)
      socket.once('close', () => this.#unused.delete(socket))
    })
    this.prependListener('request', (request, response) => {
      this.#unused.delete(request.socket)
      this.#unanswered.add(response)
      if (this.#isEnding) response.shouldKeepAlive = false
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
