/**
 * The server's end, in its order: nothing new, time for what runs, then whoever is left is told. It decides when each of
 * these comes; what they mean to a recording or a connection is decided by those who look at the signals.
 */
import { once } from 'node:events'
import type { EndingServer } from './http/ending-server.ts'
import { Failure } from './failure.ts'
import type { Log } from './log.ts'
import type { Transcriber } from './transcriber.ts'
import { eitherOf, until } from './until.ts'

/** A window of speech is through in less than that on a GPU. On a slow CPU it is given up in the middle. */
const PARK_MS = 2000
/** Between the closing of the port and the first refusal: for requests on connections that were opened before. */
const LAST_CALL_MS = 500
/** For the last words on the open connections, which are short. */
const FAREWELL_MS = 2000

/** How far the end has come. Each signal's reason is a Failure `shutting_down`. */
export class Ending {
  readonly #begun = new AbortController()
  readonly #park = new AbortController()
  readonly #cut = new AbortController()

  /** Somebody wants us to end: nothing new is begun. What can be gone on with after a restart may end now. */
  get begun(): AbortSignal {
    return this.#begun.signal
  }

  /** What runs ends when its next window is done. */
  get park(): AbortSignal {
    return this.#park.signal
  }

  /** What runs ends at once. */
  get cut(): AbortSignal {
    return this.#cut.signal
  }

  begin(): void {
    this.#begun.abort(shuttingDown())
  }

  parkWork(): void {
    this.begin()
    this.#park.abort(shuttingDown())
  }

  cutOff(): void {
    this.parkWork()
    this.#cut.abort(shuttingDown())
  }
}

export interface ShutdownTimes {
  /** In which the listener still says to everybody that we end. */
  readonly delayMs: number
  /** In which running requests may finish. */
  readonly drainMs: number
  readonly lastCallMs?: number
  readonly parkMs?: number
  readonly farewellMs?: number
}

/** Resolves when every connection is closed. */
export async function shutDown(
  server: EndingServer,
  ending: Ending,
  { delayMs, drainMs, lastCallMs = LAST_CALL_MS, parkMs = PARK_MS, farewellMs = FAREWELL_MS }: ShutdownTimes,
  log: Log,
): Promise<void> {
  const closed = once(server, 'close')
  if (delayMs > 0) {
    ending.begin()
    server.announceEnd()
    await passes(delayMs, closed)
  }
  await server.stopListening()
  log.info('the listener is closed', { drainMs })
  // A proxy cannot send again what it has begun to send: nobody is refused who had connected before.
  await passes(lastCallMs, closed)
  ending.begin()
  server.close()
  if (await passes(drainMs, closed)) return
  log.warn('some requests did not finish in time: they end with the next window, or at once', { drainMs })
  ending.parkWork()
  if (await passes(parkMs, closed)) return
  ending.cutOff()
  if (await passes(farewellMs, closed)) return
  server.closeAllConnections()
  await closed
}

/** Says whether it closed within the time. */
async function passes(ms: number, closed: Promise<unknown>): Promise<boolean> {
  return until(closed, AbortSignal.timeout(ms)).then(
    () => true,
    () => false,
  )
}

/** The same road, for as long as there is a server. */
export function createEndingTranscriber(
  transcriber: Transcriber,
  { park, cut }: Pick<Ending, 'park' | 'cut'>,
): Transcriber {
  return {
    async *transcribe(source, options, signal) {
      using either = eitherOf(signal, cut)
      yield* transcriber.transcribe({ park, ...source }, options, either.signal)
    },
    async detectLanguage(source, signal) {
      using either = eitherOf(signal, cut)
      return await transcriber.detectLanguage(source, either.signal)
    },
  }
}

function shuttingDown(): Failure {
  return new Failure('shutting_down', 'The server is shutting down.')
}
