/** The app on fakes, asked for streams, with alarms that the test rings. */
import { expect } from 'vitest'
import type { TranscriptEvent } from '../../src/transcript.ts'
import { Alarms } from './alarms.ts'
import { form, startParts } from './parts.ts'

export async function startStreaming() {
  const alarms = new Alarms()
  const parts = await startParts({}, {}, { setAlarm: alarms.setAlarm })
  return {
    ...parts,
    alarms,
    post: async (fields: Record<string, string> = {}, init: RequestInit = {}) =>
      parts.app.request('/v1/audio/transcriptions', {
        method: 'POST',
        body: form({ stream: 'true', ...fields }),
        ...init,
      }),
    /** What is told before the transcript. */
    tell(events: (signal: AbortSignal) => AsyncGenerator<TranscriptEvent>) {
      parts.transcriber.onTheWay = events
    },
    requestLine: () => parts.logged.find(({ message }) => message === 'request'),
    errors: () => parts.logged.filter(({ level }) => level === 'error'),
    async expectNothingLeft() {
      expect(alarms.pending).toEqual([])
      expect(await parts.leftovers()).toEqual([])
    },
  }
}

export function say(...texts: string[]): TranscriptEvent[] {
  return texts.map((text) => ({ kind: 'delta', text }))
}

/** The events of a whole stream; `[DONE]` and errors stand among them. */
export function eventsOf(body: string): unknown[] {
  expect(body.endsWith('\n\n')).toBe(true)
  return body
    .slice(0, -2)
    .split('\n\n')
    .filter((block) => !block.startsWith(':'))
    .map((block) => {
      expect(block).toMatch(/^data: [^\n]+$/)
      return block === 'data: [DONE]' ? '[DONE]' : (JSON.parse(block.slice(6)) as unknown)
    })
}
