// Recordings that come in pieces by the tus protocol: with its own client, cut off and gone on with.
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tus from 'tus-js-client'
import { expect, test } from 'vitest'
import { errorOf } from './parts.ts'
import {
  create,
  hashOf,
  idOf,
  KEYS,
  MIB,
  PIECE,
  startProcess,
  startUploads,
  transcribe,
  TUS,
  uploaded,
} from './pieces.ts'

test('tus-js-client uploads a recording in pieces, and its id stands for the file', async () => {
  await using server = await startUploads()
  const bytes = randomBytes(3 * MIB + 7)

  const location = await uploaded(bytes, `${server.url}/uploads`, {
    chunkSize: MIB,
    metadata: { filename: 'møde.wav' },
  })
  const heard: string[] = []
  server.transcriber.before = async ({ path }) => void heard.push(hashOf(await readFile(path)))
  const answer = await transcribe(server, { upload_id: idOf(location) })

  expect(answer.status).toBe(200)
  expect(heard).toEqual([hashOf(bytes)])
  expect(await server.leftovers()).toEqual([])
})

test('an upload that was cut off goes on where it was, byte for byte', async () => {
  await using server = await startUploads()
  const bytes = randomBytes(8 * MIB)
  const cut = Promise.withResolvers<string>()
  const first: tus.Upload = new tus.Upload(bytes, {
    endpoint: `${server.url}/uploads`,
    chunkSize: MIB,
    retryDelays: null,
    onChunkComplete: () => {
      void first.abort().then(() => cut.resolve(first.url ?? ''))
    },
  })
  first.start()
  const location = await cut.promise
  const there = Number((await fetch(location, { method: 'HEAD', headers: TUS })).headers.get('upload-offset'))

  const sent: number[] = []
  await uploaded(bytes, `${server.url}/uploads`, { uploadUrl: location, onProgress: (at) => sent.push(at) })

  expect(there).toBeGreaterThanOrEqual(MIB)
  expect(there).toBeLessThan(8 * MIB)
  expect(sent[0]).toBeGreaterThanOrEqual(there)
  await using taken = await server.parts.uploads.take(idOf(location), undefined, server.spoolDir)
  expect(taken).toMatchObject({ sizeBytes: bytes.length, sha256: hashOf(bytes) })
})

test('a server that is killed in the middle of a piece, and started again, goes on with it', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'hviske-tus-'))
  const bytes = randomBytes(6 * MIB)
  try {
    const doomed = await startProcess(directory)
    const created = await fetch(`${doomed.url}/uploads`, {
      method: 'POST',
      headers: { ...TUS, 'upload-length': String(bytes.length) },
    })
    const id = idOf(created.headers.get('location') ?? '')
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(bytes.subarray(0, 2 * MIB)), // and then nothing
    })
    const init = {
      method: 'PATCH',
      headers: { ...PIECE, 'upload-offset': '0' },
      body,
      duplex: 'half' as const,
    }
    const piece = fetch(`${doomed.url}/uploads/${id}`, init).catch(() => 'cut off')
    await expect
      .poll(async () => (await readFile(join(directory, id, 'content'))).length)
      .toBeGreaterThan(MIB)
    await doomed.kill()
    expect(await piece).toBe('cut off')

    const next = await startProcess(directory)
    const location = `${next.url}/uploads/${id}`
    const there = Number(
      (await fetch(location, { method: 'HEAD', headers: TUS })).headers.get('upload-offset'),
    )
    expect(there).toBeGreaterThan(MIB)
    await uploaded(bytes, `${next.url}/uploads`, { uploadUrl: location })

    expect(hashOf(await readFile(join(directory, id, 'content')))).toBe(hashOf(bytes))
    expect((await transcribe(next, { upload_id: id })).status).toBe(200)
    await next.kill()
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})

test('where to go on is a path: whatever host and scheme stand before us', async () => {
  await using server = await startUploads()

  const created = await create(server, 5, {
    'x-forwarded-host': 'evil.example',
    'x-forwarded-proto': 'https',
    host: 'x',
  })

  expect(created.status).toBe(201)
  expect(created.headers.get('location')).toMatch(/^\/uploads\/[0-9a-f-]{36}$/)
  expect(created.headers.get('tus-resumable')).toBe('1.0.0')
  expect(Date.parse(created.headers.get('upload-expires') ?? '')).toBeGreaterThan(Date.now())
  expect([...created.headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([])
})

test('what the server can do is told without a key', async () => {
  await using server = await startUploads(KEYS)

  const told = await server.app.request('/uploads', { method: 'OPTIONS' })

  expect(told.status).toBe(204)
  expect(told.headers.get('tus-version')).toBe('1.0.0')
  expect(told.headers.get('tus-extension')).toBe(
    'creation,creation-with-upload,creation-defer-length,termination,expiration',
  )
  expect(told.headers.get('tus-max-size')).toBe(String(server.parts.uploads.maxBytes))
})

test('a page of another origin may upload, where pages of that origin may call us', async () => {
  await using server = await startUploads({ CORS_ORIGINS: 'https://page.example' })
  const origin = { origin: 'https://page.example' }

  const asked = await server.app.request('/uploads', {
    method: 'OPTIONS',
    headers: {
      ...origin,
      'access-control-request-method': 'PATCH',
      'access-control-request-headers': 'upload-offset',
    },
  })
  const created = await create(server, 5, origin)
  const foreign = await create(server, 5, { origin: 'https://other.example' })

  expect(asked.headers.get('access-control-allow-methods')).toContain('PATCH')
  expect(asked.headers.get('access-control-allow-headers')).toBe('upload-offset')
  expect(created.headers.get('access-control-allow-origin')).toBe('https://page.example')
  expect(created.headers.get('access-control-expose-headers')?.toLowerCase()).toContain('upload-offset')
  expect(foreign.headers.get('access-control-allow-origin')).toBeNull()
})

test.each([
  ['a piece at another place than the end', { ...PIECE, 'upload-offset': '3' }, 409, 'upload_conflict'],
  ['a piece without a place', PIECE, 400, 'malformed_request'],
  [
    'a piece of another type',
    { ...TUS, 'upload-offset': '0', 'content-type': 'audio/wav' },
    400,
    'malformed_request',
  ],
  [
    'another version of tus',
    { ...PIECE, 'upload-offset': '0', 'tus-resumable': '0.2.2' },
    412,
    'tus_version_required',
  ],
  [
    'no version of tus',
    { 'upload-offset': '0', 'content-type': PIECE['content-type'] },
    412,
    'tus_version_required',
  ],
])('%s is refused, in one kind of error', async (_what, headers, status, code) => {
  await using server = await startUploads()
  const location = (await create(server, 5)).headers.get('location') ?? ''

  const refused = await server.app.request(location, { method: 'PATCH', headers, body: 'so' })

  expect(refused.headers.get('tus-resumable')).toBe('1.0.0')
  expect(await errorOf(refused)).toMatchObject({ status, code })
})
