import { expect, test } from 'vitest'
import { whatIsWrong } from '../../src/engine/heartbeat.ts'
import type { PongMessage } from '../../src/engine/protocol.ts'

const PARTS = { mostUnanswered: 3, mostInOneTurn: 4 }

const pong = (turns: number, isWorking: boolean): PongMessage => ({
  kind: 'pong',
  id: 1,
  turns,
  is_working: isWorking,
  steps: 0,
  rows: 0,
  requests: 1,
  windows_waiting: 0,
  gpu_memory: null,
})

/** Answers the pings with these pongs in turn, `undefined` not at all; when they are used up, somebody ends the watch. */
async function watch(pongs: readonly (PongMessage | undefined)[]) {
  const over = new AbortController()
  let pings = 0
  let beats = 0
  const ping = async () => {
    const answer = pongs[pings++]
    if (pings > pongs.length) over.abort(new Error('all is well'))
    return answer ?? new Promise<PongMessage>(() => {})
  }
  const nextBeat = async (signal: AbortSignal) => {
    signal.throwIfAborted()
    beats++
    await new Promise((resolve) => setImmediate(resolve))
  }
  const outcome = await whatIsWrong({ ping }, { ...PARTS, nextBeat }, over.signal).catch(
    (error: Error) => error.message,
  )
  return { outcome, beats }
}

const turning = Array.from({ length: 20 }, (_, turns) => pong(turns, true))
const idle = Array.from({ length: 20 }, () => pong(7, false))
const stuck = (times: number) => Array.from({ length: times }, () => pong(7, true))

test.each([
  ['turns', turning],
  ['has nothing to do', idle],
  ['takes long for a turn, but not too long', [...stuck(4), pong(8, true), ...stuck(4), pong(9, true)]],
  ['stands still between two pieces of work', [...stuck(3), ...idle, ...stuck(3), ...idle]],
])('nothing is wrong with a child whose loop %s', async (_what, pongs) => {
  expect(await watch(pongs)).toMatchObject({ outcome: 'all is well' })
})

test('a child that does not answer is dead, however it died', async () => {
  expect(await watch([...turning, undefined])).toEqual({
    outcome: 'it did not answer a ping for 3 heartbeats',
    beats: turning.length + 3,
  })
})

test('a child that answers but does not get on with its work stands still', async () => {
  expect(await watch([...turning, ...stuck(50)])).toEqual({
    outcome: 'it stood still in the middle of its work for 4 heartbeats',
    beats: turning.length + 5, // it takes two pongs to see that nothing has turned
  })
})
