/** How a child left. It decides the words, and whether another try can help; not whether one is made. */
import type { ChildEnd } from './child.ts'
import type { FatalMessage } from './protocol.ts'

interface ExitFacts extends ChildEnd {
  readonly saidHello: boolean
  readonly fatal: FatalMessage | undefined
  /** Protocol number of a child that speaks another one. */
  readonly foreignProtocol: number | undefined
  /** How many recordings it still owed an answer, those included that nobody waited for any more. */
  readonly openRecordings: number
}

export class WorkerExit extends Error {
  readonly facts: Readonly<ExitFacts>
  /** One line for the operator when starting the same thing again cannot help; undefined when it can. */
  readonly hopeless: string | undefined

  /** The GPU that was asked for cannot be used. A new container may have one again; a new child of this process mostly not. */
  get isWithoutDevice(): boolean {
    return this.facts.fatal?.code === 'device_unavailable'
  }

  constructor(facts: ExitFacts) {
    super(describe(facts), facts.cause === undefined ? {} : { cause: facts.cause })
    this.name = 'WorkerExit'
    this.facts = facts
    this.hopeless = whyHopeless(facts)
  }
}

function describe({ exitCode, signal, fatal }: ExitFacts): string {
  const how =
    signal !== undefined
      ? `was ended by ${signal}`
      : exitCode !== undefined
        ? `exited with code ${exitCode}`
        : 'could not be started'
  return `the speech engine's process ${how}${fatal === undefined ? '' : ` (${fatal.code}: ${fatal.message})`}`
}

function whyHopeless(facts: ExitFacts): string | undefined {
  if (facts.fatal !== undefined) return facts.fatal.message
  if (facts.foreignProtocol !== undefined) {
    return `The Python side speaks protocol ${facts.foreignProtocol}, this server another one: the two were not installed together.`
  }
  // Nothing but the interpreter and our own first lines run before the hello: what fails there fails every time.
  if (!facts.saidHello) return `${describe(facts)} before it said anything: ${lastWords(facts)}`
  return undefined
}

function lastWords({ cause, lastLines }: ExitFacts): string {
  if (cause instanceof Error) return cause.message
  return lastLines.findLast((line) => line.trim() !== '') ?? 'it left no message'
}
