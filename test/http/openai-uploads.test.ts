// OpenAI's uploads in parts, as its own SDK sends them.
import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { toFile } from 'openai'
import { expect, test } from 'vitest'
import { errorOf } from './parts.ts'
import { hashOf, key, MIB, startUploads, transcribe } from './pieces.ts'

const ASKED = { filename: 'møde.wav', mime_type: 'audio/wav', purpose: 'user_data' } as const

test('the SDK uploads in parts, in any order, and what it completes stands for the file', async () => {
  await using server = await startUploads()
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
  expect((await transcribe(server, { upload_id: completed.file?.id ?? '' })).status).toBe(200)
  expect(heard).toEqual([hashOf(bytes, 'sha256')])
  expect(await server.leftovers()).toEqual([])
})

test('a file may expire earlier than others, and then it does', async () => {
  let nowMs = Date.now()
  await using server = await startUploads({}, { lifetimeSeconds: 86_400, nowMs: () => nowMs })
  const expires_after = { anchor: 'created_at', seconds: 3600 } as const
  const upload = await server.openai.uploads.create({ bytes: 5, ...ASKED, expires_after })
  const { id } = await server.part(upload.id, Buffer.from('sound'))
  const { file } = await server.openai.uploads.complete(upload.id, { part_ids: [id] })
  expect(file?.expires_at).toBe(Math.floor(nowMs / 1000) + 3600)

  nowMs += 3_599_000
  expect((await transcribe(server, { upload_id: upload.id })).status).toBe(200)
  nowMs += 2000
  expect((await transcribe(server, { upload_id: upload.id })).status).toBe(404)
})

test('completing again, because the answer was lost, answers the same', async () => {
  await using server = await startUploads()
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
  await using server = await startUploads()
  const { id } = await server.openai.uploads.create({ bytes: 5, ...ASKED })
  await server.part(id, Buffer.from('sound'))
  const again = await server.part(id, Buffer.from('sound'))

  expect(await server.openai.uploads.complete(id, { part_ids: [again.id] })).toMatchObject({
    status: 'completed',
  })
})

test('what is given up is gone', async () => {
  await using server = await startUploads()
  const { id } = await server.openai.uploads.create({ bytes: 5, ...ASKED })
  const part = await server.part(id, Buffer.from('sound'))

  expect(await server.openai.uploads.cancel(id)).toMatchObject({ id, status: 'cancelled' })

  expect((await transcribe(server, { upload_id: id })).status).toBe(404)
  await expect(server.part(id, Buffer.from('more'))).rejects.toMatchObject({ status: 404 })
  await expect(server.openai.uploads.complete(id, { part_ids: [part.id] })).rejects.toMatchObject({
    status: 404,
  })
  expect(await readdir(join(server.uploadDir, id))).toEqual(['content', 'upload.json'])
})

test('what is whole is neither given up nor added to', async () => {
  await using server = await startUploads()
  const { id } = await server.openai.uploads.create({ bytes: 5, ...ASKED })
  const part = await server.part(id, Buffer.from('sound'))
  await server.openai.uploads.complete(id, { part_ids: [part.id] })

  await expect(server.openai.uploads.cancel(id)).rejects.toMatchObject({ status: 400, param: 'upload_id' })
  await expect(server.part(id, Buffer.from('more'))).rejects.toMatchObject({
    status: 400,
    param: 'upload_id',
  })
  expect((await transcribe(server, { upload_id: id })).status).toBe(200)
})

test('what is not whole is not transcribed', async () => {
  await using server = await startUploads()
  const { id } = await server.openai.uploads.create({ bytes: 5, ...ASKED })
  await server.part(id, Buffer.from('sound'))

  expect(await errorOf(await transcribe(server, { upload_id: id }))).toMatchObject({
    code: 'upload_incomplete',
  })
})

test("of another one's upload nobody knows anything", async () => {
  await using server = await startUploads({ API_KEYS: 'alices-key bobs-key' })
  const [alice, bob] = [server.client('alices-key'), server.client('bobs-key')]
  const { id } = await alice.uploads.create({ bytes: 5, ...ASKED })
  const data = await toFile(Buffer.from('sound'), 'part')
  const part = await alice.uploads.parts.create(id, { data })

  const refused = { status: 404, code: 'upload_not_found' }
  await expect(bob.uploads.parts.create(id, { data })).rejects.toMatchObject(refused)
  await expect(bob.uploads.complete(id, { part_ids: [part.id] })).rejects.toMatchObject(refused)
  await expect(bob.uploads.cancel(id)).rejects.toMatchObject(refused)
  expect(await alice.uploads.complete(id, { part_ids: [part.id] })).toMatchObject({ status: 'completed' })
  expect((await transcribe(server, { upload_id: id }, key('bobs-key'))).status).toBe(404)
  expect((await transcribe(server, { upload_id: id }, key('alices-key'))).status).toBe(200)
})
