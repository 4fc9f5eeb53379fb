/** Judges what clients heard, and keeps the score: every invariant that broke, with what is needed to see why. */
import { FAILURES, type FailureCode } from '../../src/failure.ts'
import { type Answer, readAnswers } from './http-answers.ts'
import type { Heard } from './connection.ts'
import type { LogWatch } from './log-watch.ts'
import type { Timeline, Trouble } from './timeline.ts'

/** Kept whole; the rest is counted. */
const MOST_KEPT = 50

interface Breach {
  readonly invariant: string
  readonly evidence: string
  readonly atSeconds: number
  /** Which act of which client, where it was one. */
  readonly act: string | undefined
}

/** What one request may hear besides what everybody may. */
export interface Expectation {
  readonly act: string
  readonly askedMs: number
  /** Codes of refusals; `ok` is any 2xx. */
  readonly allowed: readonly (FailureCode | 'ok')[]
  /** Whether a second answer may follow: what was sent may look like more than one request. */
  readonly mayBeSeveral?: boolean
  /** Whether the server may close without a word: what was sent may leave it nobody to talk to. */
  readonly mayBeSilent?: boolean
}

/** `code` is `ok`, a failure's, or what became of the connection. */
export interface Outcome {
  readonly code: FailureCode | 'ok' | 'left' | 'cut off' | 'refused'
  readonly answer: Answer | undefined
}

export class Verdicts {
  readonly breaches: Breach[] = []
  readonly counts: Record<string, number> = {}
  readonly #beganMs = performance.now()

  get total(): number {
    return Object.values(this.counts).reduce((sum, count) => sum + count, 0)
  }

  broken(invariant: string, evidence: string, act?: string): void {
    this.counts[invariant] = (this.counts[invariant] ?? 0) + 1
    const atSeconds = Math.round((performance.now() - this.#beganMs) / 100) / 10
    if (this.breaches.length < MOST_KEPT) this.breaches.push({ invariant, evidence, atSeconds, act })
    process.stderr.write(
      `BROKEN at ${atSeconds} s: ${invariant} (${act ?? 'nobody'}): ${evidence.slice(0, 300)}\n`,
    )
  }
}

export interface Bench {
  readonly verdicts: Verdicts
  readonly timeline: Timeline
  readonly log: Pick<LogWatch, 'codeOf'>
}

/** One request has ended. Everything that may be said of it without knowing the right text. */
export function judge(bench: Bench, expectation: Expectation, heard: Heard): Outcome {
  const broken = (invariant: string, evidence: string) =>
    bench.verdicts.broken(invariant, evidence, expectation.act)
  const { answers, torn, problem } = readAnswers(heard.bytes)
  const [answer] = answers
  const beginning = () => JSON.stringify(heard.bytes.toString('latin1').slice(0, 600))
  if (heard.ending === 'overdue') {
    broken('a request hangs beyond its deadline', `${beginning()}`)
    return { code: 'cut off', answer }
  }
  if (heard.ending === 'left' && answer === undefined) return { code: 'left', answer: undefined }
  if (answer === undefined) return unanswered(bench, expectation, heard, { torn, problem })
  if ((answers.length > 1 || torn !== undefined || problem !== undefined) && !expectation.mayBeSeveral)
    broken('more than one answer', `${problem ?? answers.length}: ${beginning()}`)
  return judgeAnswer(bench, expectation, answer)
}

function judgeAnswer(bench: Bench, expectation: Expectation, answer: Answer): Outcome {
  const code = answer.status < 300 ? 'ok' : refusalIn(answer)
  if (code === undefined) {
    const evidence = `${answer.status} ${JSON.stringify(answer.headers)} ${answer.body.toString('utf8').slice(0, 500)}`
    bench.verdicts.broken('a refusal is not in the shape of the contract', evidence, expectation.act)
    return { code: 'cut off', answer }
  }
  requireAllowed(bench, expectation, code, answer)
  return { code, answer }
}

/** Also for what a stream tells in the middle. */
export function requireAllowed(
  bench: Bench,
  expectation: Expectation,
  code: FailureCode | 'ok',
  answer: Answer,
): void {
  if (expectation.allowed.includes(code) || isExcused(bench.timeline, expectation.askedMs, code)) return
  const evidence = `${answer.status} ${code}: ${answer.body.toString('utf8').slice(0, 500)}`
  bench.verdicts.broken(`an answer that was not allowed: ${code}`, evidence, expectation.act)
}

/** When anybody may hear it who brings a recording: in which trouble, while they waited. What is not named, never. */
const EXCUSES: Partial<Record<FailureCode | 'ok', (times: (trouble: Trouble) => number) => boolean>> = {
  queue_full: () => true, // the queue is small, and the clients are many
  engine_loading: (times) => times('engineDown') > 0,
  engine_resting: (times) => times('engineDown') > 0,
  shutting_down: (times) => times('restart') > 0,
  insufficient_storage: (times) => times('fullDisk') > 0,
  engine_failed: (times) => times('ffmpegKilled') > 0,
  engine_crashed: (times) => times('engineDied') >= 2, // docs/decisions/0034
}

function isExcused(timeline: Timeline, askedMs: number, code: FailureCode | 'ok'): boolean {
  return EXCUSES[code]?.((trouble) => timeline.since(trouble, askedMs)) ?? false
}

interface Remains {
  readonly torn: Answer | undefined
  readonly problem: string | undefined
}

/** No whole answer came, and we did not leave. */
function unanswered(
  bench: Bench,
  expectation: Expectation,
  heard: Heard,
  { torn, problem }: Remains,
): Outcome {
  const { act, askedMs } = expectation
  if (heard.ending === 'refused') {
    if (bench.timeline.since('restart', askedMs) === 0)
      bench.verdicts.broken('a connection was refused by a server that runs', '', act)
    return { code: 'refused', answer: undefined }
  }
  if (bench.timeline.since('restart', askedMs) > 0) return { code: 'cut off', answer: undefined }
  const code = codeInLog(bench, torn)
  // An answer that has begun has no other way to say that it failed; the log says why.
  if (code !== undefined && isExcused(bench.timeline, askedMs, code)) return { code, answer: undefined }
  if (torn === undefined && expectation.mayBeSilent) return { code: 'cut off', answer: undefined }
  const evidence = `${problem ?? ''} code in the log: ${code}; ${JSON.stringify(heard.bytes.toString('latin1').slice(0, 600))}`
  bench.verdicts.broken('a connection was closed without a whole answer', evidence, act)
  return { code: 'cut off', answer: undefined }
}

function codeInLog({ log }: Bench, torn: Answer | undefined): FailureCode | undefined {
  const code = log.codeOf(torn?.headers['x-request-id'] ?? '')
  return code !== undefined && code in FAILURES ? (code as FailureCode) : undefined
}

/** The code of a refusal in OpenAI's envelope, with all that belongs to it; undefined when something is missing. */
function refusalIn({ status, headers, body }: Answer): FailureCode | undefined {
  if (!headers['content-type']?.startsWith('application/json') || !headers['x-request-id']) return undefined
  const error = errorIn(body.toString('utf8'))
  if (error === undefined) return undefined
  const { code } = error
  if (FAILURES[code].status !== status || FAILURES[code].type !== error.type) return undefined
  const retryAfter = Number(headers['retry-after'])
  const isTold = Number.isInteger(retryAfter) && retryAfter >= 1 && retryAfter <= 60
  return status === 503 && !isTold ? undefined : code
}

export function errorIn(body: string): { code: FailureCode; type: string } | undefined {
  try {
    const { error } = JSON.parse(body) as { error: Record<string, unknown> }
    const names = Object.keys(error).toSorted().join()
    const isWhole = names === 'code,message,param,type' && typeof error.message === 'string'
    return isWhole && String(error.code) in FAILURES
      ? (error as { code: FailureCode; type: string })
      : undefined
  } catch {
    return undefined
  }
}
