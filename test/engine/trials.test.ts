import { expect, test } from 'vitest'
import { Defendant, Trials } from '../../src/engine/trials.ts'
import { NEVER } from './children.ts'

/** So many recordings that were in a child when it died. */
function afterCrash(count: number) {
  const trials = new Trials()
  const defendants = Array.from({ length: count }, () => new Defendant())
  for (const defendant of defendants) expect(trials.tryToEnter(defendant)).toBe(true)
  for (const defendant of defendants) {
    trials.suspect(defendant)
    trials.leave(defendant)
  }
  return { trials, defendants }
}

const entering = (trials: Trials, defendants: readonly Defendant[]) =>
  defendants.map((defendant) => trials.tryToEnter(defendant))

test('while nothing has happened everybody enters, and nobody has to prove anything', () => {
  const trials = new Trials()
  const [one, other] = [new Defendant(), new Defendant()]

  expect(entering(trials, [one, other])).toEqual([true, true])
  expect(trials.prove(one)).toBe(false)
  expect(trials.areOn).toBe(false)
})

test('after a crash they enter one at a time, in their order, and newcomers wait', () => {
  const { trials, defendants } = afterCrash(3)
  const newcomer = new Defendant()

  expect(entering(trials, [newcomer, ...defendants])).toEqual([false, true, false, false])
})

test('a window that is done clears a suspect; when all are cleared, everybody enters', () => {
  const { trials, defendants } = afterCrash(2)
  const [first, second] = defendants as [Defendant, Defendant]
  const newcomer = new Defendant()
  trials.tryToEnter(first)

  expect(trials.prove(first)).toBe(true)
  expect(trials.tryToEnter(second)).toBe(false) // not before the first has left
  trials.leave(first)
  expect(entering(trials, [first, newcomer, second])).toEqual([false, false, true])
  expect(trials.prove(second)).toBe(true)

  expect(entering(trials, [first, newcomer])).toEqual([true, true])
})

test('who gives up is waited for by nobody', async () => {
  const { trials, defendants } = afterCrash(2)
  const [first, second] = defendants as [Defendant, Defendant]
  trials.tryToEnter(first)
  const changed = trials.changed(NEVER)

  trials.dismiss(first)

  await changed
  expect(trials.tryToEnter(second)).toBe(true)
})

test('who is suspected again has to prove twice as much, up to all the slots of a child', () => {
  const { trials, defendants } = afterCrash(1)
  const [suspect] = defendants as [Defendant]
  const windowsToProve = () => {
    for (let windows = 1; ; windows++) if (trials.prove(suspect)) return windows
  }
  const proven = [windowsToProve()]

  for (let crash = 2; crash <= 6; crash++) {
    trials.suspect(suspect)
    proven.push(windowsToProve())
  }

  expect(proven).toEqual([1, 2, 4, 8, 16, 16])
})

test('who waits hears of changes until it gives up', async () => {
  const { trials } = afterCrash(1)

  await expect(trials.changed(AbortSignal.abort(new Error('hung up')))).rejects.toThrow('hung up')
})
