// What a worker leaves behind of a job that is not there any more.
import { expect, test } from 'vitest'
import { audioKey, blobsOfJob } from '../../src/jobs/blob-keys.ts'
import { checkpointOf, NEVER, WHOLE, Workplace } from './places.ts'

async function* twoWindows() {
  yield { kind: 'checkpoint', checkpoint: checkpointOf(0, ' Toget') } as const
  yield { kind: 'checkpoint', checkpoint: checkpointOf(1, ' kører') } as const
  yield { kind: 'done', transcript: WHOLE } as const
}

/** Another machine deletes the job in the moment in which its worker writes. */
function deletedWhileWriting(place: Workplace, id: string): void {
  const put = place.blobs.put.bind(place.blobs)
  place.blobs.put = async (key, content) => {
    await place.queue.forget(id)
    await place.blobs.remove(blobsOfJob(id))
    await put(key, content)
  }
}

test('nothing is left of a job that was deleted while its worker was writing', async () => {
  const place = new Workplace()
  const id = await place.handIn()
  deletedWhileWriting(place, id)
  const runner = place.start(twoWindows)

  await place.ended(id)
  await runner.park(NEVER)

  expect([...place.blobs.kept.keys()]).toEqual([])
})

test('what a worker has written stays when it cannot be asked whether its job is there', async () => {
  const place = new Workplace()
  const id = await place.handIn()
  place.queue.find = () => Promise.reject(new Error('away'))
  const runner = place.start(async function* () {
    await place.queue.cancel(id)
    yield* twoWindows()
  })

  for await (const _event of place.queue.events(id, 0, NEVER));
  await runner.park(NEVER)

  expect([...place.blobs.kept.keys()]).toEqual([audioKey(id)])
})
