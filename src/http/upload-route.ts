/** The beginning that all upload routes share: the body goes to disk first, then its fields are looked at. */
import type { Context } from 'hono'
import { Failure } from '../failure.ts'
import { type LooseUpload, receiveLoosely, type Upload, withFile } from '../upload/receive.ts'
import { requireOpenDoor } from './door.ts'
import { enterWithinLimits } from './limits.ts'
import type { HttpEnv, Parts } from './parts.ts'
import { withRecordingElsewhere } from './recording-elsewhere.ts'
import { tierOf, tierOfHeaders } from './tier.ts'

/** A client that sends nothing for a minute has gone; openai-node 4 retries with a body that never comes. */
export const IDLE_MS = 60_000

/**
 * @throws Failure when nothing is taken in, before the body is read: from this client, or at all; when the body is not
 * a usable upload.
 */
export async function receiveUpload(c: Context<HttpEnv>, parts: Parts): Promise<Upload> {
  return withFile(await withRecordingElsewhere(c, parts, await receiveLooseUpload(c, parts)))
}

/** The same for routes that know what else may stand for a file. */
export async function receiveLooseUpload(c: Context<HttpEnv>, parts: Parts): Promise<LooseUpload> {
  requireOpenDoor(parts, c.get('clientId'), tierOfHeaders(c.req.raw.headers))
  return receive(c, parts)
}

/**
 * The same for what becomes a job: it waits until there is an engine, and room on the road. Only a queue must be there.
 *
 * @throws Failure queue_unreachable, and when the body is not a usable upload
 */
export async function receiveOrder(c: Context<HttpEnv>, parts: Parts): Promise<LooseUpload> {
  if (parts.isQueueReachable?.() === false) {
    throw new Failure('queue_unreachable', 'The queue of jobs does not answer. Please try again later.')
  }
  return receive(c, parts)
}

async function receive(c: Context<HttpEnv>, parts: Parts): Promise<LooseUpload> {
  const { headers } = c.req.raw
  await using held = new AsyncDisposableStack()
  held.use(await enterWithinLimits(c, parts))
  const { spoolDir, config, disk, ending } = parts
  const limits = { maxBodyBytes: config.maxUploadBytes, idleMs: IDLE_MS, disk, ...(ending && { ending }) }
  const beganMs = performance.now()
  const { fields, file } = held.use(await receiveLoosely(c.req.raw, spoolDir, limits))
  const sizeBytes = file instanceof Failure ? 0 : file.sizeBytes
  c.get('trace')?.stage('upload', (performance.now() - beganMs) / 1000, { 'hviske.upload_bytes': sizeBytes })
  if (!(file instanceof Failure)) c.set('fileBytes', sizeBytes)
  c.set('tier', tierOf(headers, fields))
  const whole = held.move() // the answer disposes of the upload, and so ends what counts as one request
  return { fields, file, [Symbol.asyncDispose]: () => whole.disposeAsync() }
}
