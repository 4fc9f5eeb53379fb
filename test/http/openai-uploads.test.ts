// OpenAI's uploads in parts, as its own SDK sends them, and as nobody should.
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import OpenAI, { toFile } from 'openai'
import { expect, test } from 'vitest'
import { createHttpServer } from '../../src/http/listener.ts'
import { DiskRoom } from '../../src/upload/disk-room.ts'
import { Uploads } from '../../src/uploads/uploads.ts'
import { errorOf, startParts } from './parts.ts'

const MIB = 1024 ** 2
const ASKED = { filename: 'møde.wav', mime_type: 'audio/wav', purpose: 'user_data' } as const
const NOBODYS = '018f3c3e-5a52-4bb2-9d5b-6f5d7d9c0e51'

test('the SDK uploads in parts, in any order, and what it completes stands for the file', async () => {
  await using server = await start()
  const bytes = randomBytes(3 * MIB + 11)
  const upload = await server.openai.uploads.create({ bytes: bytes.length, ...ASKED })
  const [third, first, second] = await Promise.all([
    server.part(upload.id, bytes.subarray(2 * MIB)),
    server.part(upload.id, bytes.subarray(0, MIB)),
    server.part(upload.id, bytes.subarray(MIB, 2 * MIB)),
  ])
  const part_ids = [first.id, second.id, third.id]

  const completed = await server.openai.uploads.complete(upload.id, { part_ids, md5: hashOf(bytes, 'md5') })

  expect(upload).toEqual({
    id: upload.id,
    object: 'upload',
    bytes: bytes.length,
    created_at: expect.closeTo(Date.now() / 1000, -1.5) as number,
    expires_at: upload.created_at + 3600,
    filename: 'møde.wav',
    purpose: 'user_data',
    status: 'pending',
    file: null,
  })
  expect(first).toMatchObject({ object: 'upload.part', upload_id: upload.id })
  expect(completed).toMatchObject({
    id: upload.id,
    status: 'completed',
    file: { id: upload.id, object: 'file', bytes: bytes.length, filename: 'møde.wav', status: 'processed' },
  })
  const heard: string[] = []
  server.transcriber.before = async ({ path }) => void heard.push(hashOf(await readFile(path), 'sha256'))
  expect((await server.transcribe({ upload_id: completed.file?.id ?? '' })).status).toBe(200)
  expect(heard).toEqual([hashOf(bytes, 'sha256')])
  expect(await server.leftovers()).toEqual([])
})

test('a file may expire earlier than others, and then it does', async () => {
  let nowMs = Date.now()
  await using server = await start({}, { lifetimeSeconds: 86_400, nowMs: () => nowMs })
  const expires_after = { anchor: 'created_at', seconds: 3600 } as const
  const upload = await server.openai.uploads.create({ bytes: 5, ...ASKED, expires_after })
  const { id } = await server.part(upload.id, Buffer.from('sound'))
  const { file } = await server.openai.uploads.complete(upload.id, { part_ids: [id] })
  expect(file?.expires_at).toBe(Math.floor(nowMs / 1000) + 3600)

  nowMs += 3_599_000
  expect((await server.transcribe({ upload_id: upload.id })).status).toBe(200)
  nowMs += 2000
  expect((await server.transcribe({ upload_id: upload.id })).status).toBe(404)
})

test('completing again, because the answer was lost, answers the same', async () => {
  await using server = await start()
  const { id } = await server.openai.uploads.create({ bytes: 5, ...ASKED })
  const part = await server.part(id, Buffer.from('sound'))

  const [first, second] = await Promise.all([
    server.openai.uploads.complete(id, { part_ids: [part.id] }),
    server.openai.uploads.complete(id, { part_ids: [part.id] }),
  ])

  expect(second).toEqual(first)
  expect(await readdir(join(server.uploadDir, id))).toEqual(['content', 'upload.json'])
})

test('a part that was sent twice need not be named twice', async () => {
  await using server = await start()
  const { id } = await server.openai.uploads.create({ bytes: 5, ...ASKED })
  await server.part(id, Buffer.from('sound'))
  const again = await server.part(id, Buffer.from('sound'))

  expect(await server.openai.uploads.complete(id, { part_ids: [again.id] })).toMatchObject({
    status: 'completed',
  })
})

test('what is given up is gone', async () => {
  await using server = await start()
  const { id } = await server.openai.uploads.create({ bytes: 5, ...ASKED })
  const part = await server.part(id, Buffer.from('sound'))

  expect(await server.openai.uploads.cancel(id)).toMatchObject({ id, status: 'cancelled' })

  expect((await server.transcribe({ upload_id: id })).status).toBe(404)
  await expect(server.part(id, Buffer.from('more'))).rejects.toMatchObject({ status: 404 })
  await expect(server.openai.uploads.complete(id, { part_ids: [part.id] })).rejects.toMatchObject({
    status: 404,
  })
  expect(await readdir(join(server.uploadDir, id))).toEqual(['content', 'upload.json'])
})

test('what is whole is neither given up nor added to', async () => {
  await using server = await start()
  const { id } = await server.openai.uploads.create({ bytes: 5, ...ASKED })
  const part = await server.part(id, Buffer.from('sound'))
  await server.openai.uploads.complete(id, { part_ids: [part.id] })

  await expect(server.openai.uploads.cancel(id)).rejects.toMatchObject({ status: 400, param: 'upload_id' })
  await expect(server.part(id, Buffer.from('more'))).rejects.toMatchObject({
    status: 400,
    param: 'upload_id',
  })
  expect((await server.transcribe({ upload_id: id })).status).toBe(200)
})

test('what is not whole is not transcribed', async () => {
  await using server = await start()
  const { id } = await server.openai.uploads.create({ bytes: 5, ...ASKED })
  await server.part(id, Buffer.from('sound'))

  expect(await errorOf(await server.transcribe({ upload_id: id }))).toMatchObject({
    code: 'upload_incomplete',
  })
})

test.each([
  ['too little', (part: string) => ({ part_ids: [part] }), 'upload_incomplete', 'part_ids'],
  ['a part twice', (part: string) => ({ part_ids: [part, part] }), 'invalid_value', 'part_ids'],
  ["nobody's part", () => ({ part_ids: [NOBODYS] }), 'invalid_value', 'part_ids'],
  ['a path for a part', () => ({ part_ids: ['../upload.json'] }), 'invalid_value', 'part_ids'],
  ['no part', () => ({ part_ids: [] }), 'invalid_value', 'part_ids'],
])('%s completes nothing, and it may be tried again', async (_what, wrong, code, param) => {
  await using server = await start()
  const { id } = await server.openai.uploads.create({ bytes: 5, ...ASKED })
  const first = await server.part(id, Buffer.from('sou'))
  const second = await server.part(id, Buffer.from('nd'))

  await expect(server.openai.uploads.complete(id, wrong(first.id))).rejects.toMatchObject({
    status: 400,
    code,
    param,
  })

  const right = { part_ids: [first.id, second.id] }
  expect(await server.openai.uploads.complete(id, right)).toMatchObject({ status: 'completed' })
})

test('another MD5 than the one of the parts completes nothing', async () => {
  await using server = await start()
  const { id } = await server.openai.uploads.create({ bytes: 5, ...ASKED })
  const part = await server.part(id, Buffer.from('sound'))
  const complete = (md5: string) => server.openai.uploads.complete(id, { part_ids: [part.id], md5 })

  await expect(complete(hashOf(Buffer.from('noise'), 'md5'))).rejects.toMatchObject({
    status: 400,
    param: 'md5',
  })

  expect(await complete(hashOf(Buffer.from('sound'), 'md5').toUpperCase())).toMatchObject({
    status: 'completed',
  })
})

test("of another one's upload nobody knows anything", async () => {
  await using server = await start({ API_KEYS: 'alices-key bobs-key' })
  const [alice, bob] = [server.client('alices-key'), server.client('bobs-key')]
  const { id } = await alice.uploads.create({ bytes: 5, ...ASKED })
  const data = await toFile(Buffer.from('sound'), 'part')
  const part = await alice.uploads.parts.create(id, { data })

  const refused = { status: 404, code: 'upload_not_found' }
  await expect(bob.uploads.parts.create(id, { data })).rejects.toMatchObject(refused)
  await expect(bob.uploads.complete(id, { part_ids: [part.id] })).rejects.toMatchObject(refused)
  await expect(bob.uploads.cancel(id)).rejects.toMatchObject(refused)
  expect(await alice.uploads.complete(id, { part_ids: [part.id] })).toMatchObject({ status: 'completed' })
  expect((await server.transcribe({ upload_id: id }, 'bobs-key')).status).toBe(404)
  expect((await server.transcribe({ upload_id: id }, 'alices-key')).status).toBe(200)
})

test('a key is needed, and a good one', async () => {
  await using server = await start({ API_KEYS: 'alices-key' })

  await expect(server.client('nobodys-key').uploads.create({ bytes: 5, ...ASKED })).rejects.toMatchObject({
    status: 401,
  })
})

test.each([
  [{ bytes: 0 }, 'bytes'],
  [{ bytes: -1 }, 'bytes'],
  [{ bytes: 1.5 }, 'bytes'],
  [{ bytes: '5' }, 'bytes'],
  [{ filename: 7 }, 'filename'],
  [{ filename: 'x'.repeat(256) }, 'filename'],
  [{ expires_after: { anchor: 'created_at', seconds: 60 } }, 'expires_after.seconds'],
  [{ expires_after: { anchor: 'now', seconds: 3600 } }, 'expires_after.anchor'],
])('an upload asked for with %j is refused by name', async (wrong, param) => {
  await using server = await start()

  const refused = await server.post('/v1/uploads', JSON.stringify({ bytes: 5, ...ASKED, ...wrong }))

  expect(await errorOf(refused)).toMatchObject({ status: 400, code: 'invalid_value', param })
  expect(await readdir(server.uploadDir)).toEqual([])
})

test.each([
  ['{"bytes":', 'application/json', 400, 'invalid_json'],
  ['', 'application/json', 400, 'invalid_json'],
  ['[]', 'application/json', 400, 'invalid_value'],
  ['bytes=5', 'application/x-www-form-urlencoded', 415, 'unsupported_media_type'],
  [`{"filename":"${'x'.repeat(MIB)}"}`, 'application/json', 413, 'file_too_large'],
])('a body that is none is refused: %.20s', async (body, type, status, code) => {
  await using server = await start()

  expect(await errorOf(await server.post('/v1/uploads', body, type))).toMatchObject({ status, code })
})

test('an upload larger than may be, or than the disk has room for, is refused before it comes', async () => {
  const full = new DiskRoom({ reserveBytes: 0, freeBytes: async () => 1000 })
  await using server = await start({ MAX_UPLOAD_BYTES: '2000' }, { disk: full })

  await expect(server.openai.uploads.create({ bytes: 2001, ...ASKED })).rejects.toMatchObject({
    status: 413,
    code: 'file_too_large',
    param: 'bytes',
  })
  await expect(server.openai.uploads.create({ bytes: 1001, ...ASKED })).rejects.toMatchObject({ status: 507 })
  expect(await readdir(server.uploadDir)).toEqual([])
})

test('parts do not fill the disk beyond what was announced, and once more', async () => {
  await using server = await start()
  const { id } = await server.openai.uploads.create({ bytes: 5, ...ASKED })
  await server.part(id, Buffer.alloc(10))

  await expect(server.part(id, Buffer.alloc(1))).rejects.toMatchObject({ status: 413, param: 'data' })

  expect(await readdir(join(server.uploadDir, id, 'parts'))).toHaveLength(1)
  expect(await server.leftovers()).toEqual([])
})

test('a part of more than 64 MB is refused', async () => {
  await using server = await start()
  const { id } = await server.openai.uploads.create({ bytes: 65 * MIB, ...ASKED })

  await expect(server.part(id, Buffer.alloc(64 * MIB + 1))).rejects.toMatchObject({
    status: 413,
    param: 'data',
  })
  expect(await server.part(id, Buffer.alloc(64 * MIB))).toMatchObject({ object: 'upload.part' })
  expect(await server.leftovers()).toEqual([])
})

test('a form without a part is told what it lacks', async () => {
  await using server = await start()
  const { id } = await server.openai.uploads.create({ bytes: 5, ...ASKED })
  const form = new FormData()
  form.append('file', new File(['sound'], 'part'))

  const refused = await fetch(`${server.url}/v1/uploads/${id}/parts`, { method: 'POST', body: form })

  expect(await errorOf(refused)).toMatchObject({ status: 400, code: 'missing_file', param: 'data' })
})

test('an upload that came by tus has no parts', async () => {
  await using server = await start()
  const headers = { 'tus-resumable': '1.0.0', 'upload-length': '5' }
  const created = await fetch(`${server.url}/uploads`, { method: 'POST', headers })
  const id = created.headers.get('location')?.split('/').at(-1) ?? ''

  await expect(server.part(id, Buffer.from('sound'))).rejects.toMatchObject({
    status: 400,
    param: 'upload_id',
  })
})

interface Changes {
  readonly disk?: DiskRoom
  readonly lifetimeSeconds?: number
  readonly nowMs?: () => number
}

async function start(settings: Record<string, string> = {}, changes: Changes = {}) {
  const uploadDir = await mkdtemp(join(tmpdir(), 'hviske-parts-'))
  const uploads = await Uploads.open({
    directory: uploadDir,
    lifetimeSeconds: 3600,
    maxBytes: Number(settings['MAX_UPLOAD_BYTES'] ?? 1024 ** 3),
    disk: new DiskRoom({ reserveBytes: 0, freeBytes: async () => Number.POSITIVE_INFINITY }),
    nowMs: Date.now,
    ...changes,
  })
  const parts = await startParts(settings, {}, { uploads })
  const server = createHttpServer(parts.app.fetch, parts.parts.log)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const client = (apiKey: string) => new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 })
  const openai = client('none-needed')
  return {
    ...parts,
    uploadDir,
    url,
    client,
    openai,
    part: async (id: string, bytes: Buffer) =>
      openai.uploads.parts.create(id, {
        data: await toFile(bytes, 'part', { type: 'application/octet-stream' }),
      }),
    post: (path: string, body: string, type = 'application/json') =>
      fetch(`${url}${path}`, { method: 'POST', headers: { 'content-type': type }, body }),
    transcribe: (fields: Record<string, string>, key = 'none-needed') => {
      const body = new FormData()
      for (const [name, value] of Object.entries(fields)) body.append(name, value)
      const headers = { authorization: `Bearer ${key}` }
      return fetch(`${url}/v1/audio/transcriptions`, { method: 'POST', headers, body })
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      uploads[Symbol.dispose]()
      await parts[Symbol.asyncDispose]()
      await rm(uploadDir, { recursive: true, force: true })
    },
  }
}

function hashOf(bytes: Buffer, algorithm: 'md5' | 'sha256'): string {
  return createHash(algorithm).update(bytes).digest('hex')
}
