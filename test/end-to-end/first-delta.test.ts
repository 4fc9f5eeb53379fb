// How soon a long recording says its first word: the road with the real ffmpeg and the real tiny model.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { decode } from '../../src/audio/decode.ts'
import { readConfig } from '../../src/config.ts'
import { modelArguments, workerCommand } from '../../src/engine/command.ts'
import { createEngine } from '../../src/engine/engine.ts'
import { Admission } from '../../src/queue/admission.ts'
import { Workload } from '../../src/queue/workload.ts'
import { createTranscriber } from '../../src/transcriber.ts'
import { FFMPEG, openWorkbench } from '../audio/recordings.ts'
import { NEVER, OPTIONS } from '../road.ts'
import { repeated } from './server.ts'
import { SILENT } from '../engine/children.ts'

test('the first words come before a tenth of a ten-minute recording has been decoded', async () => {
  await using bench = await openWorkbench()
  const path = join(bench.directory, 'long.wav')
  await writeFile(path, (await repeated('long.wav', 9)).stream())
  const config = readConfig({ MODEL: 'models/tiny-da', DEVICE: 'cpu' })
  const command = workerCommand(config.pythonPath, modelArguments(config), bench.spool)
  const engine = createEngine({ command, log: SILENT })
  onTestFinished(() => engine.stop())
  await engine.start()
  const transcriber = createTranscriber({
    decode: (file, signal) => decode(FFMPEG, file, { directory: bench.spool, maxSeconds: 3600 }, signal),
    decoding: new Admission({ places: 1 }),
    transcribing: new Admission({ places: 1 }),
    workload: new Workload({ places: 1, maxWaiting: 1, isWorking: () => true, nowMs: () => 0 }),
    engine,
  })

  let processedSeconds = 0
  let whenFirstSaid: number | undefined
  let durationSeconds = 0
  for await (const event of transcriber.transcribe({ path }, { ...OPTIONS, wantsDeltas: true }, NEVER)) {
    if (event.kind === 'delta') whenFirstSaid ??= processedSeconds
    if (event.kind === 'progress') processedSeconds = event.processedSeconds
    if (event.kind === 'done') durationSeconds = event.transcript.durationSeconds
  }

  expect(durationSeconds).toBeGreaterThan(600)
  expect(processedSeconds).toBeGreaterThan(600)
  expect(whenFirstSaid).toBeLessThan(durationSeconds / 10)
})
