/**
 * An HTTP server that ends when its last answer has. Node's `close` ends the connections that are idle at that moment; one
 * that becomes idle later, or was opened ahead and never used (browsers and undici do so), would keep it from ending until
 * the client has had enough.
 */
import { type RequestListener, Server, type ServerOptions, type ServerResponse } from 'node:http'
import { Server as TcpServer, type Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'

/** For reading an answer, while the rest of an upload is still on its way. */
const LINGER_MS = 2000
/** Node asks the kernel for no more connections that wait to be accepted; a flood of new ones must not keep the port open. */
const LONGEST_LINE = 511

export class EndingServer extends Server {
  readonly #unused = new Set<Socket>()
  readonly #unanswered = new Set<ServerResponse>()
  #isEnding = false
  #taken = 0
  readonly #lingering = new WeakSet<Socket>()

  constructor(options: ServerOptions, listener: RequestListener) {
    super(options, listener)
    this.on('connection', (socket) => {
      this.#taken++
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

  /**
   * Closes the port and leaves the connections: a proxy that has just opened one is about to send its request, which it could not
   * send again. The same holds of what the kernel has accepted and we have not: closing the port would reset it, so we take that
   * first. Node takes one connection a turn of its loop; a turn that brings none found none waiting.
   */
  async stopListening(): Promise<void> {
    await nextTurn() // the rest of this turn, which may have looked already
    for (let turn = 0, taken = -1; turn < LONGEST_LINE && taken !== this.#taken; turn++) {
      taken = this.#taken
      await nextTurn()
    }
    TcpServer.prototype.close.call(this)
    // Not before: whoever is told so connects anew.
    this.announceEnd()
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
