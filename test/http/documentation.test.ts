import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RESPONSE_FORMATS } from '../../src/formats/render.ts'
import { RATE_LIMIT_HEADERS } from '../../src/http/limits.ts'
import { startParts } from './parts.ts'

interface Operation {
  readonly parameters?: readonly unknown[]
  readonly requestBody?: { readonly content: Record<string, { readonly schema: { readonly $ref: string } }> }
  readonly responses: Record<string, { readonly content: Record<string, unknown> }>
}
interface OpenApi {
  readonly openapi: string
  readonly paths: Record<string, Record<string, Operation>>
  readonly components: {
    readonly schemas: Record<
      string,
      { required?: string[]; properties: Record<string, Record<string, unknown>> }
    >
  }
}

let server: Awaited<ReturnType<typeof startParts>>
let document: OpenApi
beforeAll(async () => {
  server = await startParts()
  document = (await (await server.app.request('/openapi.json')).json()) as OpenApi
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
})

describe('openapi.json', () => {
  test('describes every route that is served, and serves every route that it describes', () => {
    // Pictures, scripts and styles of the pages are no API.
    const served = server.app.routes
      .filter(({ method, path }) => method !== 'ALL' && !/^\/(docs|redoc|admin\/queue)\//.test(path))
      .map(({ method, path }) => `${method} ${path.replace(/:(\w+)\{[^}]*\}/g, '{$1}')}`)
      .map((route) => (route === 'GET /uploads/{id}' ? 'HEAD /uploads/{id}' : route)) // Hono has HEAD served by GET
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    )

    expect(described.toSorted()).toEqual(served.toSorted())
  })

  test('is OpenAPI 3.1 whose schemas are valid JSON Schema and whose references resolve', () => {
    expect(document.openapi).toBe('3.1.0')
    const ajv = new Ajv2020({ strict: false, validateFormats: false })
    ajv.addSchema({ $id: 'openapi', ...document })
    for (const name of Object.keys(document.components.schemas)) {
      expect(() => ajv.compile({ $ref: `openapi#/components/schemas/${name}` })).not.toThrow()
    }
    for (const [, name] of JSON.stringify(document).matchAll(/#\/components\/schemas\/(\w+)/g)) {
      expect(document.components.schemas).toHaveProperty(name ?? '')
    }
  })

  test.each(['/v1/audio/transcriptions', '/v1/audio/translations', '/transcribe'])(
    'says of %s how a retry finds its work again',
    (path) => {
      const { parameters, responses } = document.paths[path]?.post ?? { responses: {} }

      expect(parameters).toMatchObject([
        { in: 'header', name: 'x-transcription-tier', schema: { enum: ['realtime', 'deferred'] } },
        { in: 'header', name: 'idempotency-key', required: false, schema: { pattern: expect.any(String) } },
        { in: 'header', name: 'prefer', required: false },
      ])
      expect(responses['200']).toMatchObject({
        headers: { 'x-joined': { schema: { enum: ['running', 'finished'] } } },
      })
    },
  )

  test.each(['/v1/audio/transcriptions', '/v1/audio/translations', '/transcribe', '/detect-language'])(
    'says of %s what is left of the client’s minute, and when to come back',
    (path) => {
      const { parameters, responses } = document.paths[path]?.post ?? { responses: {} }
      const left = Object.fromEntries(
        RATE_LIMIT_HEADERS.map((name) => [name, { schema: { type: 'string' } }]),
      )

      expect(parameters).toContainEqual(expect.objectContaining({ name: 'x-transcription-tier' }))
      expect(responses['200']).toMatchObject({ headers: left })
      expect(responses['429']).toMatchObject({ headers: { ...left, 'retry-after': { required: true } } })
      expect(responses['503']).toMatchObject({ headers: { 'retry-after': { required: true } } })
    },
  )

  test('asks for the file as bytes, and says what each field may be', () => {
    const { required, properties } = document.components.schemas.TranscriptionRequest ?? { properties: {} }

    expect(required).toBeUndefined() // it may be elsewhere
    expect(properties.upload_id).toMatchObject({ type: 'string' })
    expect(properties.url).toMatchObject({ type: 'string' })
    expect(properties.file).toMatchObject({ type: 'string', format: 'binary' })
    expect(properties.response_format).toMatchObject({ enum: [...RESPONSE_FORMATS], default: 'json' })
    expect(properties.temperature).toMatchObject({ type: 'number', minimum: 0, maximum: 1, default: 0 })
    expect(properties['timestamp_granularities[]']).toMatchObject({
      type: 'array',
      items: { enum: ['word', 'segment'] },
    })
    for (const name of ['TranscriptionRequest', 'TranslationRequest', 'TranscribeRequest']) {
      expect(document.components.schemas[name]?.properties.guards).toMatchObject({ type: 'boolean' })
    }
    expect(document.components.schemas.TranscribeRequest?.properties.include_timestamps).toMatchObject({
      type: 'boolean',
      default: true,
    })
  })

  test('writes lists in forms as SDKs do, and in JSON by their bare names', () => {
    const formFields = document.components.schemas.TranscriptionRequest?.properties ?? {}
    const jsonMembers = document.components.schemas.TranscriptionRequestJson?.properties ?? {}

    for (const name of ['languages', 'keywords', 'include', 'timestamp_granularities']) {
      expect(formFields[`${name}[]`]).toMatchObject({ type: 'array' })
      expect(formFields).not.toHaveProperty([name])
      expect(jsonMembers[name]).toMatchObject({ type: 'array' })
    }
    expect(formFields.stream).toMatchObject({ type: 'boolean', default: false })
    expect(formFields.chunking_strategy).toMatchObject({ type: 'string' })
    expect(jsonMembers.chunking_strategy?.anyOf).toMatchObject([
      { enum: ['auto'] },
      { type: 'object', properties: { threshold: { type: 'number', minimum: 0, maximum: 1 } } },
    ])
  })

  test.each([
    ['/v1/audio/transcriptions', 'TranscriptionRequest'],
    ['/v1/audio/translations', 'TranslationRequest'],
    ['/detect-language', 'DetectLanguageRequest'],
  ])('%s takes a form with a file, or JSON with the file in base64', (path, name) => {
    const content = document.paths[path]?.post?.requestBody?.content ?? {}
    const { schemas } = document.components

    expect(content['multipart/form-data']?.schema.$ref).toBe(`#/components/schemas/${name}`)
    expect(content['application/json']?.schema.$ref).toBe(`#/components/schemas/${name}Json`)
    expect(schemas[`${name}Json`]?.required).toBeUndefined()
    expect(schemas[`${name}Json`]?.properties).toMatchObject({ input_audio: {}, upload_id: {}, url: {} })
    expect(schemas[`${name}Json`]?.properties).not.toHaveProperty('file')
    expect(schemas.InputAudio?.required).toEqual(['data'])
  })

  test.each([
    ['/v1/jobs', 'JobRequest'],
    ['/transcribe', 'TranscribeRequest'],
    ['/transcribe/async', 'TaskRequest'],
  ])('%s may name its recording instead', (path, name) => {
    const content = document.paths[path]?.post?.requestBody?.content ?? {}
    const { [name]: inForm, [`${name}Json`]: inJson } = document.components.schemas

    expect(content['multipart/form-data']?.schema.$ref).toBe(`#/components/schemas/${name}`)
    expect(content['application/json']?.schema.$ref).toBe(`#/components/schemas/${name}Json`)
    expect([inForm?.required, inJson?.required]).toEqual([undefined, undefined])
    expect(inForm?.properties).toMatchObject({
      file: { format: 'binary' },
      url: { type: 'string' },
      upload_id: { type: 'string' },
      metadata: { type: 'string' },
      'afterwards[]': { type: 'array' },
    })
    expect(inJson?.properties.metadata).toMatchObject({
      type: 'object',
      additionalProperties: { type: 'string' },
    })
  })

  test('says what the guards report, and that neither it nor a language is always there', () => {
    for (const name of ['TranscriptionVerboseJson', 'TranscribeResponse']) {
      const { required = [], properties } = document.components.schemas[name] ?? { properties: {} }

      expect(properties.dropped).toMatchObject({ type: 'array' })
      expect(properties.warnings).toMatchObject({ type: 'array' })
      expect(properties.language?.description).toContain('`unknown`')
      for (const field of ['dropped', 'warnings', 'language_code']) expect(required).not.toContain(field)
    }
  })

  test.each(['/v1/audio/transcriptions', '/v1/audio/translations'])(
    'names every media type and every status of %s',
    (path) => {
      const responses = document.paths[path]?.post?.responses ?? {}

      expect(Object.keys(responses['200']?.content ?? {})).toEqual([
        'application/json',
        'text/plain; charset=utf-8',
        'application/x-subrip; charset=utf-8',
        'text/vtt; charset=utf-8',
        'text/event-stream',
      ])
      expect(Object.keys(responses)).toEqual(
        '200 202 400 401 403 404 408 409 413 415 429 500 503 507'.split(' '),
      )
    },
  )
})

describe.each(['/docs', '/redoc'])('%s', (path) => {
  test('needs nothing from outside, and its policy forbids it', async () => {
    const response = await server.app.request(path)
    const page = await response.text()

    expect(response.headers.get('content-type')).toBe('text/html; charset=UTF-8')
    expect(response.headers.get('content-security-policy')).toMatch(/default-src 'self'; script-src 'self';/)
    expect(response.headers.get('strict-transport-security')).toBeNull()
    const addresses = [...page.matchAll(/(?:src|href|spec-url)="([^"]+)"/g)].map(
      ([, address]) => address ?? '',
    )
    expect(addresses.length).toBeGreaterThan(2)
    for (const address of addresses) {
      expect(address).toMatch(/^\/(docs|redoc|openapi)/)
      expect((await server.app.request(address)).status).toBe(200)
    }
  })

  test('has no script within the page, which the policy would stop', async () => {
    const page = await (await server.app.request(path)).text()

    expect(page).not.toMatch(/<script(?![^>]*\ssrc=)[^>]*>/)
    expect(page).not.toMatch(/\son\w+=/)
  })
})

test('Swagger UI is told not to send the document to its validator', async () => {
  expect(await (await server.app.request('/docs/start.js')).text()).toContain('validatorUrl: null')
})
