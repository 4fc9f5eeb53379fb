/** What a request that brings a recording can be told before it has sent it. It does not know the queue or the engine. */
import { restingFailure } from '../engine/state.ts'
import { Failure } from '../failure.ts'
import type { AudioSource } from '../transcriber.ts'
import type { Parts } from './parts.ts'

/**
 * A client that comes shortly before the model is ready waits for it, as openai-node never repeats an upload that is
 * streamed. For longer than that the clients with the least patience (Vexa: 30 s) do not wait anyway.
 */
const MOST_WAIT_SECONDS = 30

/** @throws Failure engine_loading, engine_resting, engine_failed, shutting_down, queue_full */
export function requireOpenDoor(
  { engineState, requireRoom }: Pick<Parts, 'engineState' | 'requireRoom'>,
  owner: string | undefined,
  tier?: AudioSource['tier'],
): void {
  const state = engineState()
  switch (state.phase) {
    case 'loading':
      if ((state.readyInSeconds ?? 0) > MOST_WAIT_SECONDS) throw stillLoading(state.readyInSeconds)
      break
    case 'resting':
      throw restingFailure(state)
    case 'failed':
      throw new Failure('engine_failed', 'The speech engine could not be started.')
    case 'stopped':
      throw new Failure('shutting_down', 'The server is shutting down.')
    case 'ready':
    case 'elsewhere': // a worker may come because somebody waits
      break
    default:
      return state satisfies never
  }
  requireRoom(owner, tier)
}

function stillLoading(seconds = 0): Failure {
  const message = 'The model is still being loaded; GET /health says how far it is. Please try again later.'
  return new Failure('engine_loading', message, { retryAfterSeconds: seconds })
}
