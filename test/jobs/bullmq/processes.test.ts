// Real worker processes on a real Redis. Workers are killed, and Redis is.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { crashContract } from '../crash-contract.ts'
import { addAll, anOrder, comesTo, story } from '../orders.ts'
import { REDIS, type RedisServer, startRedis } from '../redis-server.ts'
import { resultOf } from '../workers/deterministic.ts'
import { NO_REDIS, type Site, siteOn } from './parts.ts'

const workerPath = (name: string) => fileURLToPath(new URL(`../workers/${name}.ts`, import.meta.url))

/** Works until it is killed. It is slow to load, so it begins when it is told to. */
class Worker {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>

  constructor({ url }: RedisServer, { prefix }: Site, lockMs = 500) {
    const settings = JSON.stringify({ url, prefix, lockMs })
    const child = spawn(
      process.execPath,
      [workerPath('does-long-jobs'), workerPath('opens-bull'), settings],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    )
    this.#child = child
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    onTestFinished(() => void child.kill('SIGKILL'))
  }

  begin(): this {
    this.#child.stdin?.write('begin\n')
    return this
  }

  /** The next line that matches. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const { value, done } = await this.#lines.next()
      if (done === true) throw new Error('the worker has ended by itself')
      const match = pattern.exec(value)
      if (match !== null) return match
    }
  }

  async kill(): Promise<void> {
    const gone = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await gone
  }
}

const numbers = (count: number) => Array.from({ length: count }, (_, number) => number)
const withWindows = (windows: number) => anOrder({ metadata: { windows: `${windows}` } })
const windowsOf = (told: readonly (string | number)[]) => told.filter((event) => typeof event === 'number')

if (REDIS !== undefined) {
  crashContract('BullMQ, killed', async (settings) => {
    const server = await startRedis({ appendfsync: 'no' }) // it lives; workers die
    const site = siteOn(server)
    const queue = await site.open(settings)
    return {
      queue,
      opener: workerPath('opens-bull'),
      settings: { url: server.url, prefix: site.prefix, ...settings },
      async [Symbol.asyncDispose]() {
        await site[Symbol.asyncDispose]()
        await server[Symbol.asyncDispose]()
      },
    }
  })
}

describe.skipIf(REDIS === undefined)(`worker processes${REDIS ? '' : ` (skipped: ${NO_REDIS})`}`, () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis()
  })
  afterAll(() => server[Symbol.asyncDispose]())

  test('redis is killed and ended while two workers work: each job is done, each window told once', async () => {
    await using site = siteOn(server)
    const queue = await site.open({ mostAttemptsWithoutProgress: 1000 })
    const orders = await addAll(
      queue,
      numbers(12).map(() => withWindows(20)),
    )
    const stories = Promise.all(orders.map(({ id }) => story(queue, id)))
    const [first] = [new Worker(server, site).begin(), new Worker(server, site).begin()]

    for (const signal of ['SIGKILL', 'SIGTERM', 'SIGKILL'] as const) {
      for (let windows = 0; windows < 15; windows++) await first?.says(/^window/)
      await server.end(signal)
      await server.start()
    }

    for (const told of await stories) {
      expect(windowsOf(told)).toEqual(numbers(20))
      expect(told.filter((event) => event === 'completed')).toHaveLength(1)
    }
    for (const { resultKey } of await queue.list({ limit: 100 }))
      expect(resultKey).toBe(resultOf(numbers(20)))
    expect((await queue.counts()).batch).toMatchObject({
      completed: 12,
      pending: 0,
      processing: 0,
      failed: 0,
    })
  })

  test('of two workers one is killed: its long job goes on with the other, from its last window', async () => {
    await using site = siteOn(server)
    const queue = await site.open()
    const { id } = (await queue.add(withWindows(1500))).job.order
    // Long enough that a busy machine makes no worker lose its lease: attempts are counted here.
    const [first, second] = [new Worker(server, site, 2000).begin(), new Worker(server, site, 2000)]
    expect((await first.says(/^claimed (\S+) after (\d+)/)).slice(1)).toEqual([id, '0'])
    await first.says(/^window 50$/)

    await first.kill()
    const [, , after] = await second.begin().says(/^claimed (\S+) after (\d+)/)

    expect(Number(after)).toBeGreaterThan(50)
    expect(Number(after)).toBeLessThan(1500)
    await comesTo(queue, id, 'completed')
    expect(windowsOf(await story(queue, id))).toEqual(numbers(1500))
    expect(await queue.find(id)).toMatchObject({ attempts: 2, resultKey: resultOf(numbers(1500)) })
  })
})
