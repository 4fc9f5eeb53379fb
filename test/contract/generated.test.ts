/**
 * Thousands of generated requests: whatever is asked, the answer is one that the server's own document tells of, and what the
 * document allows is not refused. A failure prints the request, its seed and its path; with them it comes again:
 *
 *   GENERATED_SEED=20261120 GENERATED_PATH=609:5:1 npx vitest run test/contract/generated.test.ts
 *
 * GENERATED_RUNS asks more, or less, than is asked by itself.
 */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { Agent } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { createHttpServer } from '../../src/http/listener.ts'
import type { TranscribeOptions } from '../../src/transcriber.ts'
import type { Transcript } from '../../src/transcript.ts'
import { AUDIO, startServer } from '../end-to-end/server.ts'
import { silentTranscript, transcriptOf } from '../formats/transcripts.ts'
import { startParts } from '../http/parts.ts'
import { judgeOf } from './documented.ts'
import {
  BOUNDARY,
  type GeneratedRequest,
  type OpenApi,
  RECORDING_MARK,
  type Recording,
} from './generated-request.ts'
import { requestsOf } from './generated-requests.ts'
import { multipart, send } from './multipart.ts'

const KEY = 'sk-the-right-one'
const { GENERATED_SEED = '20261120', GENERATED_PATH, GENERATED_RUNS } = process.env

/** What an engine could say to such a wish: in turns ordinary, odd and nothing. */
function transcriptFor(options: TranscribeOptions | undefined, turn: number): Transcript {
  const all = [
    transcriptOf([' Toget kører', ' klokken otte.']),
    transcriptOf([' Rødgrød\u2028 med 💥 --> <b>fløde</b>.'], { languageProbability: 0.5 }),
    silentTranscript(),
  ]
  const transcript = all[turn % all.length] ?? silentTranscript()
  const segments = transcript.segments.map(({ words = [], ...rest }) =>
    options?.wantsWords ? { ...rest, words } : rest,
  )
  return { ...transcript, segments, task: options?.task ?? 'transcribe' }
}

type Recordings = Readonly<Record<Recording, Buffer>>

function bytesOf({ body }: GeneratedRequest, recordings: Recordings): Buffer {
  if (body === undefined) return Buffer.alloc(0)
  if ('text' in body) {
    return Buffer.from(
      body.text.replaceAll(new RegExp(`${RECORDING_MARK}(speech|garbage)`, 'g'), (_, name: Recording) =>
        recordings[name].toString('base64'),
      ),
    )
  }
  const parts = body.parts.map(({ recording, value = '', ...part }) => ({
    ...part,
    value: recording === undefined ? value : recordings[recording],
  }))
  return multipart(parts, BOUNDARY)
}

/** Asks `runs` generated things, one after another. @throws with the smallest request that gets a wrong answer. */
async function askGenerated(url: string, recordings: Recordings, runs: number): Promise<Map<string, number>> {
  const agent = new Agent({ keepAlive: true })
  onTestFinished(() => agent.destroy())
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as OpenApi
  const faultsOf = judgeOf(document)
  const seen = new Map<string, number>()
  const property = fc.asyncProperty(requestsOf(document, KEY), async (request) => {
    const body = bytesOf(request, recordings)
    const length = request.isChunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': body.length }
    const { method, path, headers, isValid } = request
    const answered = await send(`${url}${path}`, body, { ...headers, ...length }, method, agent)
    // 202: a job.
    const isRefused = isValid && ![200, 202].includes(answered.status)
    const refusal = isRefused ? [`a valid request got ${answered.status}: ${answered.body}`] : []
    expect([...faultsOf(request, answered), ...refusal]).toEqual([])
    const key = `${answered.status} ${String(answered.headers['content-type'])}`
    seen.set(key, (seen.get(key) ?? 0) + 1)
  })
  await fc.assert(property, {
    numRuns: Number(GENERATED_RUNS ?? runs),
    seed: Number(GENERATED_SEED),
    ...(GENERATED_PATH !== undefined && { path: GENERATED_PATH }),
  })
  return seen
}

test('2,000 generated requests get no answer that is not documented, and leave nothing behind', async () => {
  await using parts = await startParts({ API_KEYS: KEY }, { maxUploadBytes: 200_000 })
  parts.transcriber.before = async () => {
    const { asked } = parts.transcriber
    parts.transcriber.transcript = transcriptFor(asked.at(-1)?.options, asked.length)
  }
  const server = createHttpServer(parts.app.fetch, parts.parts.log)
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const recordings = {
    speech: Buffer.from('RIFF'),
    garbage: Buffer.from('garbage'),
    empty: Buffer.alloc(0),
    large: Buffer.alloc(250_000),
  }
  const seen = await askGenerated(url, recordings, 2000)

  // A generator that asks only for what is refused, or for what is not, would prove little.
  expect([...seen.keys()].map((key) => key.slice(0, 3))).toEqual(
    expect.arrayContaining(['200', '202', '400', '401', '404', '405', '413', '415']),
  )
  for (const type of [
    'application/json',
    'text/plain',
    'text/vtt',
    'application/x-subrip',
    'text/event-stream',
  ]) {
    expect([...seen.keys()].some((key) => key.startsWith(`200 ${type}`))).toBe(true)
  }
  expect(parts.logged.filter(({ level }) => level === 'error')).toEqual([])
  await expect.poll(() => parts.leftovers()).toEqual([])
})

// 150 requests, of which many are decoded by the model: half a minute alone, minutes beside others.
test('the real server with its model answers generated requests in the same way', {
  timeout: 240_000,
}, async () => {
  const server = await startServer({ API_KEYS: KEY })
  let ended: Awaited<ReturnType<typeof server.stop>> | undefined
  const stop = async () => {
    ended ??= await server.stop()
  }
  onTestFinished(stop)
  const recordings = {
    speech: await readFile(join(AUDIO, 'da.wav')),
    garbage: Buffer.from('this is no recording'),
    empty: Buffer.alloc(0),
    large: Buffer.alloc(250_000),
  }

  const seen = await askGenerated(server.url, recordings, 150)

  expect(seen.size).toBeGreaterThan(5)
  await stop()
  expect(ended).toEqual({ exitCode: 0, leftovers: [] })
})
