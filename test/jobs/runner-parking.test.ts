import { expect, test } from 'vitest'
import { checkpointOf, NEVER, Workplace } from './places.ts'

test('parking puts the job back at the edge of a window, and nothing new is begun', async () => {
  const place = new Workplace()
  const first = await place.handIn()
  const second = await place.handIn()
  const begun = Promise.withResolvers<void>()
  let isCut: boolean | undefined
  const runner = place.start(async function* ({ park }, signal) {
    begun.resolve()
    await new Promise((resolve) => park?.addEventListener('abort', resolve))
    isCut = signal.aborted
    yield { kind: 'checkpoint', checkpoint: checkpointOf(0, ' Toget') } as const
    throw park?.reason
  })
  await begun.promise

  await runner.park(NEVER)

  expect(isCut).toBe(false) // the window that it is in is heard to its end
  expect(await place.queue.find(first)).toMatchObject({ state: 'pending', attempts: 0, processedSeconds: 10 })
  expect(await place.queue.find(second)).toMatchObject({ state: 'pending', attempts: 0 })
})

test('when it is too late for a window to end, the work is cut off and the job is put back', async () => {
  const place = new Workplace()
  const id = await place.handIn()
  const begun = Promise.withResolvers<void>()
  const runner = place.start(async function* (_source, signal) {
    begun.resolve()
    await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    yield* []
  })
  await begun.promise

  await runner.park(AbortSignal.abort())

  expect(await place.queue.find(id)).toMatchObject({ state: 'pending', attempts: 0 })
})
