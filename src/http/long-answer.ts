/**
 * An answer that may take longer than connections wait. It decides when the answer begins (when there is something to
 * send, or when it is time to) and that its upload is let go of however it ends; it does not know what is said.
 */
import type { Context } from 'hono'
import type { Failure } from '../failure.ts'
import { BegunAnswer } from './begun-answer.ts'
import { clientLeft, hangUp } from './hang-up.ts'
import type { HttpEnv, Parts } from './parts.ts'
import { noAlarm, PatientReader, setTimer } from './patience.ts'

export interface LongBody {
  readonly headers: Readonly<Record<string, string>>
  /** What the body begins with, whatever follows. */
  readonly beginning: string
  /** What follows; none is empty. They end soon when the signal aborts. */
  readonly pieces: (signal: AbortSignal) => AsyncIterable<string, void>
  /** What may be sent in a silence, any number of times. Absent: nothing may, and silence stays silence. */
  readonly filler?: string
  /** Whether the first piece already is an answer. If not, and all are there in time, the answer is a whole with a length. */
  readonly beginsWithFirstPiece: boolean
  /** When the answer begins although nothing is there. Infinity: never. */
  readonly beginsAfterMs: number
  /** How the client is told of a failure in the middle of the body. Absent: the connection is broken off. */
  readonly farewell?: (failure: Failure) => string
}

/** Takes over what it holds, an upload: it is disposed of when the answer has ended, however it ends. @throws before the answer has begun. */
export async function longAnswer(
  c: Context<HttpEnv>,
  parts: Parts,
  upload: AsyncDisposable,
  body: LongBody,
): Promise<Response> {
  await using held = new AsyncDisposableStack()
  held.use(upload)
  const left = hangUp(c)
  const reader = new PatientReader(body.pieces(left.signal))
  // Before the upload, which is still being read as long as the work goes on.
  held.defer(async () => {
    left.abort(clientLeft())
    await reader.close()
  })

  const { text, isWhole } = await beginning(body, reader, parts)
  if (isWhole) return c.body(text, 200, body.headers)
  const answer = new BegunAnswer({ c, parts, body, reader, held: held.move() })
  c.set('bodyEnd', answer.ended)
  // nginx would else collect what comes in small pieces.
  return c.body(answer.stream(text), 200, { ...body.headers, 'x-accel-buffering': 'no' })
}

async function beginning(body: LongBody, reader: PatientReader<string>, { setAlarm = setTimer }: Parts) {
  using alarm = Number.isFinite(body.beginsAfterMs) ? setAlarm(body.beginsAfterMs) : noAlarm()
  let text = body.beginning
  for (;;) {
    const next = await reader.next(alarm)
    if (next === undefined) return { text: text || (body.filler ?? ''), isWhole: false }
    if (next.done) return { text, isWhole: true }
    text += next.value
    if (body.beginsWithFirstPiece) return { text, isWhole: false }
  }
}
