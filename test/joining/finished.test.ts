/** How work ends, and how long its transcript is there for those who come late. */
import { beforeEach, expect, test } from 'vitest'
import { Failure } from '../../src/failure.ts'
import { transcriptOf } from '../formats/transcripts.ts'
import { DONE, type StartedParts, startParts } from './parts.ts'

let parts: StartedParts
beforeEach(async () => {
  parts = await startParts()
})

test('a failure is everybody’s, and is not kept', async () => {
  const { ask, road } = parts
  const first = ask()
  const work = await road.work(1)
  const retry = ask()
  await retry.hasJoined

  work.say(new Failure('invalid_audio', 'That is no sound.'))

  const answers = await Promise.allSettled([first.answer, retry.answer])
  expect(answers).toMatchObject([
    { status: 'rejected', reason: { code: 'invalid_audio' } },
    { status: 'rejected', reason: { code: 'invalid_audio' } },
  ])
  expect(await parts.leftovers()).toEqual([])
  const again = ask()
  ;(await road.work(2)).finish()
  expect(await again.answer).toEqual([DONE])
  expect(again.joined()).toBeUndefined()
})

test('events that end without a transcript are a failure, not an answer that never comes', async () => {
  const silent = await startParts({
    transcriber: {
      transcribe: async function* () {},
      detectLanguage: () => Promise.reject(new Error('not asked')),
    },
  })

  await expect(silent.ask().answer).rejects.toThrow('without `done`')
  expect(await silent.leftovers()).toEqual([])
})

test.each([
  [false, 60_000],
  [true, 600_000],
])('finished work, announced: %s, is there for %i ms', async (isAskedAgain, ms) => {
  const { ask, road, timers } = parts
  const source = { identity: 'a', isAskedAgain }
  const first = ask(source)
  ;(await road.work(1)).finish()
  await first.answer
  timers.pass(ms - 1)

  const retry = ask(source)
  expect(await retry.answer).toEqual([DONE])
  expect(retry.joined()).toBe('finished')
  timers.pass(1)

  const late = ask(source)
  ;(await road.work(2)).finish([' Igen.'])
  expect(await late.answer).toEqual([{ kind: 'done', transcript: transcriptOf([' Igen.']) }])
})

test('when too much has finished, the oldest is forgotten', async () => {
  const { ask, road } = await startParts({ shelfLimits: { things: 1, characters: 1000 } })
  for (const [index, identity] of ['a', 'b'].entries()) {
    const client = ask({ identity })
    ;(await road.work(index + 1)).finish()
    await client.answer
  }

  await ask({ identity: 'b' }).answer
  const forgotten = ask({ identity: 'a' })
  ;(await road.work(3)).finish()

  await forgotten.answer
  expect(forgotten.joined()).toBeUndefined()
})

test('what guards removed takes room too', async () => {
  const { ask, road } = await startParts({ shelfLimits: { things: 9, characters: 100 } })
  const dropped = [{ reason: 'loop', startSeconds: 0, endSeconds: 9, text: ' ja'.repeat(33) }]
  const first = ask()
  ;(await road.work(1)).say({ kind: 'done', transcript: { ...transcriptOf([' Ja.']), dropped } })
  await first.answer

  const again = ask()
  ;(await road.work(2)).finish()

  await again.answer
  expect(again.joined()).toBeUndefined()
})

test('nobody has an answer before its making has left the disk', async () => {
  const { ask, road } = parts
  const client = ask()
  const work = await road.work(1)
  let isOver = false
  void work.over.promise.then(() => (isOver = true))

  work.finish()
  await client.answer

  expect(isOver).toBe(true)
  expect(await parts.leftovers()).toEqual([])
})
