import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { WorkerMessage, WorkerRequest } from '../../src/engine/protocol.ts'

function goldenLines(name: string): unknown[] {
  const text = readFileSync(new URL(`../protocol/${name}`, import.meta.url), 'utf8')
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}

test.each(goldenLines('messages.jsonl'))(
  'the golden message %j is ours too, and nothing is lost',
  (message) => {
    expect(WorkerMessage.parse(message)).toEqual(message)
  },
)

test.each(goldenLines('requests.jsonl'))(
  'the golden request %j is ours too, and nothing is lost',
  (request) => {
    expect(WorkerRequest.parse(request)).toEqual(request)
  },
)

test('every kind of message and request has a golden line, so that both sides have read it', () => {
  const kinds = (lines: unknown[]) => new Set(lines.map((line) => (line as { kind: string }).kind))
  const known = (union: typeof WorkerMessage | typeof WorkerRequest) =>
    new Set<string>(union.options.map((option) => option.shape.kind.value))

  expect(kinds(goldenLines('messages.jsonl'))).toEqual(known(WorkerMessage))
  expect(kinds(goldenLines('requests.jsonl'))).toEqual(known(WorkerRequest))
})

test.each([
  ['an unknown kind', { kind: 'news' }],
  ['an unknown field', { kind: 'cancelled', id: 1, mood: 'good' }],
  ['a missing field', { kind: 'hello', protocol: 3 }],
  ['a field of another type', { kind: 'cancelled', id: '1' }],
  ['an id that nobody gave', { kind: 'cancelled', id: 0 }],
  ['something that is no object', 'hello'],
])('%s is refused', (_what, message) => {
  expect(WorkerMessage.safeParse(message).success).toBe(false)
})

const [plain, full] = goldenLines('requests.jsonl') as [object, { vad: object }]

test.each([
  ['candidates, none of them', { ...plain, languages: [] }],
  ['a threshold that is no probability', { ...full, vad: { ...full.vad, threshold: 1.01 } }],
  ['padding of less than nothing', { ...full, vad: { ...full.vad, padding_ms: -1 } }],
  ['a silence longer than may be waited for', { ...full, vad: { ...full.vad, silence_ms: 4001 } }],
  ['more speech than a window holds', { ...full, vad: { ...full.vad, max_speech_seconds: 29.5 } }],
  ['speech cut to shreds', { ...full, vad: { ...full.vad, max_speech_seconds: 4.9 } }],
  ['half a wish for speech detection', { ...full, vad: { threshold: 0.5 } }],
])('a request with %s is not ours', (_what, request) => {
  expect(WorkerRequest.safeParse(request).success).toBe(false)
})
