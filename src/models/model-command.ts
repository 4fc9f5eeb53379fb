/** `npm run model -- pull|list|verify|use`: what the words mean, and what is answered. Python does the work; what it says is worded elsewhere. */
import { dirname, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { DownloadProgress } from './download-progress.ts'
import { assignment, type Changes } from './env-file.ts'
import { cardOf, listOf } from './model-card.ts'
import { knownAsText } from './known-models.ts'
import type { FoundModel, ModelEvent, ModelFacts, Question } from './python-half.ts'

const USAGE = `npm run model -- pull [MODEL[@REVISION]]     fetches a model, or goes on with it; checks what is here
npm run model -- list [--known]              what is on this machine; or what there is for Danish
npm run model -- verify [MODEL[@REVISION]]   compares every byte with what the Hub said
npm run model -- use MODEL[@REVISION]        writes it into .env`

/** The bundled one lies here, and whoever clones models by hand puts them here too. */
const MODELS_DIRECTORY = 'models'

export interface ModelRoom {
  readonly model: string
  readonly revision: string | undefined
  /** MODEL as it was given to the process without .env, which it wins over. */
  readonly overridingModel: string | undefined
  ask(question: Question): AsyncIterable<ModelEvent>
  readonly isDirectory: (path: string) => boolean
  /** Answers why not, when the file is not ours to write. */
  changeSettings(changes: Changes): Promise<string | undefined>
  /** A result, for programs too: lines of its own. */
  write(text: string): void
  /** How it goes, as it is: lines and parts of lines. */
  tell(text: string): void
  /** Of the terminal that hears how it goes; undefined when that is none. */
  readonly columns: number | undefined
  readonly nowMs: () => number
}

/** What went wrong was the words. */
export class Misused extends Error {}

/** Whether all is well. @throws Error for the operator, Misused among them, and Interrupted. */
export async function runModelCommand(words: readonly string[], room: ModelRoom): Promise<boolean> {
  const { positionals, values } = parsed(words)
  const [verb, name, ...more] = positionals
  if (more.length > 0) throw new Misused(`too many words: ${more.join(' ')}\n${USAGE}`)
  if (verb === 'list' && name === undefined) return list(room, values.known ?? false)
  if (values.known === true) throw new Misused(USAGE)
  if (verb === 'pull') return pull(room, wanted(name, room))
  if (verb === 'verify') return verify(room, wanted(name, room))
  if (verb === 'use' && name !== undefined) return use(room, wanted(name, room))
  throw new Misused(USAGE)
}

function parsed(words: readonly string[]) {
  try {
    return parseArgs({ args: [...words], options: { known: { type: 'boolean' } }, allowPositionals: true })
  } catch (cause) {
    throw new Misused(`${cause instanceof Error ? cause.message : String(cause)}\n${USAGE}`, { cause })
  }
}

interface Wanted {
  readonly model: string
  readonly revision: string | undefined
}

/** Without a revision, the model of the settings means the settings' own. */
function wanted(name: string | undefined, { model, revision, isDirectory }: ModelRoom): Wanted {
  if (name === undefined || name === model)
    return { model, revision: isDirectory(model) ? undefined : revision }
  const at = name.lastIndexOf('@')
  if (at < 1 || isDirectory(name)) return { model: name, revision: undefined }
  return { model: name.slice(0, at), revision: name.slice(at + 1) }
}

const revisionOption = (revision: string | undefined) =>
  revision === undefined ? [] : [`--revision=${revision}`]

/** Python has another working directory. */
const forPython = (model: string, { isDirectory }: ModelRoom) => (isDirectory(model) ? resolve(model) : model)

const questionOf = (verb: Question['verb'], { model, revision }: Wanted, room: ModelRoom): Question => ({
  verb,
  options: revisionOption(revision),
  words: [forPython(model, room)],
})

const named = ({ model, revision }: Wanted) => (revision === undefined ? model : `${model}@${revision}`)

const say = (room: ModelRoom, text: string) => room.tell(`${text}\n`)

async function pull(room: ModelRoom, which: Wanted): Promise<boolean> {
  const facts = await followed(room, questionOf('pull', which, room))
  room.write(cardOf(facts))
  if (facts.problems.length > 0) {
    say(room, `It has come as it is on the Hub, but this server cannot take it: ${facts.problems.join('; ')}`)
    return false
  }
  const { model, commit, pinned } = facts
  if (pinned !== commit && which.revision !== undefined)
    say(
      room,
      `${model} without a revision stays at ${pinned}. \`npm run model -- use ${model}@${commit}\` takes this one.`,
    )
  return true
}

async function verify(room: ModelRoom, which: Wanted): Promise<boolean> {
  const damaged: string[] = []
  const facts = await followed(room, questionOf('verify', which, room), ({ name, problem }) =>
    damaged.push(`${name}: ${problem}`),
  )
  room.write(cardOf(facts))
  const all = { ...facts, problems: [...damaged, ...facts.problems] }
  if (all.problems.length > 0) return complain(room, all, which)
  room.write(
    facts.is_listed
      ? 'Every file is as the Hub said when it was fetched.'
      : 'The files belong together. Nothing was noted down to compare them with: it was not `model pull` that fetched them.',
  )
  return true
}

function complain(room: ModelRoom, { commit, problems }: ModelFacts, which: Wanted): false {
  const mend =
    commit === null
      ? 'Copy the directory again.'
      : `\`npm run model -- pull ${named({ ...which, revision: which.revision ?? commit })}\` fetches again what is damaged or missing.`
  say(room, [...problems, mend].join('\n'))
  return false
}

async function use(room: ModelRoom, which: Wanted): Promise<boolean> {
  const facts = await followed(room, questionOf('describe', which, room))
  room.write(cardOf(facts))
  if (facts.problems.length > 0) {
    say(room, `${named(which)} is not taken: ${facts.problems.join('; ')}`)
    return false
  }
  const changes = { MODEL: which.model, MODEL_REVISION: facts.commit ?? undefined }
  const refusal = await room.changeSettings(changes)
  const before = named(room)
  if (refusal === undefined) {
    say(room, `.env says so now. Before: ${before}. A server that runs keeps what it has: restart it.`)
  } else {
    const lines = [assignment('MODEL', which.model), assignment('MODEL_REVISION', facts.commit ?? '')]
    say(
      room,
      `${refusal} Set this where the server gets its settings, in place of ${before}, and restart it:`,
    )
    room.write(lines.join('\n'))
  }
  if (refusal === undefined && room.overridingModel !== undefined)
    say(room, `But the environment has MODEL=${room.overridingModel}, which wins over .env: change it there.`)
  return true
}

async function list(room: ModelRoom, isKnown: boolean): Promise<boolean> {
  if (isKnown) {
    room.write(
      `${knownAsText()}\nWhat others have published, none of it measured here. docs/models.md says more.`,
    )
    return true
  }
  const used = forPython(room.model, room)
  const options = [`--used=${used}`, ...revisionOption(room.revision)]
  const places = [resolve(MODELS_DIRECTORY), ...(room.isDirectory(used) ? [dirname(used)] : [])]
  const found: FoundModel[] = []
  for await (const event of room.ask({ verb: 'list', options, words: places })) {
    if (event.kind === 'found') found.push(event)
    if (event.kind === 'failed') throw new Error(event.message)
  }
  room.write(listOf(found))
  return true
}

/** Tells how it goes until the facts are there. */
async function followed(
  room: ModelRoom,
  question: Question,
  whenDamaged: (event: Extract<ModelEvent, { kind: 'damaged' }>) => void = () => undefined,
): Promise<ModelFacts> {
  const progress = new DownloadProgress(room.columns, room.nowMs)
  let facts: ModelFacts | undefined
  for await (const event of room.ask(question)) {
    if (event.kind === 'failed') throw new Error(event.message)
    if (event.kind === 'model') facts = event
    else if (event.kind === 'damaged') whenDamaged(event)
    else if (event.kind !== 'found') room.tell(progress.hear(event))
  }
  if (facts === undefined) throw new Error('Python ended without an answer')
  return facts
}
