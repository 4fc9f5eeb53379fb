// OpenAI's uploads in parts, as nobody should ask for them.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { DiskRoom } from '../../src/upload/disk-room.ts'
import { errorOf } from './parts.ts'
import { hashOf, MIB, startUploads } from './pieces.ts'

const ASKED = { filename: 'møde.wav', mime_type: 'audio/wav', purpose: 'user_data' } as const
const NOBODYS = '018f3c3e-5a52-4bb2-9d5b-6f5d7d9c0e51'

test.each([
  ['too little', (part: string) => ({ part_ids: [part] }), 'upload_incomplete', 'part_ids'],
  ['a part twice', (part: string) => ({ part_ids: [part, part] }), 'invalid_value', 'part_ids'],
  ["nobody's part", () => ({ part_ids: [NOBODYS] }), 'invalid_value', 'part_ids'],
  ['a path for a part', () => ({ part_ids: ['../upload.json'] }), 'invalid_value', 'part_ids'],
  ['no part', () => ({ part_ids: [] }), 'invalid_value', 'part_ids'],
])('%s completes nothing, and it may be tried again', async (_what, wrong, code, param) => {
  await using server = await startUploads()
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
  await using server = await startUploads()
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

test('a key is needed, and a good one', async () => {
  await using server = await startUploads({ API_KEYS: 'alices-key' })

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
  await using server = await startUploads()

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
  await using server = await startUploads()

  expect(await errorOf(await server.post('/v1/uploads', body, type))).toMatchObject({ status, code })
})

test('an upload larger than may be, or than the disk has room for, is refused before it comes', async () => {
  const full = new DiskRoom({ reserveBytes: 0, freeBytes: async () => 1000 })
  await using server = await startUploads({ MAX_UPLOAD_BYTES: '2000' }, { disk: full })

  await expect(server.openai.uploads.create({ bytes: 2001, ...ASKED })).rejects.toMatchObject({
    status: 413,
    code: 'file_too_large',
    param: 'bytes',
  })
  await expect(server.openai.uploads.create({ bytes: 1001, ...ASKED })).rejects.toMatchObject({ status: 507 })
  expect(await readdir(server.uploadDir)).toEqual([])
})

test('parts do not fill the disk beyond what was announced, and once more', async () => {
  await using server = await startUploads()
  const { id } = await server.openai.uploads.create({ bytes: 5, ...ASKED })
  await server.part(id, Buffer.alloc(10))

  await expect(server.part(id, Buffer.alloc(1))).rejects.toMatchObject({ status: 413, param: 'data' })

  expect(await readdir(join(server.uploadDir, id, 'parts'))).toHaveLength(1)
  expect(await server.leftovers()).toEqual([])
})

test('a part of more than 64 MB is refused', async () => {
  await using server = await startUploads()
  const { id } = await server.openai.uploads.create({ bytes: 65 * MIB, ...ASKED })

  await expect(server.part(id, Buffer.alloc(64 * MIB + 1))).rejects.toMatchObject({
    status: 413,
    param: 'data',
  })
  expect(await server.part(id, Buffer.alloc(64 * MIB))).toMatchObject({ object: 'upload.part' })
  expect(await server.leftovers()).toEqual([])
})

test('a form without a part is told what it lacks', async () => {
  await using server = await startUploads()
  const { id } = await server.openai.uploads.create({ bytes: 5, ...ASKED })
  const form = new FormData()
  form.append('file', new File(['sound'], 'part'))

  const refused = await fetch(`${server.url}/v1/uploads/${id}/parts`, { method: 'POST', body: form })

  expect(await errorOf(refused)).toMatchObject({ status: 400, code: 'missing_file', param: 'data' })
})

test('an upload that came by tus has no parts', async () => {
  await using server = await startUploads()
  const headers = { 'tus-resumable': '1.0.0', 'upload-length': '5' }
  const created = await fetch(`${server.url}/uploads`, { method: 'POST', headers })
  const id = created.headers.get('location')?.split('/').at(-1) ?? ''

  await expect(server.part(id, Buffer.from('sound'))).rejects.toMatchObject({
    status: 400,
    param: 'upload_id',
  })
})
