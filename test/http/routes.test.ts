import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import * as schemas from '../../src/http/response-schemas.ts'
import { silentTranscript, transcriptOf } from '../formats/transcripts.ts'
import { errorOf, FACTS, form, startParts } from './parts.ts'

let server: Awaited<ReturnType<typeof startParts>>
beforeAll(async () => {
  server = await startParts()
})
beforeEach(() => {
  server.engine.state = { phase: 'ready', facts: FACTS }
  server.transcriber.asked.length = 0
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
})

describe('POST /transcribe', () => {
  const post = (fields: Record<string, string> = {}) =>
    server.app.request('/transcribe', { method: 'POST', body: form(fields) })

  test('answers with text, segments, words and what it knows of the file', async () => {
    const answer: unknown = await (await post()).json()

    expect(schemas.TranscribeResponse.parse(answer)).toMatchObject({
      text: 'Toget kører klokken otte.',
      segments: [{ start: 0, end: 0.9, text: 'Toget kører' }, { text: 'klokken otte.' }],
      words: [{ word: 'Toget', start: 0, end: 0.4, probability: 0.9 }, {}, {}, { word: 'otte.' }],
      language: 'danish',
      language_code: 'da',
      duration: 2.15,
      filename: 'møde.wav',
    })
    expect(server.transcriber.asked[0]?.options).toMatchObject({ wantsWords: true, language: 'da' })
  })

  test('leaves times out when they are not wanted, and spares the engine the work', async () => {
    const answer: unknown = await (await post({ include_timestamps: 'false' })).json()

    expect(schemas.TranscribeResponse.parse(answer)).not.toHaveProperty('segments')
    expect(answer).not.toHaveProperty('words')
    expect(server.transcriber.asked[0]?.options.wantsWords).toBe(false)
  })

  test('reports what a guard removed or doubts, and the probability of a language that was detected', async () => {
    const dropped = [{ reason: 'no_speech', startSeconds: 1, endSeconds: 2, text: ' Tak.' }]
    const warnings = [{ reason: 'unsure', startSeconds: 0, endSeconds: 1, text: ' Ja.' }]
    const judged = { dropped, warnings }
    server.transcriber.transcript = transcriptOf([' Ja.'], { ...judged, languageProbability: 0.98765432 })

    const answer: unknown = await (await post({ language: 'auto' })).json()

    expect(schemas.TranscribeResponse.parse(answer)).toMatchObject({
      language_probability: 0.987654,
      dropped: [{ reason: 'no_speech', start: 1, end: 2, text: ' Tak.' }],
      warnings: [{ reason: 'unsure', start: 0, end: 1, text: ' Ja.' }],
    })
  })

  test('names no language when nobody speaks', async () => {
    server.transcriber.transcript = silentTranscript()

    const answer: unknown = await (await post({ language: 'auto' })).json()

    expect(schemas.TranscribeResponse.parse(answer)).toMatchObject({ text: '', language: 'unknown' })
    expect(answer).not.toHaveProperty('language_code')
  })

  test('refuses a wrong include_timestamps by name', async () => {
    const error = await errorOf(await post({ include_timestamps: 'perhaps' }))

    expect(error).toMatchObject({ status: 400, param: 'include_timestamps' })
    expect(error.message).toMatch(/perhaps.*true or false/)
  })
})

test('POST /detect-language names the language and weighs all of them', async () => {
  const response = await server.app.request('/detect-language', { method: 'POST', body: form() })

  expect(schemas.DetectLanguageResponse.parse(await response.json())).toEqual({
    language: 'danish',
    language_code: 'da',
    probability: 0.9,
    languages: [
      { code: 'da', name: 'danish', probability: 0.9 },
      { code: 'no', name: 'norwegian', probability: 0.1 },
    ],
    duration: 2.5,
  })
})

test('POST /detect-language leaves out a length that it does not know', async () => {
  server.transcriber.detected = { language: 'da', probability: 0.9, languages: [] }

  const response = await server.app.request('/detect-language', { method: 'POST', body: form() })

  expect(schemas.DetectLanguageResponse.parse(await response.json())).not.toHaveProperty('duration')
})

describe('GET /v1/models', () => {
  test('lists the loaded model first, then the names it answers to', async () => {
    const list = schemas.ModelList.parse(await (await server.app.request('/v1/models')).json())

    expect(list.data[0]).toEqual({
      id: 'syvai/hviske-v2',
      object: 'model',
      created: FACTS.readyAtUnixSeconds,
      owned_by: 'syvai',
    })
    expect(list.data.map(({ id }) => id)).toContain('whisper-1')
    expect(new Set(list.data.map(({ id }) => id)).size).toBe(list.data.length)
  })

  test.each(['whisper-1', 'syvai%2Fhviske-v2', 'syvai/hviske-v2', 'hviske-v2'])(
    '/%s finds it',
    async (id) => {
      const response = await server.app.request(`/v1/models/${id}`)

      expect(schemas.Model.parse(await response.json()).id).toBe(decodeURIComponent(id))
    },
  )

  test.each(['/srv/models/tiny-da', './models/tiny-da'])('names %s by its last name only', async (model) => {
    await using local = await startParts({ MODEL: model })

    const list = schemas.ModelList.parse(await (await local.app.request('/v1/models')).json())
    expect(list.data[0]?.id).toBe('tiny-da')
    expect(await (await local.app.request('/health')).json()).toMatchObject({ model_name: 'tiny-da' })
    expect(JSON.stringify(list)).not.toContain('models/')
  })

  test('names a model from a directory by what the operator calls it, without its place on the disk', async () => {
    await using local = await startParts({ MODEL: 'models/tiny-da' })
    local.engine.state = {
      phase: 'ready',
      facts: { ...FACTS, modelId: '/srv/models/tiny-da', revision: null },
    }

    const list = schemas.ModelList.parse(await (await local.app.request('/v1/models')).json())

    expect(list.data[0]).toMatchObject({ id: 'models/tiny-da', owned_by: 'local' })
    expect(list.data.map(({ id }) => id)).toContain('tiny-da')
    expect(JSON.stringify(list)).not.toContain('/srv')
  })

  test('/gpt-5 finds nothing', async () => {
    expect(await errorOf(await server.app.request('/v1/models/gpt-5'))).toMatchObject({
      status: 404,
      code: 'model_not_found',
    })
  })
})

describe('DELETE /v1/models', () => {
  test.each(['whisper-1', 'syvai%2Fhviske-v2', 'syvai/hviske-v2'])('/%s is refused', async (id) => {
    const error = await errorOf(await server.app.request(`/v1/models/${id}`, { method: 'DELETE' }))

    expect(error).toMatchObject({ status: 403, code: 'model_not_deletable', param: 'model' })
    expect(error.message).toContain(`"${decodeURIComponent(id)}"`)
  })

  test('/gpt-5 has nothing to refuse', async () => {
    const error = await errorOf(await server.app.request('/v1/models/gpt-5', { method: 'DELETE' }))

    expect(error).toMatchObject({ status: 404, code: 'model_not_found' })
  })
})

describe('GET /health', () => {
  test('is 200 with what runs where, once the model is loaded', async () => {
    const response = await server.app.request('/health')

    expect(response.status).toBe(200)
    expect(schemas.Health.parse(await response.json())).toEqual({
      status: 'healthy',
      model_loaded: true,
      model_name: 'syvai/hviske-v2',
      device: 'cpu',
      device_name: 'a processor',
      compute_type: 'float32',
      slots: 4,
      queue: { active: 1, waiting: 2 },
      reasons: { device: 'there is no GPU' },
    })
  })

  test('names the server where an operator has given it a name', async () => {
    await using named = await startParts({ WORKER_ID: 'gpu-1' })

    const health: unknown = await (await named.app.request('/health')).json()
    expect(schemas.Health.parse(health)).toMatchObject({ status: 'healthy', worker_id: 'gpu-1' })
  })

  test('says how long the wait for the engine is, once that has been measured', async () => {
    server.queue.waitSeconds = 12.345

    const answer: unknown = await (await server.app.request('/health')).json()
    delete server.queue.waitSeconds

    expect(schemas.Health.parse(answer).queue).toEqual({ active: 1, waiting: 2, wait_seconds: 12.3 })
  })

  test.each([
    [
      { phase: 'loading', message: 'downloading', fraction: 0.4 },
      { status: 'loading', message: 'downloading', fraction: 0.4 },
    ],
    [
      { phase: 'loading', message: 'warming up', fraction: null },
      { status: 'loading', message: 'warming up' },
    ],
    [
      { phase: 'failed', message: 'no such model' },
      { status: 'unhealthy', message: 'no such model' },
    ],
    [
      { phase: 'resting', message: 'It rests.', retryInSeconds: 42 },
      { status: 'unhealthy', message: 'It rests.' },
    ],
    [{ phase: 'stopped' }, { status: 'unhealthy', message: 'The server is shutting down.' }],
  ] as const)('is 503 while the engine is %o', async (state, expected) => {
    server.engine.state = state

    const response = await server.app.request('/health')

    expect(response.status).toBe(503)
    expect(schemas.Health.parse(await response.json())).toEqual({
      ...expected,
      model_loaded: false,
      model_name: 'syvai/hviske-v2',
      queue: { active: 1, waiting: 2 },
    })
  })
})

test('GET / says what this is and which endpoints there are', async () => {
  const root = schemas.Root.parse(await (await server.app.request('/')).json())

  expect(root.service).toBe('hviske-api')
  expect(root.endpoints).toHaveProperty('POST /v1/audio/transcriptions')
  expect(root.endpoints).toHaveProperty('GET /docs')
})
