/** One connection of one client: what it writes and how, when it leaves, and what came back. It does not judge. */
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Manner {
  /** What is written, one piece after another. */
  readonly pieces: readonly Buffer[]
  /** Between two of them. */
  readonly pauseMs?: number
  /** Leaves when so many pieces have been written. */
  readonly leavesAfterPieces?: number
  /** Leaves so long after the last piece, whatever has come. */
  readonly leavesAfterMs?: number
  /** Leaves when so many bytes have come. */
  readonly leavesAfterBytes?: number
  /** Reads a little, and then nothing for so long. */
  readonly readPauseMs?: number
  readonly deadlineMs: number
}

/** `closed`: by the other side. `left`: by us, as we meant to. `refused`: nobody listens. `overdue`: nobody ended it in time. */
type Ending = 'closed' | 'left' | 'refused' | 'overdue'

export interface Heard {
  readonly bytes: Buffer
  readonly ending: Ending
}

export async function converse(port: number, manner: Manner): Promise<Heard> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const chunks: Buffer[] = []
  const { promise, resolve } = Promise.withResolvers<Ending>()
  let errorCode: string | undefined
  socket.on('error', (error: NodeJS.ErrnoException) => (errorCode = error.code))
  socket.once('close', () => resolve(errorCode === 'ECONNREFUSED' ? 'refused' : 'closed'))
  const leave = (why: Ending) => {
    resolve(why)
    socket.resetAndDestroy()
  }
  const deadline = setTimeout(() => leave('overdue'), manner.deadlineMs)
  listen(socket, manner, chunks, () => leave('left'))
  void speak(socket, manner, () => leave('left')) // never rejects
  const ending = await promise
  clearTimeout(deadline)
  return { bytes: Buffer.concat(chunks), ending }
}

function listen(socket: Socket, manner: Manner, chunks: Buffer[], leave: () => void): void {
  const { leavesAfterBytes = Number.POSITIVE_INFINITY, readPauseMs } = manner
  let count = 0
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    count += chunk.length
    if (count >= leavesAfterBytes) leave()
    if (readPauseMs === undefined) return
    socket.pause()
    setTimeout(() => socket.resume(), readPauseMs)
  })
}

/** An answer may come before everything is said; then the rest of it is said all the same, until the other side closes. */
async function speak(socket: Socket, manner: Manner, leave: () => void): Promise<void> {
  const { pieces, pauseMs, leavesAfterPieces, leavesAfterMs } = manner
  for (const [index, piece] of pieces.entries()) {
    if (index === leavesAfterPieces) return leave()
    if (!(await written(socket, piece))) return
    if (pauseMs !== undefined) await sleep(pauseMs)
  }
  if (leavesAfterPieces === pieces.length) return leave()
  if (leavesAfterMs === undefined) return
  const timer = setTimeout(leave, leavesAfterMs)
  socket.once('close', () => clearTimeout(timer))
}

/** Whether it could be. What is still to be written when the socket closes is told of as well. */
async function written(socket: Socket, piece: Buffer): Promise<boolean> {
  if (socket.destroyed) return false
  return new Promise((resolve) => {
    socket.write(piece, (error) => resolve(error === undefined || error === null))
  })
}
