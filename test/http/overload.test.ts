// The whole app over the real queue, with an engine that answers when the test lets it.
import { expect, test } from 'vitest'
import type { EngineEvent, EngineRequest } from '../../src/engine/events.ts'
import { Admission } from '../../src/queue/admission.ts'
import { Workload } from '../../src/queue/workload.ts'
import { createTranscriber } from '../../src/transcriber.ts'
import { until } from '../../src/until.ts'
import { ALL, DETECTED, DONE, NEVER } from '../road.ts'
import { errorOf, form, startParts } from './parts.ts'

interface Limits {
  readonly places?: number
  readonly maxWaiting?: number
  readonly reservedForRealtime?: number
  readonly busyRetryAfterSeconds?: number
}

async function start({ places = 1, maxWaiting = 10, reservedForRealtime = 1, ...more }: Limits = {}) {
  const workload = new Workload({
    places,
    maxWaiting,
    reservedForRealtime,
    ...more,
    isWorking: () => true,
    nowMs: () => 0,
  })
  const inEngine: { path: string; finish: () => void }[] = []
  const order: string[] = []
  const engine = {
    async *run({ pcm }: EngineRequest, signal: AbortSignal): AsyncGenerator<EngineEvent> {
      const finished = Promise.withResolvers<void>()
      inEngine.push({ path: pcm.path, finish: finished.resolve })
      await until(finished.promise, signal)
      yield DONE
    },
    detectLanguage: async () => DETECTED,
  }
  const transcriber = createTranscriber({
    workload,
    decode: async (path) => ({
      path,
      extent: ALL,
      broken: NEVER,
      ended: Promise.resolve(),
      grownBeyond: async () => ALL,
      [Symbol.asyncDispose]: async () => {},
    }),
    decoding: new Admission({ places: 4, reservedForRealtime }),
    transcribing: new Admission({ places, reservedForRealtime }),
    engine,
  })
  const server = await startParts(
    {},
    {},
    { transcriber, requireRoom: (_owner, tier) => workload.requireRoom(tier) },
  )
  const post = (name: string, fields: Record<string, string> = {}, headers: Record<string, string> = {}) =>
    Promise.resolve(
      server.app.request('/v1/audio/transcriptions', { method: 'POST', body: form(fields, name), headers }),
    ).then((response) => {
      order.push(name)
      return response
    })
  return {
    ...server,
    workload,
    post,
    order,
    inEngine,
    untilInEngine: (count: number) => expect.poll(() => inEngine.length).toBe(count),
    finishNext: () => inEngine.shift()?.finish(),
    untilWaiting: async (count: number) => expect.poll(() => workload.size).toBe(count),
  }
}

/** A body that never comes: what is answered was said before it. */
function neverComing(): RequestInit {
  const body = new ReadableStream({ pull: () => new Promise<void>(() => {}) }, { highWaterMark: 0 })
  const headers = { 'content-type': 'multipart/form-data; boundary=b' }
  return { method: 'POST', body, headers, duplex: 'half' } as RequestInit
}

test('nobody waits who must not: a full engine says so before the body is read', async () => {
  await using server = await start({ maxWaiting: 0, busyRetryAfterSeconds: 1 })
  const first = server.post('first')
  await server.untilInEngine(1)

  const refused = await server.app.request('/v1/audio/transcriptions', neverComing())

  expect(refused.headers.get('retry-after')).toBe('1')
  expect(refused.headers.get('x-should-retry')).toBe('true')
  expect(await errorOf(refused)).toMatchObject({ status: 503, code: 'queue_full' })
  server.finishNext()
  expect((await first).status).toBe(200)

  const next = server.post('next')
  await server.untilInEngine(1)
  server.finishNext()
  expect((await next).status).toBe(200)
})

test('of those who wait, realtime comes first, whichever way a request says that it is deferred', async () => {
  await using server = await start()
  const all = [server.post('first')]
  await server.untilInEngine(1)
  all.push(server.post('by field', { transcription_tier: 'deferred' }))
  await server.untilWaiting(2)
  all.push(server.post('by header', {}, { 'x-transcription-tier': ' Deferred' }))
  await server.untilWaiting(3)
  // The field wins.
  all.push(server.post('both', { transcription_tier: 'realtime' }, { 'x-transcription-tier': 'deferred' }))
  await server.untilWaiting(4)
  all.push(server.post('plain'))
  await server.untilWaiting(5)

  for (let turn = 0; turn < 5; turn++) {
    await server.untilInEngine(1)
    server.finishNext()
    await expect.poll(() => server.order.length).toBe(turn + 1)
  }

  expect(server.order).toEqual(['first', 'both', 'plain', 'by field', 'by header'])
  expect((await Promise.all(all)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
})

test('deferred work is refused where only reserved places are left: by its header before the body, by its field after', async () => {
  await using server = await start({ places: 2, maxWaiting: 0 })
  const first = server.post('first', { transcription_tier: 'deferred' })
  await server.untilInEngine(1)

  const early = await server.app.request('/v1/audio/transcriptions', {
    ...neverComing(),
    headers: { 'content-type': 'multipart/form-data; boundary=b', 'x-transcription-tier': 'deferred' },
  })
  const late = await server.post('second', { transcription_tier: 'deferred' })
  const realtime = server.post('third')
  await server.untilInEngine(2)
  server.finishNext()
  server.finishNext()

  expect(early.status).toBe(503)
  expect(await errorOf(late)).toMatchObject({
    status: 503,
    message: 'All 1 places for recordings are taken. Please try again later.',
  })
  expect([(await first).status, (await realtime).status]).toEqual([200, 200])
  expect(await server.leftovers()).toEqual([])
})

test.each(['/v1/audio/translations', '/transcribe', '/detect-language'])(
  '%s knows tiers, too, and refuses one that is none',
  async (path) => {
    await using server = await start({ places: 2, maxWaiting: 0 })
    const work = server.workload.enter('deferred')
    const ask = (transcription_tier: string) =>
      server.app.request(path, { method: 'POST', body: form({ transcription_tier }) })

    expect((await ask('deferred')).status).toBe(503)
    expect(await errorOf(await ask('gold'))).toMatchObject({ status: 400, param: 'transcription_tier' })
    work[Symbol.dispose]()
  },
)

test('the log says which tier a request asked for', async () => {
  await using server = await start()
  const answer = server.post('first', { transcription_tier: 'deferred' })
  await server.untilInEngine(1)
  server.finishNext()
  await answer

  expect(server.logged.find(({ message }) => message === 'request')).toMatchObject({ tier: 'deferred' })
})
