import { expect, test } from 'vitest'
import { Failure } from '../../src/failure.ts'
import { createChargingTranscriber } from '../../src/limits/charging-transcriber.ts'
import type { Transcriber } from '../../src/transcriber.ts'
import type { TranscriptEvent } from '../../src/transcript.ts'
import { transcriptOf } from '../formats/transcripts.ts'
import { DETECTED, NEVER, OPTIONS } from '../road.ts'

const transcript = { ...transcriptOf([' Toget kører.']), durationSeconds: 60 }
const decoded: TranscriptEvent = { kind: 'decoded', durationSeconds: 60 }
const progress: TranscriptEvent = { kind: 'progress', processedSeconds: 20, durationSeconds: 60 }
const done: TranscriptEvent = { kind: 'done', transcript }

/** A road that says these things and then, perhaps, fails; and what was charged for it, one after the other. */
function road(events: readonly TranscriptEvent[], failure?: Error) {
  const charges: number[] = []
  const inner: Transcriber = {
    async *transcribe() {
      yield* events
      if (failure !== undefined) throw failure
    },
    detectLanguage: async () => ({ ...DETECTED, durationSeconds: 12 }),
  }
  const charge = async (account: string, seconds: number) => {
    expect(account).toBe('a')
    if (seconds !== 0) charges.push(seconds)
  }
  return { transcriber: createChargingTranscriber(inner, { charge }), charges }
}

async function walk({ transcriber }: ReturnType<typeof road>, account?: string): Promise<TranscriptEvent[]> {
  const source = { path: '/a', ...(account !== undefined && { account }) }
  return Array.fromAsync(transcriber.transcribe(source, OPTIONS, NEVER))
}

const total = (charges: readonly number[]) => charges.reduce((sum, seconds) => sum + seconds, 0)

test('a recording costs its length, as soon as that is known, and once', async () => {
  const paid = road([decoded, progress, done])

  expect(await walk(paid, 'a')).toEqual([decoded, progress, done])

  expect(paid.charges).toEqual([60])
})

test('a length that is known only in the end costs the same', async () => {
  const paid = road([progress, done])
  await walk(paid, 'a')
  expect(paid.charges).toEqual([60])
})

test.each([
  ['our failure costs nothing', new Failure('engine_crashed', 'gone'), 0],
  ['nor does a bug of ours', new Error('bug'), 0],
  ['nor does a server that stops', new Failure('shutting_down', 'stopping'), 0],
  ['a client that leaves pays for what was heard', new Failure('client_closed_request', 'gone'), 20],
])('%s', async (_what, failure, cost) => {
  const paid = road([decoded, progress], failure)

  await expect(walk(paid, 'a')).rejects.toBe(failure)

  expect(paid.charges[0]).toBe(60)
  expect(total(paid.charges)).toBe(cost)
})

test('a reader who stops reading pays for what was heard, too', async () => {
  const paid = road([decoded, progress, done])

  for await (const event of paid.transcriber.transcribe({ path: '/a', account: 'a' }, OPTIONS, NEVER)) {
    if (event.kind === 'progress') break
  }

  expect(total(paid.charges)).toBe(20)
})

test('a language costs a window at most', async () => {
  const paid = road([])

  await paid.transcriber.detectLanguage({ path: '/a', account: 'a' }, NEVER)

  expect(paid.charges).toEqual([12])
})

test('what is nobody’s account costs nobody anything', async () => {
  const paid = road([decoded, done])

  await walk(paid)
  await paid.transcriber.detectLanguage({ path: '/a' }, NEVER)

  expect(paid.charges).toEqual([])
})
