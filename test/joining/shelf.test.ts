import { expect, test } from 'vitest'
import { Shelf } from '../../src/joining/shelf.ts'
import { FakeTimers } from './parts.ts'

function shelf(limits = { things: 2, characters: 100 }) {
  const timers = new FakeTimers()
  const kept = new Set<string>()
  const subject = new Shelf(limits, timers)
  const keep = (name: string, characters = 1, ms = 1000) => {
    kept.add(name)
    subject.keep({ characters, ms, forget: () => expect(kept.delete(name)).toBe(true) })
  }
  return { keep, timers, subject, names: () => [...kept] }
}

test('a thing is kept for its time and not longer', () => {
  const { keep, timers, names } = shelf()
  keep('short', 1, 1000)
  keep('long', 1, 5000)

  timers.pass(999)
  expect(names()).toEqual(['short', 'long'])
  timers.pass(1)
  expect(names()).toEqual(['long'])
  timers.pass(4000)
  expect(names()).toEqual([])
})

test.each([
  ['there are too many', { things: 2, characters: 100 }, [1, 1, 1]],
  ['they hold too much text', { things: 9, characters: 100 }, [40, 40, 40]],
])('the oldest goes first when %s', (_why, limits, characters) => {
  const { keep, timers, names } = shelf(limits)

  characters.forEach((count, index) => keep(String(index), count))

  expect(names()).toEqual(['1', '2'])
  expect(timers.set).toBe(2)
})

test('as many go as one needs room', () => {
  const { keep, names } = shelf({ things: 9, characters: 100 })
  for (const name of ['a', 'b', 'c']) keep(name, 30)

  keep('long', 65)

  expect(names()).toEqual(['c', 'long'])
})

test('what alone is too much is not kept, and drives nothing out', () => {
  const { keep, timers, names } = shelf()
  keep('small')

  keep('huge', 101)

  expect(names()).toEqual(['small'])
  expect(timers.set).toBe(1)
})

test('room that became free is free', () => {
  const { keep, timers, names } = shelf({ things: 9, characters: 100 })
  keep('first', 100, 10)
  timers.pass(10)

  keep('second', 100)

  expect(names()).toEqual(['second'])
})

test('clearing forgets everything, timers too', () => {
  const { keep, timers, subject, names } = shelf()
  keep('a')
  keep('b')

  subject.clear()

  expect(names()).toEqual([])
  expect(timers.set).toBe(0)
})
