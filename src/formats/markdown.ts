/**
 * A transcript as Markdown that people read: a title, some facts, then paragraphs with the time at which each begins. A
 * paragraph ends where the speaker pauses. What steps afterwards have made comes before it. Pure.
 */
import type { Afterwards } from '../afterwards/afterwards.ts'
import { englishName } from '../languages.ts'
import type { Segment, Transcript } from '../transcript.ts'

export const MARKDOWN_TYPE = 'text/markdown; charset=utf-8'

export interface MarkdownFacts {
  /** What the recording is called. */
  readonly title: string
  readonly endedAt?: Date
  /** What steps after the transcript have made of it. */
  readonly afterwards?: Afterwards | undefined
}

/** A silence of which a listener would say that something new begins. */
const PARAGRAPH_PAUSE_SECONDS = 2
/** About a screenful; the next pause between segments ends it. */
const LONG_PARAGRAPH_CHARACTERS = 700

export function markdown(transcript: Transcript, facts: MarkdownFacts): string {
  const paragraphs = paragraphsOf(transcript.segments).map(paragraphText)
  const body = paragraphs.length > 0 ? paragraphs : ['*Nobody speaks in this recording.*']
  const title = escaped(facts.afterwards?.title ?? facts.title)
  const parts = [`# ${title}`, factLines(transcript, facts), ...written(transcript, facts), ...body]
  return `${parts.join('\n\n')}\n`
}

/** A language model's own words, and then, under a heading, what was heard. */
function written({ text }: Transcript, { afterwards }: MarkdownFacts): string[] {
  const { summary, text: rewritten = text } = afterwards ?? {}
  const paragraphs = rewritten === text ? [] : rewritten.split(/\n\s*\n/u).filter((one) => one.trim() !== '')
  const parts = [
    ...(summary === undefined ? [] : ['## Summary', harmless(summary)]),
    ...(paragraphs.length === 0 ? [] : ['## Text', ...paragraphs.map(asParagraph)]),
  ]
  return parts.length === 0 ? [] : [...parts, '## As it was heard']
}

function factLines(transcript: Transcript, { title, endedAt, afterwards }: MarkdownFacts): string {
  const { language, task, durationSeconds } = transcript
  const spoken = language === undefined ? [] : [`- Language: ${englishName(language)}`]
  const translated = task === 'translate' ? ['- Translated into English'] : []
  const ended = endedAt === undefined ? [] : [`- Transcribed: ${endedAt.toISOString()}`]
  const recording = afterwards?.title === undefined ? [] : [`- Recording: ${escaped(title)}`]
  const length = `- Length: ${clock(durationSeconds)}`
  return [...recording, length, ...spoken, ...translated, ...ended, ...writer(afterwards)].join('\n')
}

/** A reader should know which words nobody said. */
function writer(afterwards: Afterwards | undefined): string[] {
  const done = afterwards?.steps.filter(({ state }) => state === 'done').map(({ step }) => step) ?? []
  if (done.length === 0) return []
  const model = afterwards?.model === undefined ? '' : ` (${escaped(afterwards.model)})`
  return [`- Written by a language model${model}: ${escaped(done.join(', '))}`]
}

function paragraphsOf(segments: readonly Segment[]): Segment[][] {
  const paragraphs: Segment[][] = []
  for (const segment of segments.filter(({ text }) => text.trim() !== '')) {
    const paragraph = paragraphs.at(-1)
    if (paragraph === undefined || beginsAnew(paragraph, segment)) paragraphs.push([segment])
    else paragraph.push(segment)
  }
  return paragraphs
}

function beginsAnew(paragraph: readonly Segment[], next: Segment): boolean {
  const pauseSeconds = next.startSeconds - (paragraph.at(-1)?.endSeconds ?? 0)
  const length = paragraph.reduce((sum, { text }) => sum + text.length, 0)
  return pauseSeconds >= PARAGRAPH_PAUSE_SECONDS || length >= LONG_PARAGRAPH_CHARACTERS
}

function paragraphText(segments: readonly Segment[]): string {
  const text = segments.map((segment) => segment.text).join('')
  return `**[${clock(segments[0]?.startSeconds ?? 0)}]** ${escaped(text)}`
}

/** `1:02:03`, and without hours where there are none: `2:03`. */
function clock(seconds: number): string {
  const whole = Math.floor(seconds)
  const two = (value: number) => String(value).padStart(2, '0')
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`
}

/**
 * What was said is text, whatever it looks like: no markup, no HTML, no line of its own. Only what means something within a
 * line is escaped, as every paragraph begins with its time (https://spec.commonmark.org/0.31.2/#backslash-escapes).
 */
function escaped(text: string): string {
  return text
    .trim()
    .replace(/\s+/gu, ' ')
    .replace(/[\\`*_[\]<>&#~|]/g, '\\$&')
}

/** A paragraph without a time may begin like a heading, a list or a rule. */
function asParagraph(text: string): string {
  return escaped(text).replace(/^([#+=-]|\d+(?=[.)]))/u, (start) =>
    /\d/.test(start) ? `${start}\\` : `\\${start}`,
  )
}

/**
 * A language model is asked for Markdown, and may be led by what is said in the recording: lists and emphasis stay, HTML, links,
 * images and code do not, and its headings are smaller than ours.
 */
function harmless(markdownText: string): string {
  return markdownText
    .trim()
    .replace(/[<&[\]`~\\]/g, '\\$&')
    .replace(/^ {0,3}#{1,6}(?=\s)/gm, '###')
}
