// Hands in one job after the other, says the id of each that was taken, and is killed by its test.
import { anOrder } from '../orders.ts'
import { openWhenTold, say } from './deterministic.ts'

const queue = await openWhenTold()
for (;;) say((await queue.add(anOrder())).job.order.id)
