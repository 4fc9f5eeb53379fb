// An upload by its id: whose it is, what it stands for, how long it is there.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { errorOf, form } from './parts.ts'
import { create, hashOf, idOf, key, KEYS, PIECE, startUploads, transcribe, TUS } from './pieces.ts'

test.each(['HEAD', 'PATCH', 'DELETE'])("of another one's upload %s knows nothing", async (method) => {
  await using server = await startUploads(KEYS)
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
  const told = { HEAD: '', PATCH: 'upload_not_found', DELETE: 'upload_not_found' }[method]
  expect(await refused.text()).toContain(told)
  expect((await ask('alices-key')).status).toBeLessThan(300)
})

test("another one's upload is not transcribed, and neither is one that is not whole", async () => {
  await using server = await startUploads(KEYS)
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

test('without a key nothing is taken', async () => {
  await using server = await startUploads(KEYS)

  expect(await errorOf(await create(server, 5))).toMatchObject({ status: 401, code: 'invalid_api_key' })
})

test('an upload may be used more than once, until it is deleted', async () => {
  await using server = await startUploads()
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
  await using server = await startUploads()
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
  await using server = await startUploads()
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
  await using server = await startUploads()

  expect((await server.app.request(`/uploads/${id}`, { method: 'HEAD', headers: TUS })).status).toBe(404)
  expect((await transcribe(server, { upload_id: `${id}?` })).status).toBe(404)
})

test('an upload expires a while after its last byte, and then there is nothing left of it', async () => {
  let nowMs = Date.now()
  await using server = await startUploads({}, { nowMs: () => nowMs })
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

test('an upload does not expire while a long piece of it comes', async () => {
  let nowMs = Date.now()
  await using server = await startUploads({}, { nowMs: () => nowMs })
  const location = (await create(server, 5)).headers.get('location') ?? ''
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await expect.poll(() => server.parts.uploads.receivedBytes(idOf(location))).toBe(sent)
      nowMs += 1_500_000
      await server.parts.uploads.sweep()
      controller.enqueue(Buffer.from('sound').subarray(sent, (sent += 1)))
      if (sent === 5) controller.close()
    },
  })
  let sent = 0

  const headers = { ...PIECE, 'upload-offset': '0' }
  const init = { method: 'PATCH', headers, body, duplex: 'half' as const }
  expect((await server.app.request(location, init)).headers.get('upload-offset')).toBe('5')

  expect((await transcribe(server, { upload_id: idOf(location) })).status).toBe(200)
})

test('sweeping leaves what is being made alone, and takes what was left half made', async () => {
  let nowMs = Date.now()
  await using server = await startUploads({}, { nowMs: () => nowMs })
  await mkdir(join(server.uploadDir, '018f3c3e-5a52-4bb2-9d5b-6f5d7d9c0e51'))

  await server.parts.uploads.sweep()
  expect(await readdir(server.uploadDir)).toHaveLength(1)
  nowMs += 4_000_000
  await server.parts.uploads.sweep()
  expect(await readdir(server.uploadDir)).toHaveLength(0)
})

test('a request that reads an upload keeps its file, though the upload is deleted meanwhile', async () => {
  await using server = await startUploads()
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

test('url is refused where the server fetches none', async () => {
  await using server = await startUploads()

  const refused = await errorOf(await transcribe(server, { url: 'https://example.org/a.wav' }))

  expect(refused).toMatchObject({ status: 400, code: 'url_not_allowed', param: 'url' })
  expect(refused.message).toContain('ALLOW_URL')
})

test('url stands for a file where the server fetches some, and nothing is left of it', async () => {
  const asked: string[] = []
  await using server = await startUploads(
    {},
    {
      fetchRecording: async (url, path) => {
        asked.push(url)
        await writeFile(path, 'sound')
        return { path, name: 'a.wav', sizeBytes: 5, sha256: hashOf(Buffer.from('sound')) }
      },
    },
  )

  expect((await transcribe(server, { url: 'https://example.org/a.wav' })).status).toBe(200)

  expect(asked).toEqual(['https://example.org/a.wav'])
  await expect.poll(() => server.leftovers()).toEqual([])
})
