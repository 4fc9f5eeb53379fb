/** A job's record and its events, read from what Redis holds. Another version of this program may have written them, so they are parsed. */
import { z } from 'zod'
import {
  type FinishedWindow,
  type Job,
  JOB_STATES,
  type JobEvent,
  JobFailure,
  JobOrder,
  type NumberedJobEvent,
} from '../job.ts'
import { windowOf, windowText } from '../stored-window.ts'

const json = z.string().transform((text): unknown => JSON.parse(text))
const numeral = z.string().transform(Number).pipe(z.number())

const Record = z.object({
  order: json.pipe(JobOrder),
  state: z.enum(JOB_STATES),
  attempts: numeral,
  startedAtMs: numeral.exactOptional(),
  endedAtMs: numeral.exactOptional(),
  processedSeconds: numeral.exactOptional(),
  durationSeconds: numeral.exactOptional(),
  failure: json.pipe(JobFailure).exactOptional(),
  resultKey: z.string().exactOptional(),
})

const StateEvent = z.object({
  kind: z.literal('state'),
  state: z.enum(JOB_STATES),
  failure: JobFailure.exactOptional(),
})
const WINDOW_EVENT = '{"kind":"window","window":'

/** From a hash as scripts answer it: name, value, name, value. */
export function jobOf(fields: readonly string[]): Job {
  const pairs = fields.flatMap((name, index) =>
    index % 2 === 0 ? [[name, fields[index + 1] as string] as const] : [],
  )
  return Record.parse(Object.fromEntries(pairs))
}

export function jobsOf(answer: unknown): Job[] {
  return z.array(z.array(z.string())).parse(answer).map(jobOf)
}

export function numberedEvents(lines: readonly string[], first: number): NumberedJobEvent[] {
  return lines.map((line, index) => ({ number: first + index, event: eventOf(line) }))
}

export function windowEvent(window: FinishedWindow): string {
  return `${WINDOW_EVENT}${windowText(window)}}`
}

function eventOf(line: string): JobEvent {
  if (!line.startsWith(WINDOW_EVENT)) return StateEvent.parse(JSON.parse(line))
  return { kind: 'window', window: windowOf(line.slice(WINDOW_EVENT.length, -1)) }
}
