/** Values that mean nothing: what their senders are told. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { errorOf, form, startParts } from './parts.ts'

type Fields = Record<string, string | string[]>

let server: Awaited<ReturnType<typeof startParts>>
beforeAll(async () => {
  server = await startParts()
})
beforeEach(() => {
  server.transcriber.asked.length = 0
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
})

const post = (fields: Fields) =>
  server.app.request('/v1/audio/transcriptions', { method: 'POST', body: form(fields) })

describe('a refusal names the field, the value and what is allowed', () => {
  const many = Array.from({ length: 101 }, (_, index) => `navn ${index}`)

  test.each<[Fields, string, RegExp]>([
    [{ stream: 'perhaps' }, 'stream', /"stream" is "perhaps"; it must be true or false/],
    [{ 'include[]': 'tokens' }, 'include', /"include" is "tokens"; it must be one of logprobs/],
    [{ task: 'sing' }, 'task', /"sing".*one of transcribe, translate/],
    [{ transcription_tier: 'gold' }, 'transcription_tier', /"gold".*one of realtime, deferred/],
    [{ temperature: '-1' }, 'temperature', /"-1"; it must be a number from 0 to 1/],
    [{ temperature: 'NaN' }, 'temperature', /"NaN"; it must be a number from 0 to 1/],
    [{ 'keywords[]': many }, 'keywords', /"navn 0, navn 1.*…"; it must be a list of at most 100 names/],
    [
      { include: 'logprobs,'.repeat(1001) },
      'include',
      /logprobs, .*…"; it must be a list of at most 1000 items/,
    ],
    [{ 'keywords[]': 'å'.repeat(201) }, 'keywords', /"å{60}…"; it must be a name or term of at most 200/],
    [{ prompt: 'x', response_format: 'diarized_json' }, 'response_format', /"diarized_json".*one of json,/],
    [{ response_format: 'x'.repeat(10_000) }, 'response_format', /"x{60}…"; it must be/],
    [{ max_speech_duration_s: '2' }, 'max_speech_duration_s', /"2"; it must be a number from 5/],
    [{ min_silence_duration_ms: '1.5' }, 'min_silence_duration_ms', /"1\.5"; it must be a whole number/],
    [
      { chunking_strategy: 'manual' },
      'chunking_strategy',
      /"chunking_strategy\[type\]" is "manual".*auto, server_vad/,
    ],
    [{ chunking_strategy: '{"type":' }, 'chunking_strategy', /one of auto, server_vad/],
    [{ chunking_strategy: '[1]' }, 'chunking_strategy', /one of auto, server_vad/],
    [
      { chunking_strategy: '{"threshold":true}' },
      'chunking_strategy',
      /\[threshold\]" is "true"; it must be a number from 0 to 1/,
    ],
    [
      { 'chunking_strategy[silence_duration_ms]': '5000' },
      'chunking_strategy',
      /a whole number from 0 to 4000/,
    ],
    [{ 'chunking_strategy[threshold]': '1.1' }, 'chunking_strategy', /"1\.1".*a number from 0 to 1/],
  ])('%o', async (fields, param, message) => {
    const error = await errorOf(await post(fields))

    expect(error).toMatchObject({ status: 400, param, code: 'invalid_value', type: 'invalid_request_error' })
    expect(error.message).toMatch(message)
    expect(error.message.length).toBeLessThan(300)
    expect(server.transcriber.asked).toEqual([])
    expect(await server.leftovers()).toEqual([])
  })

  test.each<[Fields, string, RegExp]>([
    [{ language: 'klingon' }, 'language', /"klingon"/],
    [{ language: 'x'.repeat(5000) }, 'language', /"x{60}…"/],
    [{ 'languages[]': ['da', 'klingon'] }, 'languages', /"klingon"/],
    [{ language: 'da', 'languages[]': 'klingon' }, 'languages', /"klingon"/],
  ])('%o', async (fields, param, message) => {
    const error = await errorOf(await post(fields))

    expect(error).toMatchObject({ status: 400, param, code: 'invalid_language' })
    expect(error.message).toMatch(message)
    expect(server.transcriber.asked).toEqual([])
  })

  test('and shortens a model’s name', async () => {
    const error = await errorOf(await post({ model: '🎤'.repeat(500) }))

    expect(error).toMatchObject({ status: 404, param: 'model', code: 'model_not_found' })
    expect(error.message).toContain(`"${'🎤'.repeat(30)}…"`)
  })
})
