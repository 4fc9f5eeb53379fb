// One address, two workers, and clients who never stop asking: what /lb-status tells while one worker is killed and the other is told to end.
import { expect, test } from 'vitest'
import { plainWords, truthOf } from '../end-to-end/server.ts'
import { REDIS } from '../jobs/redis-server.ts'
import { LbStatus } from '../../src/http/lb-status.ts'
import { keepAsking } from './clients.ts'
import { type Server, startServer, temporaryDirectory } from './servers.ts'
import { startStores } from './stores.ts'

test.skipIf(REDIS === undefined)(
  'a worker that is killed is told of as gone, and whoever asks is answered all the time',
  { timeout: 300_000 },
  async () => {
    const { settings } = await startStores()
    // Otherwise the second who sends the same recording is answered with what the first one got.
    const unjoined = { JOIN_RETRIES: 'off' }
    const nothing = { PYTHON_PATH: '/nonexistent/python', FFMPEG_PATH: '/nonexistent/ffmpeg' }
    const apiSettings = { ...settings, ...nothing, ...unjoined, ROLE: 'api' }
    const api = await startServer(await temporaryDirectory(), apiSettings)
    expect(await statusOf(api)).toMatchObject({ status: 'unavailable', scope: 'queue', workers: [] })

    const start = async (name: string) =>
      startServer(await temporaryDirectory(), { ...settings, ROLE: 'worker', WORKER_ID: name })
    const [victim, survivor] = await Promise.all([start('gpu-1'), start('gpu-2')])
    await expect.poll(() => statesOf(api), WHILE).toEqual({ 'gpu-1': 'ready', 'gpu-2': 'ready' })
    // Polled all along: who is late on a busy machine is gone for a moment.
    await expect
      .poll(() => statusOf(api), WHILE)
      .toMatchObject({
        status: 'healthy',
        totals: { workers: 2, working: 2, taken_out: 0, slots: 2, places: 16 },
        models: ['tiny-da'],
        jobs: { reachable: true },
      })

    const clients = keepAsking(api, 3)
    await clients.answered(6)
    await victim.kill('SIGKILL')
    await expect.poll(() => statesOf(api), WHILE).toMatchObject({ 'gpu-1': 'gone' })
    await expect
      .poll(() => statusOf(api), WHILE)
      .toMatchObject({ status: 'degraded', totals: { workers: 2, working: 1, taken_out: 1, slots: 1 } })
    const victimNow = (await statusOf(api)).workers.find(({ name }) => name === 'gpu-1')
    expect(victimNow?.reason).toMatch(/^It has told nothing for \d+ s/)
    await clients.answered(6)

    // Started again, as whoever looks after its process does it, it is not missed any more.
    const again = await start('gpu-1')
    await expect.poll(async () => (await statusOf(api)).status, WHILE).toBe('healthy')
    expect((await statusOf(api)).workers.map(({ name }) => name).sort()).toEqual(['gpu-1', 'gpu-2'])
    // Who ends in order takes itself off the list.
    await survivor.kill('SIGTERM')
    await expect.poll(() => statesOf(api), WHILE).not.toHaveProperty('gpu-2')
    await clients.answered(3)

    const { texts, refusals } = await clients.leave()
    expect(refusals).toEqual([])
    const truth = plainWords((await truthOf('da')).text)
    for (const text of texts) expect(plainWords(text)).toEqual(truth)
    await again.kill('SIGTERM')
    await expect.poll(async () => (await statusOf(api)).status, WHILE).toBe('unavailable')
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
