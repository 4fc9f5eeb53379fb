/** The beginning that all upload routes share: the body goes to disk first, then its fields are looked at. */
import type { Context } from 'hono'
import { receive, type Upload } from '../upload/receive.ts'
import { requireOpenDoor } from './door.ts'
import type { HttpEnv, Parts } from './parts.ts'

/** A client that sends nothing for a minute has gone; openai-node 4 retries with a body that never comes. */
const IDLE_MS = 60_000

/** @throws Failure when nothing is taken in, before the body is read; when the body is not a usable upload. */
export async function receiveUpload(c: Context<HttpEnv>, parts: Parts): Promise<Upload> {
  requireOpenDoor(parts, c.get('clientId'))
  const { spoolDir, config } = parts
  const upload = await receive(c.req.raw, spoolDir, { maxBodyBytes: config.maxUploadBytes, idleMs: IDLE_MS })
  c.set('fileBytes', upload.file.sizeBytes)
  return upload
}
