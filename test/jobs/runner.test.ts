import { expect, test } from 'vitest'
import { Failure } from '../../src/failure.ts'
import { audioKey, blobsOfJob } from '../../src/jobs/blob-keys.ts'
import { readLanguage, readTranscript } from '../../src/jobs/stored-transcript.ts'
import type { AudioSource } from '../../src/transcriber.ts'
import type { TranscriptEvent } from '../../src/transcript.ts'
import { windowOf } from './working.ts'
import { checkpointOf, NEVER, type Walk, WHOLE, Workplace } from './places.ts'

async function* twoWindows() {
  yield { kind: 'decoded', durationSeconds: 20 } as const
  yield { kind: 'checkpoint', checkpoint: checkpointOf(0, ' Toget') } as const
  yield { kind: 'checkpoint', checkpoint: checkpointOf(1, ' kører') } as const
  yield { kind: 'done', transcript: WHOLE } as const
}

async function* failing(error: Error): AsyncGenerator<TranscriptEvent> {
  yield* []
  throw error
}

test('a job walks the road, its windows are kept, and its transcript lies where the job says', async () => {
  const place = new Workplace()
  const id = await place.handIn()
  await using _runner = place.start(twoWindows)

  expect(await place.ended(id)).toBe('completed')
  const job = await place.queue.find(id)
  const windows = await place.queue.windows(id)
  expect(job).toMatchObject({ durationSeconds: 20, processedSeconds: 20, attempts: 1 })
  expect(windows.map(({ number, segments }) => [number, segments[0]?.text])).toEqual([
    [0, ' Toget'],
    [1, ' kører'],
  ])
  expect(await readTranscript(place.blobs, String(job?.resultKey), NEVER)).toEqual(WHOLE)
})

test('the recording goes with the end of its job, unless it is to be kept', async () => {
  const place = new Workplace()
  const gone = await place.handIn()
  const kept = await place.handIn({ keepsAudio: true })
  const runner = place.start(twoWindows)

  await Promise.all([place.ended(gone), place.ended(kept)])
  await runner.park(NEVER)

  expect(await place.blobs.sizeOf(audioKey(gone))).toBeUndefined()
  expect(await place.blobs.sizeOf(audioKey(kept))).toBe(4)
})

test('the road is told whose it is, whether somebody waits, and where the recording lies', async () => {
  const place = new Workplace()
  const walked: AudioSource[] = []
  const batch = await place.handIn({ owner: 'key-1' })
  const interactive = await place.handIn({ lane: 'interactive' })
  await using _runner = place.start((source) => {
    walked.push(source)
    return twoWindows()
  })

  await Promise.all([place.ended(batch), place.ended(interactive)])
  const common = { wantsCheckpoints: true, resumeFrom: undefined }
  expect(walked).toHaveLength(2)
  expect(walked).toContainEqual(
    expect.objectContaining({
      ...common,
      path: audioKey(batch),
      owner: 'key-1',
      account: 'key-1',
      tier: 'deferred',
    }),
  )
  expect(walked).toContainEqual(
    expect.objectContaining({ ...common, path: audioKey(interactive), tier: 'realtime' }),
  )
})

test('what was heard before is gone on from', async () => {
  const place = new Workplace()
  const id = await place.handIn()
  const { segments: _told, ...checkpoint } = checkpointOf(0, ' Toget')
  {
    await using lease = await place.queue.claim('batch', NEVER)
    await lease.finishedWindow(windowOf(0, ' Toget', { checkpoint }))
  }
  const resumed: unknown[] = []
  await using _runner = place.start((source) => {
    resumed.push(source.resumeFrom)
    return twoWindows()
  })

  await place.ended(id)
  expect(resumed).toEqual([{ ...checkpoint, segments: windowOf(0, ' Toget').segments }])
})

test('a recording that cannot be heard fails its job, with the words of the road', async () => {
  const place = new Workplace()
  const id = await place.handIn()
  await using _runner = place.start(() =>
    failing(new Failure('invalid_audio', 'no sound', { param: 'file' })),
  )

  expect(await place.ended(id)).toBe('failed')
  expect((await place.queue.find(id))?.failure).toEqual({
    code: 'invalid_audio',
    message: 'no sound',
    param: 'file',
  })
})

test('how jobs end is told to whoever counts them', async () => {
  const place = new Workplace()
  const ends: string[] = []
  const good = await place.handIn()
  const bad = await place.handIn({ lane: 'interactive' })
  const walk: Walk = ({ tier }) =>
    tier === 'realtime' ? failing(new Failure('invalid_audio', 'no sound')) : twoWindows()
  const runner = place.start(walk, { onWritten: (outcome) => void ends.push(outcome) })

  await Promise.all([place.ended(good), place.ended(bad)])
  await runner.park(NEVER)

  expect(ends.toSorted()).toEqual(['completed', 'failed'])
})

test('a bug fails its job without telling of itself', async () => {
  const place = new Workplace()
  const id = await place.handIn()
  await using _runner = place.start(() => failing(new Error('/secret/path')))

  expect(await place.ended(id)).toBe('failed')
  expect((await place.queue.find(id))?.failure).toMatchObject({ code: 'internal_error' })
  expect(JSON.stringify(await place.queue.find(id))).not.toContain('secret')
})

test('a job whose recording is gone says so', async () => {
  const place = new Workplace()
  const id = await place.handIn()
  await place.blobs.remove(blobsOfJob(id))
  await using _runner = place.start(twoWindows)

  await place.ended(id)
  expect((await place.queue.find(id))?.failure?.code).toBe('recording_gone')
})

test.each([
  ['queue_full', 7],
  ['engine_loading', 5],
  ['engine_resting', 30],
  ['insufficient_storage', 5],
] as const)(
  '%s passes: the job stays, is begun again after %i seconds, and it does not count',
  async (code, seconds) => {
    const place = new Workplace()
    const id = await place.handIn()
    let walks = 0
    await using _runner = place.start(async function* () {
      walks += 1
      if (walks === 1)
        throw new Failure(code, 'later', code === 'queue_full' ? { retryAfterSeconds: seconds } : {})
      yield* twoWindows()
    })

    expect(await place.ended(id)).toBe('completed')
    expect(place.pauses).toEqual([seconds])
    expect((await place.queue.find(id))?.attempts).toBe(1)
  },
)

test('what has expired is forgotten before a job is begun, and between two', async () => {
  const place = new Workplace()
  const done: string[] = []
  const ids = [await place.handIn(), await place.handIn()]
  const walk: Walk = (source) => {
    done.push(`job ${ids.findIndex((id) => source.path === audioKey(id))}`)
    return twoWindows()
  }
  await using _runner = place.start(walk, { beforeJob: async () => void done.push('swept') })

  for (const id of ids) await place.ended(id)

  expect(done).toEqual(['swept', 'job 0', 'swept', 'job 1'])
})

test('cancelling a job stops its work', async () => {
  const place = new Workplace()
  const id = await place.handIn()
  const begun = Promise.withResolvers<AbortSignal>()
  await using _runner = place.start(async function* (_source, signal) {
    begun.resolve(signal)
    await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    yield* twoWindows()
  })
  const signal = await begun.promise

  await place.queue.cancel(id)

  expect(signal.aborted).toBe(true)
  expect(await place.ended(id)).toBe('cancelled')
})

test('a queue that fails is asked again', async () => {
  const place = new Workplace()
  const claim = place.queue.claim.bind(place.queue)
  let asked = 0
  place.queue.claim = (lane, signal) => {
    asked += 1
    return asked === 1 ? Promise.reject(new Error('away')) : claim(lane, signal)
  }
  const id = await place.handIn()
  await using _runner = place.start(twoWindows, { atOnce: { interactive: 0, batch: 1 } })

  expect(await place.ended(id)).toBe('completed')
  expect(place.pauses).toHaveLength(1)
})

test('what is no blob is fetched first', async () => {
  const place = new Workplace()
  const id = await place.handIn({ input: { kind: 'url', url: 'https://example.org/a.wav' } })
  const paths: string[] = []
  await using _runner = place.start((source) => {
    paths.push(source.path)
    return twoWindows()
  })

  await place.ended(id)
  expect(paths).toEqual(['fetched url'])
})

test('a job may ask for the language alone', async () => {
  const place = new Workplace()
  const id = await place.handIn({ onlyDetectsLanguage: true })
  await using _runner = place.start(twoWindows)

  await place.ended(id)
  const key = String((await place.queue.find(id))?.resultKey)
  expect(await readLanguage(place.blobs, key, NEVER)).toEqual({
    language: 'da',
    probability: 1,
    languages: [],
  })
})

test('what comes between the transcript and the end is waited for', async () => {
  const place = new Workplace()
  const id = await place.handIn()
  const delivered: string[] = []
  await using _runner = place.start(twoWindows, {
    beforeEnd: async (job, transcript) => {
      delivered.push(`${job.order.id} ${transcript.text}`, String((await place.queue.find(id))?.state))
    },
  })

  expect(await place.ended(id)).toBe('completed')
  expect(delivered).toEqual([`${id} ${WHOLE.text}`, 'processing'])
})

test('a recording goes with the end of its job, unless it is to be kept or heard again', async () => {
  const place = new Workplace()
  const ids = [
    await place.handIn(),
    await place.handIn({ keepsAudio: true }),
    await place.handIn({ fileName: 'broken' }),
  ]
  const walks = [twoWindows, twoWindows, () => failing(new Failure('engine_crashed', 'It crashed.'))]
  await using _runner = place.start(() => walks.shift()?.() ?? failing(new Error('nobody asked for more')))
  for (const id of ids) await place.ended(id)

  const isThere = async (id: string) => (await place.blobs.sizeOf(audioKey(id))) !== undefined
  await expect.poll(() => Promise.all(ids.map(isThere))).toEqual([false, true, true])
})

test('a full disk puts a job back instead of failing it', async () => {
  const place = new Workplace()
  const id = await place.handIn()
  place.blobs.full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
  const pause = async (seconds: number) => {
    place.pauses.push(seconds)
    place.blobs.full = undefined // somebody has made room
  }
  await using _runner = place.start(twoWindows, { pause })

  expect(await place.ended(id)).toBe('completed')
  expect(place.pauses).toEqual([5])
  expect(await place.queue.find(id)).toMatchObject({ attempts: 1 })
})
