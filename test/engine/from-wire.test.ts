import { expect, test } from 'vitest'
import type { EngineRequest } from '../../src/engine/events.ts'
import { toQuestion } from '../../src/engine/from-wire.ts'
import { WorkerRequest } from '../../src/engine/protocol.ts'
import { whole } from './children.ts'

const PLAIN: EngineRequest = {
  pcm: whole('/a'),
  task: 'transcribe',
  temperature: 0,
  wantsWords: false,
  wantsLogprobs: false,
  wantsDeltas: false,
  wantsGuards: true,
}

const NOTHING = { threshold: null, padding_ms: null, silence_ms: null, max_speech_seconds: null }

test.each<[string, Partial<EngineRequest>, object]>([
  [
    'nothing special',
    {},
    { language: null, languages: null, prompt: null, keywords: [], logprobs: false, vad: null },
  ],
  ['candidates', { candidateLanguages: ['da', 'no'] }, { language: null, languages: ['da', 'no'] }],
  ['no candidate at all', { candidateLanguages: [] }, { languages: null }],
  [
    'candidates beside a language',
    { language: 'da', candidateLanguages: ['de'] },
    { language: 'da', languages: null },
  ],
  ['keywords', { keywords: ['Åse'] }, { keywords: ['Åse'] }],
  ["tokens' probabilities", { wantsLogprobs: true }, { logprobs: true }],
  [
    'one wish for the speech detector',
    { speechDetection: { silenceMs: 200 } },
    { vad: { ...NOTHING, silence_ms: 200 } },
  ],
  [
    'every wish for the speech detector',
    { speechDetection: { threshold: 0, paddingMs: 300, silenceMs: 0, maxSpeechSeconds: 29 } },
    { vad: { threshold: 0, padding_ms: 300, silence_ms: 0, max_speech_seconds: 29 } },
  ],
])('a request with %s is asked in the words of the wire', (_what, more, expected) => {
  const question = toQuestion({ ...PLAIN, ...more })

  expect(question).toMatchObject(expected)
  expect(WorkerRequest.parse({ ...question, id: 1 })).toEqual({ ...question, id: 1 })
})

test('a number that would end the child is not asked', () => {
  expect(() => toQuestion({ ...PLAIN, speechDetection: { silenceMs: 4001 } })).toThrow('silence_ms')
})
