// Who works behind this address: what is told of workers that are known, on fakes.
import { expect, test } from 'vitest'
import { Failure } from '../../src/failure.ts'
import type { Member } from '../../src/fleet/seen.ts'
import { LbStatus } from '../../src/http/lb-status.ts'
import { errorOf, FACTS, startParts } from './parts.ts'

const LOAD = { active: 1, waiting: 0, places: 4 }
const member = (changes: Partial<Member> = {}): Member => ({
  id: 'a1',
  name: 'gpu-1',
  phase: 'ready',
  facts: FACTS,
  isEnding: false,
  load: LOAD,
  isGone: false,
  knownMs: 61_234,
  silentMs: 1260,
  ...changes,
})

async function statusWith(
  members: readonly Member[],
  settings: Record<string, string> = { ROLE: 'api' },
  more: Parameters<typeof startParts>[2] = {},
) {
  await using server = await startParts(settings, {}, more)
  server.workers.push(...members)
  const response = await server.app.request('/lb-status')
  expect(response.status).toBe(200)
  expect(response.headers.get('cache-control')).toBe('no-store')
  return LbStatus.parse(await response.json())
}

test('a worker is told with its name, its machine, its load, and how long ago it was heard', async () => {
  expect(await statusWith([member()])).toEqual({
    status: 'healthy',
    role: 'api',
    scope: 'queue',
    totals: { workers: 1, working: 1, taken_out: 0, slots: 4, places: 4, active: 1, waiting: 0 },
    models: ['syvai/hviske-v2'],
    jobs: { reachable: true, pending: 0, processing: 0 },
    workers: [
      {
        id: 'a1',
        name: 'gpu-1',
        state: 'ready',
        model: 'syvai/hviske-v2',
        device: 'cpu',
        device_name: 'a processor',
        compute_type: 'float32',
        slots: 4,
        ...LOAD,
        known_seconds: 61.2,
        silent_seconds: 1.3,
      },
    ],
  })
})

const { facts: _facts, ...withoutEngine } = member()

test.each<[string, Member, object]>([
  [
    'whose places are all taken is busy',
    member({ load: { active: 3, waiting: 1, places: 4 } }),
    { state: 'busy' },
  ],
  [
    'that loads says how far it is',
    { ...withoutEngine, phase: 'loading', message: 'downloading: model.safetensors' },
    { state: 'loading', reason: 'downloading: model.safetensors' },
  ],
  [
    'whose engine rests says why',
    { ...withoutEngine, phase: 'resting', message: 'it died five times' },
    { state: 'unhealthy', reason: 'it died five times' },
  ],
  [
    'that has been told to stop is draining',
    member({ isEnding: true }),
    { state: 'draining', reason: 'It has been told to stop: it begins nothing more.' },
  ],
  [
    'that has been silent for too long is gone, whatever it told last',
    member({ isGone: true, isEnding: true, silentMs: 35_700 }),
    { state: 'gone', reason: 'It has told nothing for 36 s.' },
  ],
  [
    'of another version is told with what it said',
    { ...withoutEngine, phase: 'meditating' },
    { state: 'unhealthy', reason: 'Its engine is in the phase meditating.' },
  ],
])('a worker %s', async (_what, worker, expected) => {
  const { workers, totals } = await statusWith([worker])

  const { state, reason } = workers[0] ?? {}
  expect({ state, ...(reason !== undefined && { reason }) }).toEqual(expected)
  expect(totals.taken_out).toBe('reason' in expected ? 1 : 0)
})

test.each<[string, readonly Member[]]>([
  ['healthy', [member(), member({ id: 'a2' })]],
  ['degraded', [member(), member({ id: 'a2', isGone: true })]],
  ['unavailable', [member({ isGone: true })]],
  ['unavailable', []],
])('it is %s by how many work, and the totals are of those that do', async (status, members) => {
  const working = members.filter(({ isGone }) => !isGone).length
  const told = await statusWith(members)

  expect(told.status).toBe(status)
  expect(told.totals).toMatchObject({ workers: members.length, working, slots: 4 * working, active: working })
})

test('two models at once can be seen', async () => {
  const old = member({ id: 'a2', facts: { ...FACTS, modelId: '/srv/models/older' } })

  expect((await statusWith([member(), old])).models).toEqual(['syvai/hviske-v2', 'older'])
})

test('a server that works for itself says that it lists itself alone; one that shares a queue lists all', async () => {
  expect(await statusWith([member()], {})).toMatchObject({ role: 'all', scope: 'server' })
  expect(await statusWith([member()], { QUEUE_URL: 'redis://queue' })).toMatchObject({ scope: 'queue' })
})

test('a queue that does not answer hides no worker', async () => {
  const away = await statusWith([member()], { ROLE: 'api' }, { isQueueReachable: () => false })
  expect(away).toMatchObject({ jobs: { reachable: false }, totals: { workers: 1 } })

  await using server = await startParts({ ROLE: 'api' })
  server.workers.push(member())
  server.jobQueue.counts = () => Promise.reject(new Failure('queue_unreachable', 'No answer.'))
  const leaving: unknown = await (await server.app.request('/lb-status')).json()
  expect(leaving).toMatchObject({ jobs: { reachable: false }, totals: { workers: 1 } })
})

test('it names machines: where keys are asked for, one is needed', async () => {
  await using server = await startParts({ API_KEYS: 'sk-our-own' })

  expect(await errorOf(await server.app.request('/lb-status'))).toMatchObject({ status: 401 })
  const headers = { 'x-api-key': 'sk-our-own' }
  expect((await server.app.request('/lb-status', { headers })).status).toBe(200)
})

test('a worker is not asked who else works', async () => {
  await using server = await startParts({ ROLE: 'worker' })

  expect(await errorOf(await server.app.request('/lb-status'))).toMatchObject({ status: 404 })
})
