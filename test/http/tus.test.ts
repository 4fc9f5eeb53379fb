// Recordings that come in pieces by the tus protocol: with its own client, and as raw requests.
import { fork } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as tus from 'tus-js-client'
import { expect, test } from 'vitest'
import { createHttpServer } from '../../src/http/listener.ts'
import { DiskRoom } from '../../src/upload/disk-room.ts'
import { Uploads } from '../../src/uploads/uploads.ts'
import { errorOf, form, startParts } from './parts.ts'

const KEYS = { API_KEYS: 'alices-key bobs-key' }
const TUS = { 'tus-resumable': '1.0.0' }
const PIECE = { ...TUS, 'content-type': 'application/offset+octet-stream' }
const MIB = 1024 ** 2

test('tus-js-client uploads a recording in pieces, and its id stands for the file', async () => {
  await using server = await start()
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
  await using server = await start()
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
  await using server = await start()

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
  await using server = await start(KEYS)

  const told = await server.app.request('/uploads', { method: 'OPTIONS' })

  expect(told.status).toBe(204)
  expect(told.headers.get('tus-version')).toBe('1.0.0')
  expect(told.headers.get('tus-extension')).toBe(
    'creation,creation-with-upload,creation-defer-length,termination,expiration',
  )
  expect(told.headers.get('tus-max-size')).toBe(String(server.parts.uploads.maxBytes))
})

test('a page of another origin may upload, where pages of that origin may call us', async () => {
  await using server = await start({ CORS_ORIGINS: 'https://page.example' })
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

test.each(['HEAD', 'PATCH', 'DELETE'])("of another one's upload %s knows nothing", async (method) => {
  await using server = await start(KEYS)
  const location = (await create(server, 5, key('alices-key'))).headers.get('location') ?? ''
  const piece = { ...PIECE, 'upload-offset': '0' }
  const ask = (whose: string) =>
    server.app.request(location, {
      method,
      headers: { ...piece, ...key(whose) },
      ...(method === 'PATCH' && { body: 'sound' }),
    })

  const refused = await ask('bobs-key')

  expect(refused.status).toBe(404)
  if (method !== 'HEAD') expect(await errorOf(refused)).toMatchObject({ code: 'upload_not_found' })
  expect((await ask('alices-key')).status).toBeLessThan(300)
})

test("another one's upload is not transcribed, and neither is one that is not whole", async () => {
  await using server = await start(KEYS)
  const location = (await create(server, 5, key('alices-key'))).headers.get('location') ?? ''
  const upload_id = idOf(location)

  expect(await errorOf(await transcribe(server, { upload_id }, key('bobs-key')))).toMatchObject({
    status: 404,
    code: 'upload_not_found',
    param: 'upload_id',
  })
  expect(await errorOf(await transcribe(server, { upload_id }, key('alices-key')))).toMatchObject({
    status: 400,
    code: 'upload_incomplete',
    message: 'The upload is not complete: 0 of 5 bytes are there.',
  })
  await server.app.request(location, {
    method: 'PATCH',
    headers: { ...PIECE, 'upload-offset': '0', ...key('alices-key') },
    body: 'sound',
  })
  expect((await transcribe(server, { upload_id }, key('alices-key'))).status).toBe(200)
  expect((await transcribe(server, { upload_id }, key('bobs-key'))).status).toBe(404)
})

test('without a key nothing is taken, and with one that may only read metrics neither', async () => {
  await using server = await start(KEYS)

  expect(await errorOf(await create(server, 5))).toMatchObject({ status: 401, code: 'invalid_api_key' })
})

test('an upload may be used more than once, until it is deleted', async () => {
  await using server = await start()
  const created = await create(server, 5, { 'content-type': 'application/offset+octet-stream' }, 'sound')
  const location = created.headers.get('location') ?? ''
  const upload_id = idOf(location)
  expect(created.headers.get('upload-offset')).toBe('5')

  expect((await transcribe(server, { upload_id })).status).toBe(200)
  expect((await transcribe(server, { upload_id }, {}, '/v1/audio/translations')).status).toBe(200)
  expect((await transcribe(server, { upload_id }, {}, '/transcribe')).status).toBe(200)
  expect((await transcribe(server, { upload_id }, {}, '/detect-language')).status).toBe(200)
  expect((await server.app.request(location, { method: 'DELETE', headers: TUS })).status).toBe(204)

  expect((await transcribe(server, { upload_id })).status).toBe(404)
  expect(await readdir(server.uploadDir)).toEqual([])
})

test('a JSON body may name an upload, too, and its name is told', async () => {
  await using server = await start()
  const metadata = { 'upload-metadata': `filename ${Buffer.from('../møde.wav').toString('base64')}` }
  const created = await create(server, 5, { ...metadata, 'content-type': PIECE['content-type'] }, 'sound')
  const upload_id = idOf(created.headers.get('location') ?? '')

  const answer = await server.app.request('/transcribe', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ upload_id }),
  })

  expect(await answer.json()).toMatchObject({ filename: 'møde.wav' })
})

test('a request has one recording', async () => {
  await using server = await start()
  const both = await server.app.request('/v1/audio/transcriptions', {
    method: 'POST',
    body: form({ upload_id: '018f3c3e-5a52-4bb2-9d5b-6f5d7d9c0e51' }),
  })

  expect(await errorOf(both)).toMatchObject({ status: 400, code: 'invalid_value', param: 'upload_id' })
  expect(await server.leftovers()).toEqual([])
})

test.each([
  'none',
  '',
  '../../etc/passwd',
  '018f3c3e-5a52-4bb2-9d5b-6f5d7d9c0e51',
  '..%2f..%2fetc%2fpasswd',
  '%00',
  'upload.json',
])('there is no upload %j, and no way out of their directory', async (id) => {
  await using server = await start()

  expect((await server.app.request(`/uploads/${id}`, { method: 'HEAD', headers: TUS })).status).toBe(404)
  if (id !== '') expect((await transcribe(server, { upload_id: id })).status).toBe(404)
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
  await using server = await start()
  const location = (await create(server, 5)).headers.get('location') ?? ''

  const refused = await server.app.request(location, { method: 'PATCH', headers, body: 'so' })

  expect(refused.headers.get('tus-resumable')).toBe('1.0.0')
  expect(await errorOf(refused)).toMatchObject({ status, code })
})

test('more than was announced is refused', async () => {
  await using server = await start()
  const location = (await create(server, 5)).headers.get('location') ?? ''

  const refused = await server.app.request(location, {
    method: 'PATCH',
    headers: { ...PIECE, 'upload-offset': '0' },
    body: 'sounds',
  })

  expect(await errorOf(refused)).toMatchObject({ status: 413, code: 'file_too_large' })
})

test('an upload larger than may be is refused before it comes, and as it comes', async () => {
  await using server = await start({ MAX_UPLOAD_BYTES: '100' })

  expect(await errorOf(await create(server, 101))).toMatchObject({ status: 413, code: 'file_too_large' })
  const deferred = await server.app.request('/uploads', {
    method: 'POST',
    headers: { ...TUS, 'upload-defer-length': '1' },
  })
  const refused = await server.app.request(deferred.headers.get('location') ?? '', {
    method: 'PATCH',
    headers: { ...PIECE, 'upload-offset': '0' },
    body: 'x'.repeat(101),
  })
  expect(await errorOf(refused)).toMatchObject({ status: 413, code: 'file_too_large' })
})

test('an upload whose length is told at its end is whole then', async () => {
  await using server = await start()
  const deferred = await server.app.request('/uploads', {
    method: 'POST',
    headers: { ...TUS, 'upload-defer-length': '1' },
  })
  const location = deferred.headers.get('location') ?? ''
  const piece = (body: string, headers: Record<string, string>) =>
    server.app.request(location, { method: 'PATCH', headers: { ...PIECE, ...headers }, body })

  await piece('sou', { 'upload-offset': '0' })
  expect(await errorOf(await transcribe(server, { upload_id: idOf(location) }))).toMatchObject({
    message: 'The upload is not complete: 3 of an unknown number of bytes are there.',
  })
  await piece('nd', { 'upload-offset': '3', 'upload-length': '5' })

  expect((await transcribe(server, { upload_id: idOf(location) })).status).toBe(200)
})

test('an empty upload is told to be empty when it is used', async () => {
  await using server = await start()
  const upload_id = idOf((await create(server, 0)).headers.get('location') ?? '')

  expect(await errorOf(await transcribe(server, { upload_id }))).toMatchObject({
    code: 'empty_file',
    param: 'upload_id',
  })
})

test('what does not fit on the disk is refused before it comes', async () => {
  const full = new DiskRoom({ reserveBytes: 0, freeBytes: async () => 1000 })
  await using server = await start({}, full)

  expect(await errorOf(await create(server, 1001))).toMatchObject({
    status: 507,
    code: 'insufficient_storage',
  })
  expect(await readdir(server.uploadDir)).toEqual([])
})

test('a disk that has filled up meanwhile ends the piece, and what had come before stays', async () => {
  let freeBytes = 1000
  const disk = new DiskRoom({ reserveBytes: 0, freeBytes: async () => freeBytes })
  await using server = await start({}, disk)
  const location = (await create(server, 900)).headers.get('location') ?? ''
  const piece = (at: number, body: string) =>
    server.app.request(location, {
      method: 'PATCH',
      headers: { ...PIECE, 'upload-offset': String(at) },
      body,
    })
  await piece(0, 'x'.repeat(400))
  freeBytes = 100

  expect(await errorOf(await piece(400, 'x'.repeat(500)))).toMatchObject({
    status: 507,
    code: 'insufficient_storage',
  })

  const told = await server.app.request(location, { method: 'HEAD', headers: TUS })
  expect(told.headers.get('upload-offset')).toBe('400')
})

test('an upload expires a while after its last byte, and then there is nothing left of it', async () => {
  let nowMs = Date.now()
  await using server = await start({}, undefined, () => nowMs)
  const location = (await create(server, 5)).headers.get('location') ?? ''
  const head = () => server.app.request(location, { method: 'HEAD', headers: TUS })
  nowMs += 3_000_000
  await server.app.request(location, {
    method: 'PATCH',
    headers: { ...PIECE, 'upload-offset': '0' },
    body: 'so',
  })
  nowMs += 3_000_000
  await server.parts.uploads.sweep()
  expect((await head()).status).toBe(200)

  nowMs += 700_000
  expect((await head()).status).toBe(404)
  expect((await transcribe(server, { upload_id: idOf(location) })).status).toBe(404)
  await server.parts.uploads.sweep()

  expect(await readdir(server.uploadDir)).toEqual([])
})

test('sweeping leaves what is being made alone, and takes what was left half made', async () => {
  let nowMs = Date.now()
  await using server = await start({}, undefined, () => nowMs)
  await mkdir(join(server.uploadDir, '018f3c3e-5a52-4bb2-9d5b-6f5d7d9c0e51'))

  await server.parts.uploads.sweep()
  expect(await readdir(server.uploadDir)).toHaveLength(1)
  nowMs += 4_000_000
  await server.parts.uploads.sweep()
  expect(await readdir(server.uploadDir)).toHaveLength(0)
})

test('a request that reads an upload keeps its file, though the upload is deleted meanwhile', async () => {
  await using server = await start()
  const created = await create(server, 5, { 'content-type': PIECE['content-type'] }, 'sound')
  const location = created.headers.get('location') ?? ''
  server.transcriber.before = async ({ path }) => {
    await server.app.request(location, { method: 'DELETE', headers: TUS })
    heard = await readFile(path, 'utf8')
  }
  let heard = ''

  expect((await transcribe(server, { upload_id: idOf(location) })).status).toBe(200)
  expect(heard).toBe('sound')
})

test('an upload is not read back over HTTP', async () => {
  await using server = await start()
  const location = (await create(server, 5)).headers.get('location') ?? ''

  const refused = await server.app.request(location)

  expect(refused.headers.get('allow')).toBe('HEAD, PATCH, DELETE, OPTIONS')
  expect(await errorOf(refused)).toMatchObject({ status: 405 })
})

test('url is refused where the server fetches none', async () => {
  await using server = await start()

  const refused = await errorOf(await transcribe(server, { url: 'https://example.org/a.wav' }))

  expect(refused).toMatchObject({ status: 400, code: 'url_not_allowed', param: 'url' })
  expect(refused.message).toContain('ALLOW_URL')
})

test('url stands for a file where the server fetches some, and nothing is left of it', async () => {
  const asked: string[] = []
  await using server = await start({}, undefined, Date.now, async (url, path) => {
    asked.push(url)
    await writeFile(path, 'sound')
    return { path, name: 'a.wav', sizeBytes: 5, sha256: hashOf(Buffer.from('sound')) }
  })

  expect((await transcribe(server, { url: 'https://example.org/a.wav' })).status).toBe(200)

  expect(asked).toEqual(['https://example.org/a.wav'])
  await expect.poll(() => server.leftovers()).toEqual([])
})

type FetchRecording = NonNullable<Parameters<typeof startParts>[2]>['fetchRecording']

async function start(
  settings: Record<string, string> = {},
  disk = new DiskRoom({ reserveBytes: 0, freeBytes: async () => Number.POSITIVE_INFINITY }),
  nowMs: () => number = Date.now,
  fetchRecording?: FetchRecording,
) {
  const uploadDir = await mkdtemp(join(tmpdir(), 'hviske-tus-'))
  const maxBytes = Number(settings['MAX_UPLOAD_BYTES'] ?? 1024 ** 3)
  const uploads = await Uploads.open({ directory: uploadDir, lifetimeSeconds: 3600, maxBytes, disk, nowMs })
  const parts = await startParts(settings, {}, { uploads, ...(fetchRecording && { fetchRecording }) })
  const server = createHttpServer(parts.app.fetch, parts.parts.log)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    ...parts,
    uploadDir,
    spoolDir: parts.parts.spoolDir,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      uploads[Symbol.dispose]()
      await parts[Symbol.asyncDispose]()
      await rm(uploadDir, { recursive: true, force: true })
    },
  }
}

async function startProcess(directory: string) {
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

function create(
  { app }: Awaited<ReturnType<typeof start>>,
  length: number,
  headers: Record<string, string> = {},
  body?: string,
) {
  const init = { method: 'POST', headers: { ...TUS, 'upload-length': String(length), ...headers } }
  return app.request('/uploads', { ...init, ...(body !== undefined && { body }) })
}

function transcribe(
  { url }: Asked,
  fields: Record<string, string>,
  headers: Record<string, string> = {},
  path = '/v1/audio/transcriptions',
) {
  const body = new FormData()
  for (const [name, value] of Object.entries(fields)) body.append(name, value)
  return fetch(`${url}${path}`, { method: 'POST', headers, body })
}

function uploaded(
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

function key(text: string) {
  return { authorization: `Bearer ${text}` }
}

function idOf(location: string): string {
  return location.split('/').at(-1) ?? ''
}

function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
