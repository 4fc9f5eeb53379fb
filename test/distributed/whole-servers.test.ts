// Two whole servers (ROLE=all) that share a queue: each answers by its own engine, and a job is anybody's.
import { once } from 'node:events'
import { text as textOf } from 'node:stream/consumers'
import { Webhook } from 'standardwebhooks'
import { expect, onTestFinished, test } from 'vitest'
import { LbStatus } from '../../src/http/lb-status.ts'
import { plainWords, repeated, truthOf } from '../end-to-end/server.ts'
import { startWeb } from '../fetching/web-server.ts'
import { REDIS } from '../jobs/redis-server.ts'
import {
  clip,
  firstWindow,
  metricOf,
  outcomeOf,
  type Server,
  startServer,
  submit,
  temporaryDirectory,
} from './servers.ts'
import { startStores } from './stores.ts'

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'

test.skipIf(REDIS === undefined)(
  'two whole servers share their jobs: handed in here, done, watched, cancelled and told of there, whichever of them dies',
  { timeout: 300_000 },
  async () => {
    const { redis, settings } = await startStores()
    const hooks = await startHooks()
    const shared = {
      ...settings,
      // One job of a lane at a time, so that it can be said who works.
      JOBS_AT_ONCE: '1',
      JOIN_RETRIES: 'off',
      WEBHOOK_SECRET: SECRET,
      URL_ALLOWED_NETWORKS: '127.0.0.0/8',
    }
    const start = async (name: string) =>
      startServer(await temporaryDirectory(), { ...shared, WORKER_ID: name })
    const [one, other] = await Promise.all([start('one'), start('other')])
    for (const server of [one, other]) {
      await expect.poll(() => statesOf(server), WHILE).toEqual({ one: 'ready', other: 'ready' })
      // What was asked of it directly, its own engine hears.
      expect(await textFrom(server)).toEqual(plainWords((await truthOf('da')).text))
      expect(await metricOf(server, 'hviske_recordings_total')).toBe(1)
    }

    // The same key at the other server is the same job, and its result is the same from both.
    // Long enough to be killed in the middle: who has just ended a job may have its webhook in hand for two minutes.
    const recording = await repeated('long.wav', 4)
    const first = await handIn(one, recording, 'monday')
    const again = await handIn(other, recording, 'monday')
    expect([first.status, again.status]).toEqual([202, 200])
    expect(again.id).toBe(first.id)
    const undisturbed = await outcomeOf(other, first.id)
    expect(undisturbed).toMatchObject({ status: 200, end: { status: 'completed' } })
    expect((await outcomeOf(one, first.id)).result).toEqual(undisturbed.result)

    // Cancelled by the one who does not work on it, and deleted there.
    const endless = await submit(one, await repeated('long.wav', 30))
    await firstWindow(other, endless)
    const [works, idles] = await byWork([one, other])
    await fetch(`${idles.url}/v1/jobs/${endless}/cancel`, { method: 'POST' })
    expect((await outcomeOf(works, endless)).end).toMatchObject({ status: 'cancelled' })
    await expect.poll(() => activeOf(works), WHILE).toBe(0)
    expect((await fetch(`${idles.url}/v1/jobs/${endless}`, { method: 'DELETE' })).status).toBe(200)
    expect((await fetch(`${works.url}/v1/jobs/${endless}`)).status).toBe(404)

    // Killed in the middle: the other goes on after the last window, and tells whoever is to be told.
    const id = await submit(one, recording, { callback_url: hooks.url })
    await firstWindow(other, id)
    const [victim, survivor] = await byWork([one, other])
    await victim.kill('SIGKILL')
    const interrupted = await outcomeOf(survivor, id)
    expect(interrupted).toMatchObject({ status: 200, end: { status: 'completed' } })
    expect(interrupted.windows).toEqual(undisturbed.windows)
    expect(interrupted.result).toMatchObject({ text: undisturbed.result.text })
    expect(await hooks.told(id)).toMatchObject({ type: 'job.completed', data: { id } })
    const gone = victim === one ? 'one' : 'other'
    await expect.poll(() => statesOf(survivor), WHILE).toMatchObject({ [gone]: 'gone' })

    // Told to end in the middle: parked at a window's edge, and gone on with by the other.
    const third = await start('third')
    await expect.poll(() => statesOf(third), WHILE).toMatchObject({ third: 'ready' })
    const parked = await submit(third, recording)
    await firstWindow(survivor, parked)
    const [leaves, stays] = await byWork([survivor, third])
    expect(await leaves.kill('SIGTERM')).toBe(0)
    const moved = await outcomeOf(stays, parked)
    expect(moved.windows).toEqual(undisturbed.windows)
    expect(moved.result.text).toBe(undisturbed.result.text)

    // Without the queue there are no jobs; whoever waits is answered all the same.
    await redis.end('SIGKILL')
    await expect.poll(async () => (await fetch(`${stays.url}/readyz`)).status, WHILE).toBe(503)
    expect(await textFrom(stays)).toEqual(plainWords((await truthOf('da')).text))
    expect(await handIn(stays, recording, 'tuesday')).toMatchObject({
      status: 503,
      code: 'queue_unreachable',
    })
    expect(await statusOf(stays)).toMatchObject({ jobs: { reachable: false }, totals: { working: 1 } })
    await redis.start()
    await expect.poll(async () => (await fetch(`${stays.url}/readyz`)).status, WHILE).toBe(200)
    expect(await handIn(stays, await clip('da.wav'), 'wednesday')).toMatchObject({ status: 202 })
  },
)

/** Python and the model take their time on a machine that others use. */
const WHILE = { timeout: 120_000, interval: 100 }

async function statusOf({ url }: Server) {
  return LbStatus.parse(await (await fetch(`${url}/lb-status`)).json())
}

async function statesOf(server: Server): Promise<Record<string, string>> {
  const { workers } = await statusOf(server)
  return Object.fromEntries(workers.map(({ name, state }) => [name, state]))
}

async function textFrom({ url }: Server): Promise<string[]> {
  const body = new FormData()
  body.append('file', await clip('da.wav'), 'da.wav')
  const response = await fetch(`${url}/v1/audio/transcriptions`, { method: 'POST', body })
  return plainWords(((await response.json()) as { text: string }).text)
}

async function handIn({ url }: Server, recording: Blob, key: string) {
  const body = new FormData()
  body.append('file', recording, 'recording.wav')
  body.append('language', 'da')
  body.append('max_speech_duration_s', '6')
  const headers = { 'idempotency-key': key }
  const response = await fetch(`${url}/v1/jobs`, { method: 'POST', headers, body })
  const answer = (await response.json()) as { id: string; error?: { code: string } }
  return { status: response.status, id: answer.id, code: answer.error?.code }
}

async function activeOf({ url }: Server): Promise<number> {
  const health = (await (await fetch(`${url}/health`)).json()) as { queue: { active: number } }
  return health.queue.active
}

/** Who works on something first. */
async function byWork([one, other]: readonly [Server, Server]): Promise<[Server, Server]> {
  return (await activeOf(one)) > 0 ? [one, other] : [other, one]
}

/** Somebody who is told of jobs' ends, and believes what is signed. */
async function startHooks() {
  const told = new EventTarget()
  const heard = new Map<string, unknown>()
  const web = await startWeb((request, response) => {
    void textOf(request).then((body) => {
      const message = new Webhook(SECRET).verify(body, request.headers as Record<string, string>)
      heard.set((message as { data: { id: string } }).data.id, message)
      response.writeHead(204).end()
      told.dispatchEvent(new Event('told'))
    })
  })
  onTestFinished(() => web[Symbol.asyncDispose]())
  return {
    url: `${web.url}/told`,
    async told(id: string): Promise<unknown> {
      while (!heard.has(id)) await once(told, 'told')
      return heard.get(id)
    },
  }
}
