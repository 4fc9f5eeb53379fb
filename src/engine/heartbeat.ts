/**
 * Whether a child lives and gets on with its work. Its process has to answer pings, whatever it computes; while there is work,
 * its loop has to turn. Counts heartbeats instead of reading a clock: time in which we ourselves stood still counts for nothing.
 */
import type { PongMessage } from './protocol.ts'

export interface HeartbeatParts {
  /** Resolves at the next beat. @throws the signal's reason. */
  readonly nextBeat: (signal: AbortSignal) => Promise<void>
  /** A ping that so many beats have not seen answered will not be. */
  readonly mostUnanswered: number
  /** The same of a child that is not ready yet. */
  readonly mostUnansweredWhileLoading: number
  /** So many beats the loop may spend in one turn. */
  readonly mostInOneTurn: number
}

interface Patient {
  /** Rejects when the child is gone. */
  ping(): Promise<PongMessage>
}

/** Resolves with what is wrong with it, when something is. @throws the signal's reason. */
export async function whatIsWrong(
  child: Patient,
  { nextBeat, mostUnanswered, mostInOneTurn }: Omit<HeartbeatParts, 'mostUnansweredWhileLoading'>,
  signal: AbortSignal,
): Promise<string> {
  let turns = -1
  for (let beatsInTurn = 0; ; ) {
    const heard: PongMessage[] = []
    child.ping().then(
      (pong) => heard.push(pong),
      () => {}, // it is gone, and whoever watches it is told by the signal
    )
    for (let beats = 0; heard.length === 0; beats++) {
      if (beats === mostUnanswered) return `it did not answer a ping for ${beats} heartbeats`
      await nextBeat(signal)
    }
    for (const pong of heard) {
      beatsInTurn = pong.is_working && pong.turns === turns ? beatsInTurn + 1 : 0
      turns = pong.turns
    }
    if (beatsInTurn === mostInOneTurn)
      return `it stood still in the middle of its work for ${beatsInTurn} heartbeats`
  }
}

/**
 * The same of a child that is not ready yet: it may be downloading, and takes as long as it takes, but its process lives. The
 * first ping comes after a beat; many are ready by then.
 */
export async function whatIsWrongWhileLoading(
  child: Patient,
  { nextBeat, mostUnansweredWhileLoading: mostUnanswered, mostInOneTurn }: HeartbeatParts,
  signal: AbortSignal,
): Promise<string> {
  await nextBeat(signal)
  return whatIsWrong(child, { nextBeat, mostUnanswered, mostInOneTurn }, signal)
}
