// One machine and its SQLite file: a server that is killed, one that is ended in order, and the next one on the same directory.
import { expect, test } from 'vitest'
import { plainWords, repeated, truthOf } from '../end-to-end/server.ts'
import { clip, firstWindow, metricOf, outcomeOf, startServer, submit, temporaryDirectory } from './servers.ts'

test('what a killed server and one that was ended had in hand goes on after its last window, and is done once', {
  timeout: 180_000,
}, async () => {
  const dataDir = await temporaryDirectory()
  const settings = { JOBS_AT_ONCE: '1' }
  const recording = await repeated('long.wav', 2)
  const first = await startServer(dataDir, settings)
  const undisturbed = await outcomeOf(first, await submit(first, recording))
  expect(undisturbed).toMatchObject({ status: 200, end: { status: 'completed' } })

  const long = await submit(first, recording)
  const waiting = [await submit(first, await clip('da.wav')), await submit(first, await clip('da.wav'))]
  const heardFirst = (await firstWindow(first, long)).processed_seconds ?? 0
  await first.kill('SIGKILL')
  const second = await startServer(dataDir, settings)

  const outcomes = await Promise.all([long, ...waiting].map((id) => outcomeOf(second, id)))
  expect(outcomes.map(({ end }) => end?.status)).toEqual(['completed', 'completed', 'completed'])
  expect(outcomes[0]?.result).toMatchObject({
    text: undisturbed.result.text,
    segments: undisturbed.result.segments,
  })
  expect(outcomes[0]?.windows).toEqual(undisturbed.windows)
  // What the first had heard the second has not heard again.
  const length = outcomes.reduce((seconds, { result }) => seconds + result.duration, 0)
  const heardAgain = await metricOf(second, 'hviske_heard_seconds_total')
  expect(heardFirst).toBeGreaterThan(0)
  expect(heardAgain).toBeLessThan(length - heardFirst + 0.01)
  const truth = plainWords((await truthOf('da')).text)
  for (const { result } of outcomes.slice(1)) expect(plainWords(result.text)).toEqual(truth)
  const completed = second.lines.filter((line) => line.includes('"job completed"'))
  expect(completed).toHaveLength(3)

  const parked = await submit(second, recording)
  await firstWindow(second, parked)
  expect(await second.kill('SIGTERM')).toBe(0)
  const third = await startServer(dataDir, settings)
  const { windows, result, end } = await outcomeOf(third, parked)

  expect(end).toMatchObject({ status: 'completed' })
  expect(windows).toEqual(undisturbed.windows)
  expect(result.text).toBe(undisturbed.result.text)
  // What the second had heard the third has not heard again.
  const heard = await metricOf(third, 'hviske_heard_seconds_total')
  expect(heard).toBeGreaterThan(0)
  expect(heard).toBeLessThan(result.duration - (windows[0]?.endsAt ?? 0) + 0.01)
})

test('without Redis an api and a worker share a directory, and the log says under which conditions', async () => {
  const dataDir = await temporaryDirectory()
  const api = await startServer(dataDir, { ROLE: 'api', PYTHON_PATH: '/nonexistent/python' })
  const worker = await startServer(dataDir, { ROLE: 'worker' })
  const body = new FormData()
  body.append('file', await clip('da.wav'), 'da.wav')

  const response = await fetch(`${api.url}/v1/audio/transcriptions`, { method: 'POST', body })

  expect(response.status).toBe(200)
  const { text } = (await response.json()) as { text: string }
  expect(plainWords(text)).toEqual(plainWords((await truthOf('da')).text))
  for (const { lines } of [api, worker]) expect(lines.join('\n')).toContain('with the same DATA_DIR')
  const detected = new FormData()
  detected.append('file', await clip('da.wav'), 'da.wav')
  const language = await fetch(`${api.url}/detect-language`, { method: 'POST', body: detected })
  expect(await language.json()).toMatchObject({ language_code: 'da' })
})
