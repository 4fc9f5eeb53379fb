/** All clients and the gremlin at once, until the time or the number of acts is up. It decides whose turn it is to do what kind of thing. */
import { Chance } from './chance.ts'
import { goodAct } from './good-clients.ts'
import type { Gremlin } from './gremlin.ts'
import { leavingAct, lookingAct, wrongAct } from './rude-clients.ts'
import type { World } from './world.ts'

/** Acts of clients between two deeds. */
const LEAST_ACTS_APART = 8
const MOST_ACTS_APART = 40
const BRIEF_ACTS_APART = 3
/** In the last part of a run Node is left alive, so that its memory tells something. */
const SPARED_SHARE = 0.5

interface Bounds {
  readonly seed: number
  readonly minutes: number
  readonly clients: number
  readonly acts?: number
  readonly isBrief: boolean
}

/** All clients, each with its own stream of chance, and the gremlin between them. Returns the number of acts. */
export async function unleash(world: World, gremlin: Gremlin, parts: Bounds): Promise<number> {
  const { seed, minutes, clients, acts = Number.POSITIVE_INFINITY } = parts
  const beganMs = performance.now()
  const share = () => Math.max((performance.now() - beganMs) / (minutes * 60_000), begun / acts)
  let begun = 0
  let ended = 0
  let nextDeedAt = LEAST_ACTS_APART
  let deed: Promise<void> | undefined
  const pace = new Chance(seed, 'pace')
  const disturb = () => {
    if (deed !== undefined || ended < nextDeedAt || (share() >= 1 && !gremlin.hasPlans)) return
    deed = gremlin.act(!parts.isBrief && share() > SPARED_SHARE).finally(() => {
      deed = undefined
      nextDeedAt =
        ended + (parts.isBrief ? BRIEF_ACTS_APART : pace.between(LEAST_ACTS_APART, MOST_ACTS_APART))
    })
  }
  const client = async (number: number) => {
    const chance = new Chance(seed, `client ${number}`)
    while (share() < 1 || gremlin.hasPlans) {
      begun++
      await act(world, chance)
      ended++
      if (ended % 200 === 0) process.stderr.write(`${ended} acts, ${world.verdicts.total} broken\n`)
      disturb()
    }
  }
  await Promise.all(Array.from({ length: clients }, (_, number) => client(number)))
  await deed
  return ended
}

async function act(world: World, chance: Chance): Promise<void> {
  const kind = chance.weighted({ good: 10, leaving: 4, wrong: 5, looking: 3 })
  switch (kind) {
    case 'good':
      return goodAct(world, chance)
    case 'leaving':
      return leavingAct(world, chance)
    case 'wrong':
      return wrongAct(world, chance)
    case 'looking':
      return lookingAct(world, chance)
    default:
      return kind satisfies never
  }
}
