// What every bad child needs: the wire from the child's side.
import { createInterface } from 'node:readline'
import type {
  DetectedMessage,
  DoneMessage,
  WindowMessage,
  WorkerMessage,
  WorkerRequest,
} from '../../src/engine/protocol.ts'

export function say(...messages: WorkerMessage[]): void {
  process.stdout.write(messages.map((message) => `${JSON.stringify(message)}\n`).join(''))
}

export function sayHello(): void {
  say({ kind: 'hello', protocol: 3, pid: process.pid })
}

export function becomeReady(device = 'cpu'): void {
  sayHello()
  say({
    kind: 'ready',
    model: { id: 'fixture', revision: null, directory: '/nowhere' },
    device,
    device_name: 'fixture',
    compute_type: 'float32',
    languages: ['da', 'en'],
    is_multilingual: true,
    can_translate: true,
    has_word_timestamps: true,
    vad: 'energy',
    slots: 1,
    repairs: [],
    reasons: {},
    versions: { node: process.versions.node },
  })
}

export function onRequest(handle: (request: WorkerRequest) => void): void {
  createInterface({ input: process.stdin }).on('line', (line) => handle(JSON.parse(line)))
}

const timings = { waited_seconds: 0, vad_seconds: 0, encode_seconds: 0, decode_seconds: 0 }

export function window(id: number, index: number, text: string): WindowMessage {
  const segment = {
    seek: index * 100,
    start: index,
    end: index + 1,
    text,
    tokens: [1],
    temperature: 0,
    avg_logprob: -0.1,
    compression_ratio: 1,
    no_speech_prob: 0,
    words: null,
    logprobs: null,
  }
  return {
    kind: 'window',
    id,
    index,
    start: index,
    end: index + 1,
    language: 'da',
    segments: [segment],
    dropped: [],
    warnings: [],
    checkpoint: {
      windows: index + 1,
      samples: (index + 1) * 16_000,
      language: 'da',
      language_probability: 0.9,
      extra_attempts: 0,
      timings,
    },
  }
}

export function detected(id: number): DetectedMessage {
  const languages = [{ language: 'da', probability: 0.9 }]
  return { kind: 'detected', id, language: 'da', probability: 0.9, languages, duration_seconds: 35 }
}

export function done(id: number): DoneMessage {
  return {
    kind: 'done',
    id,
    duration_seconds: 2,
    speech_seconds: 2,
    language: 'da',
    language_probability: 0.9,
    prompt_tokens: 0,
    windows: 1,
    timings,
  }
}
