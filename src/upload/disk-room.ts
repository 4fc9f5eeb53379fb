/**
 * Whether a body fits on the disk, asked before it is read and again while it comes. It decides who is refused for want of
 * room; what is written and when it is deleted is not its business.
 */
import { statfs } from 'node:fs/promises'
import { Failure } from '../failure.ts'

const MIB = 1024 ** 2
/** A body that does not say how long it is asks for so much at a time. */
const STEP_BYTES = 64 * MIB

export interface DiskRoomParts {
  /** Bytes of this stay free: for decoded audio, and for everybody else who writes here. */
  readonly reserveBytes: number
  readonly freeBytes: () => Promise<number>
}

/** What one body may still write. Disposing gives back what it has not. */
export interface Claim extends Disposable {
  /** Before so many bytes are written. @throws Failure insufficient_storage */
  take(bytes: number): Promise<void>
}

export class DiskRoom {
  readonly #parts: DiskRoomParts
  /** What bodies have been promised that they have not written: the disk does not know of it yet. */
  #promisedBytes = 0

  constructor(parts: DiskRoomParts) {
    this.#parts = parts
  }

  /** @param announcedBytes of the whole body; undefined when it does not say. @throws Failure insufficient_storage */
  async claim(announcedBytes: number | undefined): Promise<Claim> {
    let leftBytes = 0
    const promise = async (bytes: number) => {
      await this.#promise(bytes)
      leftBytes += bytes
    }
    await promise(announcedBytes ?? STEP_BYTES)
    return {
      take: async (bytes) => {
        if (bytes > leftBytes) await promise(Math.max(bytes, STEP_BYTES))
        leftBytes -= bytes
        this.#promisedBytes -= bytes
      },
      [Symbol.dispose]: () => {
        this.#promisedBytes -= leftBytes
        leftBytes = 0
      },
    }
  }

  /** Promised before it is asked: of two that ask at once, both must not get the same room. */
  async #promise(bytes: number): Promise<void> {
    this.#promisedBytes += bytes
    try {
      if ((await this.#parts.freeBytes()) - this.#promisedBytes < this.#parts.reserveBytes) throw noRoom()
    } catch (error) {
      this.#promisedBytes -= bytes
      throw error
    }
  }
}

/** A reserve of 0 asks nothing of a disk that may not say what is free (some network file systems say 0). */
export function diskRoomOf(directory: string, reserveBytes: number): DiskRoom {
  const freeBytes = async () => {
    const { bavail, bsize } = await statfs(directory)
    return bavail * bsize
  }
  return new DiskRoom({
    reserveBytes,
    freeBytes: reserveBytes === 0 ? async () => Number.POSITIVE_INFINITY : freeBytes,
  })
}

/** What the disk itself says when it is full, whoever filled it. */
export function isDiskFull(error: unknown): boolean {
  return (
    error instanceof Error && 'code' in error && ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(String(error.code))
  )
}

export function noRoom(cause?: unknown): Failure {
  const message = 'The server has no room on its disk for this upload. Please try again later.'
  return new Failure('insufficient_storage', message, { cause })
}
