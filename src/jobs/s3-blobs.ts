/** Blobs in a store that speaks S3, below a prefix of a bucket. Nothing is held in memory whole; what the bytes are it does not know. */
import { randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  DeleteObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { checkBeginning, checkKey, checkRemovable } from './key-rules.ts'
import { BlobMissing, type Blobs } from './blobs.ts'
import { isNoSuchKey } from './s3-client.ts'
import { readObject } from './s3-reading.ts'

const MIB = 1024 ** 2
/** So many parts are in memory at once. */
const PARTS_AT_ONCE = 4
const LEAST_PART_BYTES = 8 * MIB
/** S3's limit is 10,000. */
const MOST_PARTS = 9000
const REMOVALS_AT_ONCE = 16

export interface S3Place {
  readonly client: S3Client
  readonly bucket: string
  /** What all of our keys begin with there: empty, or with a slash at its end. */
  readonly prefix: string
}

export function s3Blobs(place: S3Place): Blobs {
  return new S3Blobs(place)
}

class S3Blobs implements Blobs {
  readonly #place: S3Place

  constructor(place: S3Place) {
    this.#place = place
  }

  async put(key: string, content: Uint8Array | string, signal?: AbortSignal): Promise<void> {
    // A length of its own: of an empty body the SDK says on the console that it does not know one.
    const object = { ...this.#at(key), Body: content, ContentLength: Buffer.byteLength(content) }
    try {
      await this.#place.client.send(new PutObjectCommand(object), sending(signal))
    } catch (error) {
      signal?.throwIfAborted()
      throw error
    }
  }

  async take(key: string, path: string, signal?: AbortSignal): Promise<void> {
    await storeFile(this.#place.client, this.#at(key), path, signal)
    await rm(path, { force: true })
  }

  async sizeOf(key: string): Promise<number | undefined> {
    try {
      const { ContentLength } = await this.#place.client.send(new HeadObjectCommand(this.#at(key)))
      return ContentLength
    } catch (error) {
      if (isNoSuchKey(error)) return undefined
      throw error
    }
  }

  async *read(key: string, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* readObject(this.#place.client, this.#at(key), signal)
    } catch (error) {
      throw isNoSuchKey(error) ? new BlobMissing(key) : error
    }
  }

  async asFile(key: string, directory: string, signal?: AbortSignal) {
    const path = join(directory, randomUUID())
    const remove = () => rm(path, { force: true })
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      const sink = createWriteStream(path, { mode: 0o600, flags: 'wx' })
      await pipeline(Readable.from(this.read(key, signal)), sink)
      return { path, [Symbol.asyncDispose]: remove }
    } catch (error) {
      await remove()
      throw error
    }
  }

  async *list(beginning: string) {
    for await (const page of this.#pages(checkBeginning(beginning))) yield* page
  }

  /** One by one: not every store knows how to delete many at once, and a job has a handful. */
  async remove(beginning: string): Promise<void> {
    for await (const page of this.#pages(checkRemovable(beginning))) {
      for (let first = 0; first < page.length; first += REMOVALS_AT_ONCE) {
        const some = page.slice(first, first + REMOVALS_AT_ONCE)
        await Promise.all(
          some.map(({ key }) => this.#place.client.send(new DeleteObjectCommand(this.#at(key)))),
        )
      }
    }
  }

  /** From key to key, which every store understands, and which is right although what has been seen is removed meanwhile. */
  async *#pages(beginning: string) {
    const { client, bucket, prefix } = this.#place
    for (let after: string | undefined, isMore = true; isMore; ) {
      const wanted = { Bucket: bucket, Prefix: `${prefix}${beginning}`, ...(after && { StartAfter: after }) }
      const { Contents = [], IsTruncated = false } = await client.send(new ListObjectsV2Command(wanted))
      yield Contents.map(({ Key = '', Size = 0, LastModified }) => ({
        key: Key.slice(prefix.length),
        sizeBytes: Size,
        storedAtMs: LastModified?.getTime() ?? 0,
      }))
      after = Contents.at(-1)?.Key
      isMore = IsTruncated && after !== undefined
    }
  }

  #at(key: string) {
    return { Bucket: this.#place.bucket, Key: `${this.#place.prefix}${checkKey(key)}` }
  }
}

/** In parts, if it is large; the object appears whole or not at all. */
async function storeFile(
  client: S3Client,
  at: { Bucket: string; Key: string },
  path: string,
  signal?: AbortSignal,
): Promise<void> {
  signal?.throwIfAborted()
  const { size } = await stat(path)
  const body = createReadStream(path)
  const upload = new Upload({
    client,
    params: { ...at, Body: body },
    queueSize: PARTS_AT_ONCE,
    partSize: Math.max(LEAST_PART_BYTES, Math.ceil(size / MOST_PARTS)),
    leavePartsOnError: false,
  })
  const abort = () => void upload.abort()
  signal?.addEventListener('abort', abort, { once: true })
  try {
    await upload.done()
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', abort)
    body.destroy()
  }
}

/** The SDK's way of writing it. */
function sending(signal: AbortSignal | undefined) {
  return signal === undefined ? {} : { abortSignal: signal }
}
