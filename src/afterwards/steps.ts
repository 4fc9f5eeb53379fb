/**
 * What may be done with a text after it has been written down: each step asks a language model, and takes its answer only
 * as far as it is still what was said. Which steps, and where the outcome is kept, is decided by others.
 */
import type { ChatModel } from './chat.ts'
import { wordDistance, wordsOf } from './words.ts'

export const STEPS = ['correct_names', 'paragraphs', 'summary'] as const
export type Step = (typeof STEPS)[number]

/** What the steps make, one after the other. */
export interface Draft {
  /** Paragraphs are separated by an empty line. */
  readonly text: string
  readonly title?: string
  /** Markdown. */
  readonly summary?: string
}

export interface StepContext {
  readonly model: ChatModel
  /** How names and terms are spelt. */
  readonly glossary: readonly string[]
  /** English name of the language spoken; absent: nobody knows. */
  readonly language?: string
  readonly signal: AbortSignal
}

/** What a step says of itself, beside the draft. */
export interface StepOutcome {
  readonly draft: Draft
  /** Pieces of the text whose answer was not taken, because it said something else. */
  readonly refusedPieces: number
  readonly pieces: number
}

/** Small enough for a small model to keep it in mind, large enough for it to know what it is about. */
const PIECE_CHARACTERS = 4000
/** A name or two in a sentence may be corrected; a text that is changed more has been rewritten. */
const MOST_CORRECTED = 0.2

/** @throws Error when the model gives no usable answer at all */
export async function takeStep(step: Step, draft: Draft, context: StepContext): Promise<StepOutcome> {
  switch (step) {
    case 'correct_names':
      return correctNames(draft, context)
    case 'paragraphs':
      return divide(draft, context)
    case 'summary':
      return summarise(draft, context)
    default:
      return step satisfies never
  }
}

function inLanguage({ language }: StepContext): string {
  return language === undefined ? '' : ` The text is in ${language}.`
}

async function correctNames(draft: Draft, context: StepContext): Promise<StepOutcome> {
  const { glossary } = context
  if (glossary.length === 0) return { draft, refusedPieces: 0, pieces: 0 }
  const instructions = `The user gives you a piece of a transcript made by speech recognition.${inLanguage(context)} Some names and terms may be misspelt. Their right spellings are: ${glossary.join('; ')}. Give the piece back with those names and terms corrected where they were meant, and everything else exactly as it is. Answer with the text alone.`
  return inPieces(draft, context, instructions, (piece, answer) => {
    const words = wordsOf(piece)
    const most = Math.max(2, Math.floor(words.length * MOST_CORRECTED))
    return wordDistance(words, wordsOf(answer), most) <= most
  })
}

async function divide(draft: Draft, context: StepContext): Promise<StepOutcome> {
  const instructions = `The user gives you a piece of a transcript.${inLanguage(context)} Divide it into paragraphs by its topics: put an empty line between paragraphs. Change no word, leave none out, add none. Answer with the text alone.`
  return inPieces(
    draft,
    context,
    instructions,
    (piece, answer) => wordDistance(wordsOf(piece), wordsOf(answer), 0) === 0,
  )
}

/** Each piece on its own: an answer that is not kept costs one piece, not the text. */
async function inPieces(
  draft: Draft,
  { model, signal }: StepContext,
  instructions: string,
  isStillTheSame: (piece: string, answer: string) => boolean,
): Promise<StepOutcome> {
  const pieces = piecesOf(draft.text)
  const kept: string[] = []
  let refusedPieces = 0
  for (const piece of pieces) {
    const answer = (await model.ask({ instructions, text: piece.trim() }, signal)).trim()
    const isKept = isStillTheSame(piece, answer)
    if (!isKept) refusedPieces += 1
    kept.push(isKept ? answer + spaceAfter(piece) : piece)
  }
  return { draft: { ...draft, text: kept.join('') }, refusedPieces, pieces: pieces.length }
}

/** Divided at paragraphs, else at ends of sentences, else between words. Joined they are the text. */
export function piecesOf(text: string, mostCharacters: number = PIECE_CHARACTERS): string[] {
  const pieces: string[] = []
  let rest = text
  while (rest.length > mostCharacters) {
    const head = rest.slice(0, mostCharacters)
    const end = BOUNDARIES.map((boundary) => lastIndexAfter(head, boundary)).find(Boolean) ?? mostCharacters
    pieces.push(rest.slice(0, end))
    rest = rest.slice(end)
  }
  return [...pieces, rest].filter((piece) => piece.trim() !== '')
}

/** The best first. */
const BOUNDARIES = [/\n\n+/gu, /[.!?…]["'”’»)\]]*\s+/gu, /\s+/gu]

function lastIndexAfter(text: string, pattern: RegExp): number | undefined {
  const last = [...text.matchAll(pattern)].at(-1)
  return last && last.index + last[0].length
}

/** So much fits into one question; a longer text is summarised piece by piece, and then the summaries are. */
const SUMMARY_CHARACTERS = 12_000

function spaceAfter(piece: string): string {
  return piece.slice(piece.trimEnd().length)
}

async function summarise(draft: Draft, context: StepContext): Promise<StepOutcome> {
  const { model, signal } = context
  const language = inLanguage(context)
  const parts = piecesOf(draft.text, SUMMARY_CHARACTERS)
  const notes: string[] = []
  if (parts.length > 1) {
    const instructions = `The user gives you one part of a longer transcript.${language} Write down in its own language, in short sentences, what is said in it. Add nothing.`
    for (const part of parts) notes.push(await model.ask({ instructions, text: part }, signal))
  }
  const text = (notes.length > 0 ? notes : parts).join('\n\n').slice(0, 2 * SUMMARY_CHARACTERS)
  const instructions = `The user gives you a transcript, or notes of one.${language} Answer in its own language, in Markdown: the first line is a title that begins with "# ", then an empty line, then a summary of a few sentences or points. Add nothing that is not in it.`
  const answer = (await model.ask({ instructions, text }, signal)).trim()
  const [first = '', ...lines] = answer.split('\n')
  const title = first.replace(/^#+\s*/u, '').trim()
  const summary = lines.join('\n').trim()
  if (title === '' || summary === '') throw new Error('the language model gave no title and summary')
  return { draft: { ...draft, title, summary }, refusedPieces: 0, pieces: parts.length }
}
