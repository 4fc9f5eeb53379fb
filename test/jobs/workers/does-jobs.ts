// A worker whose work is known beforehand. It says each step, and is killed by its test at any place.
import { aWindow } from '../orders.ts'
import { goOn, openWhenTold, resultOf, say, WINDOWS_OF_A_JOB } from './deterministic.ts'

const queue = await openWhenTold()
const never = new AbortController().signal
for (;;) {
  await goOn()
  const lease = await queue.claim('batch', never)
  const { id } = lease.job.order
  say(`claimed ${id}`)
  for (let next = (await queue.windows(id)).length; next < WINDOWS_OF_A_JOB; next++) {
    await goOn()
    await lease.finishedWindow(aWindow(next, WINDOWS_OF_A_JOB))
    say(`finished window ${next}`)
  }
  const windows = await queue.windows(id)
  await goOn()
  await lease.complete(resultOf(windows.map(({ segments }) => segments[0]?.id)))
  say('completed')
}
