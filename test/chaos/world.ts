/** What all clients share: the server, what they ask and what is right, and the score. It does nothing by itself. */
import type { Question } from './questions.ts'
import type { ServerUnderTest } from './server-under-test.ts'
import type { Bench } from './verdicts.ts'

export interface World extends Bench {
  readonly server: ServerUnderTest
  readonly questions: readonly Question[]
  readonly recordings: ReadonlyMap<string, Buffer>
  /** By the names of the questions. */
  readonly rightTexts: Map<string, string>
  /** One that the server knows. */
  readonly key: string
  /** For one answer. */
  readonly deadlineMs: number
  /** For one that asks nothing of the engine. */
  readonly lookDeadlineMs: number
  textsCompared: number
  tally(act: string, outcome: string): void
}
