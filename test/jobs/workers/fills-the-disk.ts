// Fills the small disk on which its queue lies, and says what it was told and what is left.
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Failure } from '../../../src/failure.ts'
import { openSqliteQueue } from '../../../src/jobs/sqlite/queue.ts'
import { createLog } from '../../../src/log.ts'
import { anOrder, aWindow, claimNow, comesTo } from '../orders.ts'

const [directory = ''] = process.argv.slice(2)
const path = join(directory, 'jobs.sqlite')
const ballast = join(directory, 'ballast')
writeFileSync(ballast, new Uint8Array(300_000))
const queue = await openSqliteQueue({ path, log: createLog('error'), pollEveryMs: 10 })
const taken: string[] = []

async function untilRefused(act: () => Promise<unknown>): Promise<unknown> {
  try {
    for (;;) await act()
  } catch (error) {
    return error instanceof Failure ? error.code : error
  }
}

taken.push((await queue.add(anOrder())).job.order.id)
const lease = await claimNow(queue)
taken.push((await queue.add(anOrder())).job.order.id)
const parked = await claimNow(queue)
let windows = 0
const window = await untilRefused(async () => {
  await lease.finishedWindow({ ...aWindow(windows), checkpoint: 'x'.repeat(20_000) })
  windows++
})
const added = await untilRefused(async () => {
  taken.push((await queue.add(anOrder({ metadata: { long: 'x'.repeat(20_000) } }))).job.order.id)
})
let seconds = 300 // another one each time: what is the same is not written
await untilRefused(() => lease.lengthIs(seconds++))
await parked.release()
const isStillHeld = (await queue.find(parked.job.order.id))?.state === 'processing'
rmSync(ballast)
await comesTo(queue, parked.job.order.id, 'pending', 2)
const isLetGoLater = isStillHeld && (await queue.find(parked.job.order.id))?.attempts === 0
const goesOnWithRoom = await lease.finishedWindow(aWindow(windows++))
const kept = (await queue.list({ limit: 1000 })).map(({ order }) => order.id)
const keptWindows = (await queue.windows(taken[0] ?? '')).length
await queue[Symbol.asyncDispose]()

const integrity = new DatabaseSync(path).prepare('PRAGMA integrity_check').get()
const isIntact = integrity?.['integrity_check'] === 'ok'
const hasAllThatWasTaken = keptWindows === windows && taken.toSorted().join() === kept.toSorted().join()
process.stdout.write(
  JSON.stringify({ added, window, isLetGoLater, isIntact, hasAllThatWasTaken, goesOnWithRoom }),
)
