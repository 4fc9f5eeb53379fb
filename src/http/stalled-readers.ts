/**
 * Clients that ask and then do not read. What is under way for them (a turn at the engine, files, memory) would be theirs for
 * as long as they like; it decides after how long they are cut off. It does not know what they asked for.
 */
import type { Server, ServerResponse } from 'node:http'

/** As long as we wait for the next bytes of an upload. */
export const STALL_MS = 60_000

/**
 * Node's timer of a socket is the right clock: a write that moves on, however slowly, starts it again. What it does not know is
 * whether anything was there to be read: work may go on in silence for hours, and nobody is to blame for that.
 */
export function cutOffStalledReaders(server: Server, stallMs: number): void {
  server.prependListener('request', ({ socket }, response: ServerResponse) => {
    // Node sets the time of an idle connection itself when the answer has ended, and resets ours with the next request.
    socket.setTimeout(stallMs)
    // That somebody listens keeps Node from ending the connection; this is also told while a request still comes.
    response.on('timeout', () => {
      if (socket.writableLength > 0) socket.resetAndDestroy()
    })
  })
}
