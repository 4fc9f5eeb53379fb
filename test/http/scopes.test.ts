// What a key may be used for, and a server whose keys come and go.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { ApiKeys } from '../../src/api-keys.ts'
import { scopeOf } from '../../src/http/auth.ts'
import { runKeyCommand } from '../../src/keys/key-command.ts'
import { KeyRing } from '../../src/keys/key-ring.ts'
import { createLog } from '../../src/log.ts'
import { errorOf, form, startParts } from './parts.ts'

async function start() {
  const directory = await mkdtemp(join(tmpdir(), 'hviske-keys-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const file = join(directory, 'keys.json')
  const keys = await KeyRing.open({ fixed: new ApiKeys(), file, log: createLog('silent') })
  const server = await startParts({}, {}, { keys })
  const run = async (...words: string[]) => (await runKeyCommand(words, file, Date.now())).result
  const transcribe = (key?: string) =>
    Promise.resolve(
      server.app.request('/v1/audio/transcriptions', {
        method: 'POST',
        body: form(),
        ...(key !== undefined && { headers: { authorization: `Bearer ${key}` } }),
      }),
    )
  return { ...server, run, transcribe }
}

test('a server that is open to all asks for keys as soon as one is made, and its document says so', async () => {
  await using server = await start()
  const needsKey = async () => {
    const document = (await (await server.app.request('/openapi.json')).json()) as {
      paths: Record<string, Record<string, { security?: object[] }>>
    }
    return document.paths['/transcribe']?.post?.security?.every((way) => Object.keys(way).length > 0)
  }
  expect((await server.transcribe()).status).toBe(200)
  expect(await needsKey()).toBe(false)

  const key = await server.run('create', 'vexa')

  expect(await needsKey()).toBe(true)
  expect((await server.transcribe()).status).toBe(401)
  expect((await server.transcribe(key)).status).toBe(200)
  expect(server.transcriber.asked.at(-1)?.source.owner).toMatch(/^[0-9a-f]{12}$/)
  await server.run('revoke', 'vexa')
  expect((await server.transcribe(key)).status).toBe(401)
})

test('a key that is not good for it is refused before the body, and learns what it has and what it needs', async () => {
  await using server = await start()
  const key = await server.run('create', 'prometheus', '--scopes', 'metrics')

  const refused = await server.transcribe(key)

  expect(await errorOf(refused)).toEqual({
    status: 403,
    type: 'invalid_request_error',
    param: null,
    code: 'insufficient_scope',
    message: 'The API key may not do this: it has the scopes metrics, and transcribe is needed.',
  })
  expect(refused.headers.get('www-authenticate')).toBeNull()
  expect(server.transcriber.asked).toEqual([])
  const models = await server.app.request('/v1/models', { headers: { 'x-api-key': key } })
  expect(models.status).toBe(200)
})

test('admin is good for everything', async () => {
  await using server = await start()
  const key = await server.run('create', 'me', '--scopes', 'admin')

  expect((await server.transcribe(key)).status).toBe(200)
  const deleted = await server.app.request('/v1/models/whisper-1', {
    method: 'DELETE',
    headers: { 'x-api-key': key },
  })
  expect((await errorOf(deleted)).code).toBe('model_not_deletable')
})

test.each([
  ['POST', '/v1/audio/transcriptions', 'transcribe'],
  ['POST', '/transcribe', 'transcribe'],
  ['POST', '/a-route-of-tomorrow', 'transcribe'],
  ['GET', '/v1/models', undefined],
  ['HEAD', '/v1/models', undefined],
  ['DELETE', '/v1/models/whisper-1', 'admin'],
  ['PUT', '/anything', 'admin'],
  ['GET', '/metrics', 'metrics'],
  ['GET', '/metrics-of-others', undefined],
  ['GET', '/lb-status', 'metrics'],
  ['GET', '/v1/jobs/7', 'jobs'],
  ['POST', '/v1/jobs', 'jobs'],
  ['DELETE', '/jobs/7', 'jobs'],
  ['POST', '/transcribe/async', 'jobs'],
  ['GET', '/status/7', 'jobs'],
  ['GET', '/download/7', 'jobs'],
  ['DELETE', '/release/7', 'jobs'],
  ['GET', '/queue', 'jobs'],
  ['GET', '/queues', undefined],
  ['GET', '/admin/queues', 'admin'],
])('%s %s needs %s', (method, path, scope) => {
  expect(scopeOf(method, path)).toBe(scope)
})
