// A worker whose jobs have as many windows as their metadata say. It says each window, and is killed by its test, or its Redis is.
import type { Lease } from '../../../src/jobs/job-queue.ts'
import { aWindow } from '../orders.ts'
import { openWhenTold, resultOf, say } from './deterministic.ts'

const queue = await openWhenTold()
const never = new AbortController().signal

async function work(lease: Lease): Promise<void> {
  const { id, metadata } = lease.job.order
  const windows = Number(metadata['windows'])
  const done = await queue.windows(id)
  say(`claimed ${id} after ${done.length}`)
  for (let number = done.length; number < windows; number++) {
    if (!(await lease.finishedWindow(aWindow(number, windows)))) return
    say(`window ${number}`)
  }
  const heard = await queue.windows(id)
  await lease.complete(resultOf(heard.map(({ segments }) => segments[0]?.id)))
}

for (;;) {
  await using lease = await queue.claim('batch', never)
  await work(lease)
}
