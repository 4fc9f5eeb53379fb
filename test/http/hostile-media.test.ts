// Hostile files over HTTP, all at once, on the real road with the real ffmpeg; only the engine is a fake.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { decode } from '../../src/audio/decode.ts'
import type { EngineRequest } from '../../src/engine/events.ts'
import { Admission } from '../../src/queue/admission.ts'
import { Workload } from '../../src/queue/workload.ts'
import { createTranscriber } from '../../src/transcriber.ts'
import { HOSTILE, wav } from '../audio/hostile-files.ts'
import { FFMPEG, openWorkbench } from '../audio/recordings.ts'
import { DETECTED, twoWindows } from '../road.ts'
import { errorOf, startParts } from './parts.ts'

/** As the real one: it has not heard a recording before the last sample is there. */
async function* hearAll({ pcm }: EngineRequest, signal: AbortSignal) {
  let { extent } = pcm
  while (!extent.isComplete) extent = await pcm.grownBeyond(extent, signal)
  yield* twoWindows()
}

test('each gets a 400 that names the file, the good one among them its transcript, and nothing stays', async () => {
  await using bench = await openWorkbench()
  const spool = await mkdtemp(join(tmpdir(), 'hviske-hostile-'))
  onTestFinished(() => rm(spool, { recursive: true }))
  const limits = { directory: spool, maxSeconds: 600 }
  const queue = {
    workload: new Workload({
      places: 2,
      maxWaiting: 99,
      isWorking: () => true,
      nowMs: () => performance.now(),
    }),
    decoding: new Admission({ places: 2 }),
    transcribing: new Admission({ places: 2 }),
  }
  const transcriber = createTranscriber({
    ...queue,
    decode: (path, signal) => decode(FFMPEG, path, limits, signal),
    engine: { run: hearAll, detectLanguage: async () => DETECTED },
  })
  await using server = await startParts({}, {}, { transcriber })
  const post = async (content: Uint8Array<ArrayBuffer>) => {
    const body = new FormData()
    body.append('file', new Blob([content]), 'møde.m4a')
    return server.app.request('/v1/audio/transcriptions', { method: 'POST', body })
  }

  const files: Buffer<ArrayBuffer>[] = []
  for (const [, make] of HOSTILE) files.push(await readFile(await make(bench)))
  const [good, ...refusals] = await Promise.all(
    [wav(), ...files].map((content) => post(Buffer.from(content))),
  )

  expect(good?.status).toBe(200)
  const told = await Promise.all(refusals.map(errorOf))
  expect(told).toMatchObject(
    HOSTILE.map(([, , code]) => ({ status: 400, type: 'invalid_request_error', param: 'file', code })),
  )
  expect(JSON.stringify(told)).not.toContain(spool)
  expect([await server.leftovers(), await readdir(spool)]).toEqual([[], []])
  expect(queue.decoding.state()).toEqual({ active: 0, waiting: 0 })
  expect(queue.transcribing.state()).toEqual({ active: 0, waiting: 0 })
})
