import { expect, test } from 'vitest'
import { watchQueue } from '../../src/jobs/queue-watch.ts'
import { createLog } from '../../src/log.ts'

test('one look that finds nobody is forgiven, the second is told, and so is the first that finds somebody again', async () => {
  const logged: string[] = []
  const told: boolean[] = []
  const answers = [true, false, true, false, false, false, true]
  const done = Promise.withResolvers<void>()
  const watch = watchQueue({
    queue: { isReachable: () => Promise.resolve(answers.shift() ?? true) },
    log: createLog('info', (line) => logged.push((JSON.parse(line) as { message: string }).message)),
    pause: async (signal) => {
      told.push(watch.isReachable())
      if (answers.length > 0) return
      done.resolve()
      await new Promise((_, reject) => signal.addEventListener('abort', reject))
    },
  })
  await done.promise
  await watch[Symbol.asyncDispose]()

  expect(told).toEqual([true, true, true, true, false, false, true])
  expect(logged).toEqual([
    'the queue of jobs does not answer: not ready until it does',
    'the queue of jobs answers again',
  ])
})
