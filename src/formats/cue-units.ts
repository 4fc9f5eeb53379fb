/**
 * What a cue is built from: pieces of text that stay whole, each with its time. From the words where they were
 * measured, else from the segment's text, its time shared out by characters.
 */
import type { Segment } from '../transcript.ts'

export interface Unit {
  /** Without outer spaces; never empty. */
  readonly text: string
  readonly startMs: number
  readonly endMs: number
  /** No space belongs before it: the rest of a word, or a script without spaces. */
  readonly isGlued: boolean
  readonly endsSegment: boolean
}

interface Piece {
  readonly text: string
  readonly startSeconds: number
  readonly endSeconds: number
}

/** In order, and with times that never run backwards: players refuse a cue that ends before it starts. */
export function unitsOf(segments: readonly Segment[], maxCharacters: number): Unit[] {
  const units: Unit[] = []
  let latestMs = 0
  for (const segment of segments) {
    const pieces = glue(piecesOf(segment), maxCharacters)
    for (const [index, { text, startSeconds, endSeconds }] of pieces.entries()) {
      const startMs = Math.max(Math.round(startSeconds * 1000), latestMs)
      latestMs = Math.max(Math.round(endSeconds * 1000), startMs)
      units.push({
        text: text.trim().replace(/\s+/gu, ' '),
        startMs,
        endMs: latestMs,
        isGlued: units.length > 0 && !/^\s/u.test(text),
        endsSegment: index === pieces.length - 1,
      })
    }
  }
  return units
}

function piecesOf(segment: Segment): Piece[] {
  if (!segment.words?.length) return sharedOut(segment)
  return segment.words.map(({ word, startSeconds, endSeconds }) => ({ text: word, startSeconds, endSeconds }))
}

function sharedOut({ text, startSeconds, endSeconds }: Segment): Piece[] {
  const secondsPerCharacter = (endSeconds - startSeconds) / Math.max(1, text.length)
  return [...text.matchAll(/\s*\S+/gu)].map((match) => ({
    text: match[0],
    startSeconds: startSeconds + match.index * secondsPerCharacter,
    endSeconds: startSeconds + (match.index + match[0].length) * secondsPerCharacter,
  }))
}

/** Whisper's words may continue one another (` l'`, `eau`); together they are one piece, unless that outgrows a line. */
function glue(pieces: readonly Piece[], maxCharacters: number): Piece[] {
  const glued: Piece[] = []
  for (const piece of pieces.filter(({ text }) => text.trim() !== '')) {
    const before = glued.at(-1)
    const together = (before?.text ?? '') + piece.text
    const isContinuation = before !== undefined && !/^\s/u.test(piece.text) && !/\s$/u.test(before.text)
    if (isContinuation && together.trim().length <= maxCharacters) {
      glued[glued.length - 1] = { ...before, text: together, endSeconds: piece.endSeconds }
    } else glued.push(piece)
  }
  return glued
}
