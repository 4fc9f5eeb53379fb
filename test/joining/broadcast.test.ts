import { expect, test } from 'vitest'
import { Broadcast } from '../../src/joining/broadcast.ts'
import type { TranscriptEvent } from '../../src/transcript.ts'
import { transcriptOf } from '../formats/transcripts.ts'
import { NEVER } from '../road.ts'

const delta = (text: string): TranscriptEvent => ({ kind: 'delta', text })
const progress = (processedSeconds: number): TranscriptEvent => ({
  kind: 'progress',
  processedSeconds,
  durationSeconds: 9,
})
const decoded: TranscriptEvent = { kind: 'decoded', durationSeconds: 9 }
const done: TranscriptEvent = { kind: 'done', transcript: transcriptOf([' Toget']) }
const all = (broadcast: Broadcast) => Array.fromAsync(broadcast.read(NEVER))

test('a reader who was there from the beginning hears every event as it was said', async () => {
  const broadcast = new Broadcast()
  const reader = broadcast.read(NEVER)

  for (const event of [delta(' To'), delta('get'), progress(1), progress(2)]) {
    const heard = reader.next()
    broadcast.say(event)
    expect(await heard).toEqual({ done: false, value: event })
  }
  const last = reader.next()
  broadcast.end()

  expect(await last).toEqual({ done: true, value: undefined })
})

test('a reader who comes in the middle hears all of it, and then what follows', async () => {
  const broadcast = new Broadcast()
  broadcast.say(decoded)
  broadcast.say(delta(' To'))
  const late = broadcast.read(NEVER)

  const first = [(await late.next()).value, (await late.next()).value]
  const next = late.next()
  broadcast.say(done)

  expect(first).toEqual([decoded, delta(' To')])
  expect((await next).value).toEqual(done)
})

test('a reader who comes after the end hears all of it', async () => {
  const broadcast = new Broadcast()
  for (const event of [decoded, progress(1), done]) broadcast.say(event)
  broadcast.end()

  expect(await all(broadcast)).toEqual([decoded, progress(1), done])
  expect(await all(broadcast)).toEqual([decoded, progress(1), done])
})

test('a slow reader holds nobody up, and what it has not read takes little room', async () => {
  const broadcast = new Broadcast()
  const slow = broadcast.read(NEVER)
  const quick = broadcast.read(NEVER)
  const waiting = [slow.next(), quick.next()]
  broadcast.say(decoded)
  await Promise.all(waiting)

  const heard: unknown[] = []
  for (const event of [
    delta(' To'),
    delta('get'),
    progress(1),
    progress(2),
    delta(' kø'),
    delta('rer'),
    done,
  ]) {
    const next = quick.next()
    broadcast.say(event)
    heard.push((await next).value)
  }
  broadcast.end()

  expect(heard).toHaveLength(7)
  expect(await Array.fromAsync(slow)).toEqual([delta(' Toget'), progress(2), delta(' kører'), done])
})

test('a failure reaches everybody, after what was said before it', async () => {
  const broadcast = new Broadcast()
  const [early, late] = [broadcast.read(NEVER), broadcast.read(NEVER)]
  const waiting = early.next()

  broadcast.say(decoded)
  broadcast.fail(new Error('broken'))

  expect((await waiting).value).toEqual(decoded)
  expect((await late.next()).value).toEqual(decoded)
  await expect(early.next()).rejects.toThrow('broken')
  await expect(late.next()).rejects.toThrow('broken')
  await expect(all(broadcast)).rejects.toThrow('broken')
})

test('what comes after the end changes nothing', async () => {
  const broadcast = new Broadcast()
  broadcast.say(done)
  broadcast.end()
  broadcast.fail(new Error('too late'))

  expect(await all(broadcast)).toEqual([done])
})

test('a reader whose signal aborts leaves at once, with its reason', async () => {
  const broadcast = new Broadcast()
  const client = new AbortController()
  const reader = broadcast.read(client.signal)
  const waiting = reader.next()

  client.abort(new Error('hung up'))

  await expect(waiting).rejects.toThrow('hung up')
})

test('a reader whose signal aborts reads nothing more, even of what is there', async () => {
  const broadcast = new Broadcast()
  const client = new AbortController()
  for (const event of [decoded, done]) broadcast.say(event)
  const reader = broadcast.read(client.signal)
  await reader.next()

  client.abort(new Error('hung up'))

  await expect(reader.next()).rejects.toThrow('hung up')
})
