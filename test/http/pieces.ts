/** A server on fakes that takes uploads in pieces, and what clients of tus say to it. */
import { fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import OpenAI, { toFile } from 'openai'
import * as tus from 'tus-js-client'
import { createHttpServer } from '../../src/http/listener.ts'
import type { Parts } from '../../src/http/parts.ts'
import { DiskRoom } from '../../src/upload/disk-room.ts'
import { Uploads, type UploadSettings } from '../../src/uploads/uploads.ts'
import { startParts } from './parts.ts'

export const KEYS = { API_KEYS: 'alices-key bobs-key' }
export const TUS = { 'tus-resumable': '1.0.0' }
export const PIECE = { ...TUS, 'content-type': 'application/offset+octet-stream' }
export const MIB = 1024 ** 2

type Changes = Partial<UploadSettings> & Pick<Parts, 'fetchRecording'>
export type UploadServer = Awaited<ReturnType<typeof startUploads>>

export async function startUploads(
  settings: Record<string, string> = {},
  { fetchRecording, ...changes }: Changes = {},
) {
  const uploadDir = await mkdtemp(join(tmpdir(), 'hviske-pieces-'))
  const uploads = await Uploads.open({
    directory: uploadDir,
    lifetimeSeconds: 3600,
    maxBytes: Number(settings['MAX_UPLOAD_BYTES'] ?? 1024 ** 3),
    disk: new DiskRoom({ reserveBytes: 0, freeBytes: async () => Number.POSITIVE_INFINITY }),
    nowMs: Date.now,
    ...changes,
  })
  const parts = await startParts(settings, {}, { uploads, ...(fetchRecording && { fetchRecording }) })
  const server = createHttpServer(parts.app.fetch, parts.parts.log)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const client = (apiKey: string) => new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 })
  const openai = client('none-needed')
  return {
    ...parts,
    uploadDir,
    spoolDir: parts.parts.spoolDir,
    url,
    client,
    openai,
    part: async (id: string, bytes: Buffer) =>
      openai.uploads.parts.create(id, {
        data: await toFile(bytes, 'part', { type: 'application/octet-stream' }),
      }),
    post: (path: string, body: string, type = 'application/json') =>
      fetch(`${url}${path}`, { method: 'POST', headers: { 'content-type': type }, body }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      uploads[Symbol.dispose]()
      await parts[Symbol.asyncDispose]()
      await rm(uploadDir, { recursive: true, force: true })
    },
  }
}

export async function startProcess(directory: string) {
  const child = fork(new URL('upload-server.ts', import.meta.url), [directory])
  const exited = once(child, 'exit')
  const [port] = (await once(child, 'message')) as [number]
  return {
    url: `http://127.0.0.1:${port}`,
    kill: async () => {
      child.kill('SIGKILL')
      await exited
    },
  }
}

type Asked = { readonly url: string }

export function create(
  { app }: UploadServer,
  length: number,
  headers: Record<string, string> = {},
  body?: string,
) {
  const init = { method: 'POST', headers: { ...TUS, 'upload-length': String(length), ...headers } }
  return app.request('/uploads', { ...init, ...(body !== undefined && { body }) })
}

export function transcribe(
  { url }: Asked,
  fields: Record<string, string>,
  headers: Record<string, string> = {},
  path = '/v1/audio/transcriptions',
) {
  const body = new FormData()
  for (const [name, value] of Object.entries(fields)) body.append(name, value)
  return fetch(`${url}${path}`, { method: 'POST', headers, body })
}

export function uploaded(
  bytes: Buffer,
  endpoint: string,
  options: Partial<tus.UploadOptions> = {},
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const upload: tus.Upload = new tus.Upload(bytes, {
    endpoint,
    retryDelays: null,
    onError: reject,
    onSuccess: () => resolve(upload.url ?? ''),
    ...options,
  })
  upload.start()
  return promise
}

export function key(text: string) {
  return { authorization: `Bearer ${text}` }
}

export function idOf(location: string): string {
  return location.split('/').at(-1) ?? ''
}

export function hashOf(bytes: Buffer, algorithm: 'md5' | 'sha256' = 'sha256'): string {
  return createHash(algorithm).update(bytes).digest('hex')
}
