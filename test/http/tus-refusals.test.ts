// What tus clients are refused, and what an upload may be that is not simply whole.
import { readdir } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { DiskRoom } from '../../src/upload/disk-room.ts'
import { errorOf } from './parts.ts'
import { create, idOf, startUploads, transcribe, TUS, PIECE } from './pieces.ts'

test('more than was announced is refused', async () => {
  await using server = await startUploads()
  const location = (await create(server, 5)).headers.get('location') ?? ''

  const refused = await server.app.request(location, {
    method: 'PATCH',
    headers: { ...PIECE, 'upload-offset': '0' },
    body: 'sounds',
  })

  expect(await errorOf(refused)).toMatchObject({ status: 413, code: 'file_too_large' })
})

test('an upload larger than may be is refused before it comes, and as it comes', async () => {
  await using server = await startUploads({ MAX_UPLOAD_BYTES: '100' })

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
  await using server = await startUploads()
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
  await using server = await startUploads()
  const upload_id = idOf((await create(server, 0)).headers.get('location') ?? '')

  expect(await errorOf(await transcribe(server, { upload_id }))).toMatchObject({
    code: 'empty_file',
    param: 'upload_id',
  })
})

test('what does not fit on the disk is refused before it comes', async () => {
  const full = new DiskRoom({ reserveBytes: 0, freeBytes: async () => 1000 })
  await using server = await startUploads({}, { disk: full })

  expect(await errorOf(await create(server, 1001))).toMatchObject({
    status: 507,
    code: 'insufficient_storage',
  })
  expect(await readdir(server.uploadDir)).toEqual([])
})

test('a disk that has filled up meanwhile ends the piece, and what had come before stays', async () => {
  let freeBytes = 1000
  const disk = new DiskRoom({ reserveBytes: 0, freeBytes: async () => freeBytes })
  await using server = await startUploads({}, { disk })
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

test('an upload is not read back over HTTP', async () => {
  await using server = await startUploads()
  const location = (await create(server, 5)).headers.get('location') ?? ''

  const refused = await server.app.request(location)

  expect(refused.headers.get('allow')).toBe('HEAD, PATCH, DELETE, OPTIONS')
  expect(await errorOf(refused)).toMatchObject({ status: 405 })
})
