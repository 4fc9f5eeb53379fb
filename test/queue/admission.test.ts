import { expect, test } from 'vitest'
import { Admission } from '../../src/queue/admission.ts'
import type { Tier } from '../../src/queue/tiers.ts'

const NEVER = new AbortController().signal

/** Lets everything that can happen now happen. */
const settle = () => new Promise((resolve) => setImmediate(resolve))

/** Enters one after the other; `order` fills as they are let in, and `letGo` ends the longest turn. */
function crowd(admission: Admission) {
  const order: string[] = []
  const turns: Disposable[] = []
  const enter = async (name: string, key?: string, signal = NEVER, tier?: Tier) => {
    const ticket = { ...(key !== undefined && { key }), ...(tier !== undefined && { tier }) }
    const turn = await admission.enter(ticket, signal)
    order.push(name)
    turns.push(turn)
  }
  return { order, enter, letGo: () => turns.shift()?.[Symbol.dispose]() }
}

test('as many as there are places come in at once, the others wait', async () => {
  const admission = new Admission({ places: 2 })
  const { enter, order } = crowd(admission)

  void enter('a')
  void enter('b')
  void enter('c')
  await settle()

  expect(order).toEqual(['a', 'b'])
  expect(admission.state()).toEqual({ active: 2, waiting: 1 })
})

test.each([
  ['one line is served in order', ['a', 'b', 'c'], ['a', 'b', 'c']],
  ['two keys take turns', ['x1', 'x2', 'x3', 'y1', 'y2'], ['x1', 'x2', 'y1', 'x3', 'y2']],
  ['a late key is not last', ['x1', 'x2', 'x3', 'x4', 'y1', 'z1'], ['x1', 'x2', 'y1', 'z1', 'x3', 'x4']],
])('%s', async (_what, arrivals, expected) => {
  const admission = new Admission({ places: 1 })
  const { enter, letGo, order } = crowd(admission)
  for (const name of arrivals) void enter(name, name.length > 1 ? name.slice(0, 1) : undefined)

  for (const _ of arrivals) {
    await settle()
    letGo()
  }

  expect(order).toEqual(expected)
  expect(admission.state()).toEqual({ active: 0, waiting: 0 })
})

test('who gives up while waiting leaves the line, and nobody behind suffers', async () => {
  const admission = new Admission({ places: 1 })
  const { enter, letGo, order } = crowd(admission)
  const client = new AbortController()
  void enter('a')
  const gaveUp = enter('b', undefined, client.signal)
  void enter('c')
  await settle()

  client.abort(new Error('the client hung up'))

  await expect(gaveUp).rejects.toThrow('the client hung up')
  expect(admission.state()).toEqual({ active: 1, waiting: 1 })
  letGo()
  await settle()
  expect(order).toEqual(['a', 'c'])
})

test('a signal that aborts after the turn was given takes nothing away', async () => {
  const admission = new Admission({ places: 1 })
  const client = new AbortController()
  const turn = await admission.enter({}, client.signal)

  client.abort()

  expect(admission.state()).toEqual({ active: 1, waiting: 0 })
  turn[Symbol.dispose]()
  expect(admission.state()).toEqual({ active: 0, waiting: 0 })
})

test('who has given up before does not enter', async () => {
  const admission = new Admission({ places: 1 })

  await expect(admission.enter({}, AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone')
  expect(admission.state()).toEqual({ active: 0, waiting: 0 })
})

test('a turn that is disposed twice frees one place', async () => {
  const admission = new Admission({ places: 1 })
  const turn = await admission.enter({}, NEVER)
  void admission.enter({}, NEVER)
  void admission.enter({}, NEVER)

  turn[Symbol.dispose]()
  turn[Symbol.dispose]()

  expect(admission.state()).toEqual({ active: 1, waiting: 1 })
})

test('hundreds who come and go at random leave nothing behind', async () => {
  const admission = new Admission({ places: 3 })
  const visit = async (number: number) => {
    const client = new AbortController()
    if (number % 3 === 0) setImmediate(() => client.abort())
    using _turn = await admission.enter({ key: String(number % 5) }, client.signal)
    if (number % 2 === 0) await settle()
  }

  await Promise.allSettled(Array.from({ length: 500 }, (_, number) => visit(number)))

  expect(admission.state()).toEqual({ active: 0, waiting: 0 })
})

/** Enters them in this order, one place free for all, and says in which order they had their turns: `d…` is deferred. */
async function orderOf(arrivals: readonly string[], reservedForRealtime = 0): Promise<string[]> {
  const admission = new Admission({ places: 1, reservedForRealtime })
  const { enter, letGo, order } = crowd(admission)
  for (const name of arrivals)
    void enter(name, undefined, NEVER, name.startsWith('d') ? 'deferred' : 'realtime')
  for (const _ of arrivals) {
    await settle()
    letGo()
  }
  expect(admission.state()).toEqual({ active: 0, waiting: 0 })
  return order
}

const realtime = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `r${from + index}`)

test('whoever waits for an answer comes before deferred work that came first', async () => {
  expect(await orderOf(['r0', 'd1', 'd2', 'r1', 'r2'])).toEqual(['r0', 'r1', 'r2', 'd1', 'd2'])
})

test('eight may pass, then it is the turn of deferred work: it does not starve', async () => {
  const arrivals = ['r0', 'd1', 'd2', ...realtime(1, 20)]

  expect(await orderOf(arrivals)).toEqual([
    'r0',
    ...realtime(1, 8),
    'd1',
    ...realtime(9, 16),
    'd2',
    ...realtime(17, 20),
  ])
})

test('keys take turns within a tier', async () => {
  const admission = new Admission({ places: 1 })
  const { enter, letGo, order } = crowd(admission)
  for (const name of ['x1', 'x2', 'x3', 'y1']) void enter(name, name.slice(0, 1), NEVER, 'deferred')

  for (let turn = 0; turn < 4; turn++) {
    await settle()
    letGo()
  }

  expect(order).toEqual(['x1', 'x2', 'y1', 'x3'])
})

test('deferred work leaves reserved places free, and takes the others when they become free', async () => {
  const admission = new Admission({ places: 3, reservedForRealtime: 1 })
  const { enter, letGo, order } = crowd(admission)
  for (const name of ['d1', 'd2', 'd3']) void enter(name, undefined, NEVER, 'deferred')
  await settle()
  expect(order).toEqual(['d1', 'd2'])
  expect(admission.state()).toEqual({ active: 2, waiting: 1 })

  void enter('r1')
  await settle()
  expect(order).toEqual(['d1', 'd2', 'r1'])

  letGo() // of d1: its place goes to d3
  await settle()
  expect(order).toEqual(['d1', 'd2', 'r1', 'd3'])
})

test('a realtime turn that ends gives its place to no deferred work that has as many as it may', async () => {
  const admission = new Admission({ places: 2, reservedForRealtime: 1 })
  const { enter, order } = crowd(admission)
  void enter('d1', undefined, NEVER, 'deferred')
  void enter('d2', undefined, NEVER, 'deferred')
  const turn = await admission.enter({}, NEVER)

  turn[Symbol.dispose]()
  await settle()

  expect(order).toEqual(['d1'])
  expect(admission.state()).toEqual({ active: 1, waiting: 1 })
})

test('deferred work always has a place of its own to come to, however many are reserved', async () => {
  expect(await orderOf(['d1', 'r1', 'd2'], 5)).toEqual(['d1', 'r1', 'd2'])
})

test('deferred work that gives up leaves the line', async () => {
  const admission = new Admission({ places: 1 })
  const { enter, letGo, order } = crowd(admission)
  const client = new AbortController()
  void enter('a')
  const gaveUp = enter('d', undefined, client.signal, 'deferred')
  void enter('e', undefined, NEVER, 'deferred')
  await settle()

  client.abort(new Error('gone'))
  await expect(gaveUp).rejects.toThrow('gone')
  letGo()
  await settle()

  expect(order).toEqual(['a', 'e'])
})
