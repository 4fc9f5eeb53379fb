import { expect, test } from 'vitest'
import type { Answer } from '../../src/engine/protocol.ts'
import { PendingRequests } from '../../src/engine/requests.ts'
import { Failure } from '../../src/failure.ts'
import { all } from './children.ts'

const progress = (id: number) =>
  ({ kind: 'progress', id, processed_seconds: 1, duration_seconds: 2, windows_done: 1 }) as const
const detected = (id: number): Answer => ({
  kind: 'detected',
  id,
  language: 'da',
  probability: 1,
  languages: [],
  duration_seconds: 1,
})

test('each reader gets what was said of its own request, the final message last', async () => {
  const requests = new PendingRequests()
  const first = requests.open('transcribe')
  const second = requests.open('detect_language')

  requests.deliver(detected(second.id))
  requests.deliver(progress(first.id))
  requests.deliver({ kind: 'cancelled', id: first.id })

  expect(await all(first.answers)).toEqual([progress(first.id), { kind: 'cancelled', id: first.id }])
  expect(await all(second.answers)).toEqual([detected(second.id)])
  expect(requests.recordings).toBe(0)
})

test.each([
  ['an unknown request', 7],
  ['a request that was answered before', 1],
])('an answer to %s is a bug of the child', (_what, id) => {
  const requests = new PendingRequests()
  requests.open('transcribe')
  requests.deliver({ kind: 'cancelled', id: 1 })

  expect(() => requests.deliver({ kind: 'cancelled', id })).toThrow(`request ${id}, which is not owed that`)
})

test('an answer to another question is a bug of the child', () => {
  const requests = new PendingRequests()
  const { id } = requests.open('transcribe')

  expect(() => requests.deliver(detected(id))).toThrow("said 'detected' of request 1")
})

test('who gives up hears the reason at once, and the late answer still counts as paid', async () => {
  const requests = new PendingRequests()
  const { id, answers } = requests.open('transcribe')
  requests.deliver(progress(id))

  expect(requests.abandon(id, new Error('hung up'))).toBe(true)

  await expect(answers.next()).rejects.toThrow('hung up')
  expect(requests.recordings).toBe(1)
  requests.deliver({ kind: 'cancelled', id })
  expect(requests.recordings).toBe(0)
  expect(requests.abandon(id, new Error('again'))).toBe(false)
})

test('what the child said before it died is still heard, and then that it died', async () => {
  const requests = new PendingRequests()
  const { id, answers } = requests.open('transcribe')
  requests.deliver(progress(id))

  requests.failAll(new Failure('engine_crashed', 'gone'))

  expect(await answers.next()).toMatchObject({ value: progress(id) })
  await expect(answers.next()).rejects.toThrow('gone')
})

test('a ping is owed a pong and nothing else, and is no recording', () => {
  const requests = new PendingRequests()
  const { id } = requests.open('ping')

  expect(requests.recordings).toBe(0)
  expect(() => requests.deliver({ kind: 'cancelled', id })).toThrow('not owed that')
})

test('when the child is gone, everybody hears it: who waits now and who asks later', async () => {
  const requests = new PendingRequests()
  const before = requests.open('transcribe')
  const failure = new Failure('engine_crashed', 'gone')

  requests.failAll(failure)

  await expect(before.answers.next()).rejects.toBe(failure)
  await expect(requests.open('detect_language').answers.next()).rejects.toBe(failure)
  expect(requests.recordings).toBe(0)
})
