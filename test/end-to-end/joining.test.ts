/** Clients that give up and ask again, on the real road: ffmpeg, the model, and files that have to go in the end. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RunningServer, repeated, startServer, untilEngineIsBusy } from './server.ts'

let server: RunningServer
let end: ReturnType<RunningServer['stop']> | undefined
const stop = () => (end ??= server.stop())
let recording: Blob
beforeAll(async () => {
  // One place and no line: whoever comes while a recording is worked on is refused.
  server = await startServer({ MAX_CONCURRENT_TRANSCRIPTIONS: '1', MAX_QUEUE_SIZE: '0' })
  recording = await repeated('long.wav', 4)
})
afterAll(async () => {
  await stop()
})

async function ask(headers: Record<string, string>, signal?: AbortSignal): Promise<Response> {
  const body = new FormData()
  body.append('file', recording, 'long.wav')
  const request = { method: 'POST', body, headers, ...(signal && { signal }) }
  return fetch(`${server.url}/v1/audio/transcriptions`, request)
}

/** With a key, work that is only seconds old lingers too. */
const keyed = (key: string) => ({ 'idempotency-key': key })

async function askAndHangUp(key: string): Promise<void> {
  const hangUp = new AbortController()
  const abandoned = ask(keyed(key), hangUp.signal)
  await untilEngineIsBusy(server)
  hangUp.abort(new Error('hung up'))
  await expect(abandoned).rejects.toThrow('hung up')
}

/** As SDKs do it, only without the pause: a refusal means that the server has not seen the hang-up yet. */
async function askUntilTaken(key: string): Promise<Response> {
  for (;;) {
    const answer = await ask(keyed(key))
    if (answer.status !== 503) return answer
    await answer.body?.cancel()
  }
}

test('a client that hung up finds its work still running, though there is no room for more, and gets all of it', async () => {
  await askAndHangUp('again')

  const answer = await askUntilTaken('again')

  expect(answer.headers.get('x-joined')).toBe('running')
  expect(await answer.json()).toEqual(await (await ask({ 'cache-control': 'no-store' })).json())
  expect(await server.leftovers()).toEqual([])
})

test('a server that is told to stop does not wait for clients that have left, and leaves nothing behind', async () => {
  await askAndHangUp('gone')

  expect(await stop()).toEqual({ exitCode: 0, leftovers: [] })
})
