import { expect, test } from 'vitest'
import { noAlarm, PatientReader, setTimer } from '../../src/http/patience.ts'
import { Alarms } from './alarms.ts'

/** A stream whose next item comes when the test says so. */
function slowly() {
  const waiting = [Promise.withResolvers<string>(), Promise.withResolvers<string>()] as const
  let hasEnded = false
  const items = async function* () {
    try {
      for (const { promise } of waiting) yield await promise
    } finally {
      hasEnded = true
    }
  }
  return { waiting, reader: new PatientReader(items()), hasEnded: () => hasEnded }
}

test('what comes in time is read', async () => {
  const { waiting, reader } = slowly()
  waiting[0].resolve('one')
  waiting[1].resolve('two')

  expect(await reader.next(noAlarm())).toEqual({ done: false, value: 'one' })
  expect(await reader.next(noAlarm())).toEqual({ done: false, value: 'two' })
  expect(await reader.next(noAlarm())).toEqual({ done: true, value: undefined })
})

test('what comes late is not lost, however often the alarm has rung', async () => {
  const { waiting, reader } = slowly()
  const alarms = new Alarms()
  for (let rung = 0; rung < 3; rung++) {
    using alarm = alarms.setAlarm(1)
    const next = reader.next(alarm)
    await alarms.ring(1)
    expect(await next).toBeUndefined()
  }

  waiting[0].resolve('one')

  expect(await reader.next(noAlarm())).toEqual({ done: false, value: 'one' })
})

test('what fails late is told to the next who asks', async () => {
  const { waiting, reader } = slowly()
  const alarms = new Alarms()
  const next = reader.next(alarms.setAlarm(1))
  await alarms.ring(1)
  expect(await next).toBeUndefined()

  waiting[0].reject(new Error('broken'))

  await expect(reader.next(noAlarm())).rejects.toThrow('broken')
})

test('closing ends the stream where it stands', async () => {
  const { waiting, reader, hasEnded } = slowly()
  waiting[0].resolve('one')
  await reader.next(noAlarm())

  await reader.close()

  expect(hasEnded()).toBe(true)
})

test('a timer rings, and one that is not wanted any more is gone', async () => {
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  await setTimer(1).rings
  const before = timers()

  const alarm = setTimer(60_000)
  expect(timers()).toBe(before + 1)
  alarm[Symbol.dispose]()

  expect(timers()).toBe(before)
})
