/**
 * Requests made from the OpenAPI document that a server serves: every operation, with headers, methods and paths that are
 * served and that are not. What uploads hold is decided elsewhere.
 */
import fc from 'fast-check'
import { type GeneratedRequest, mostly, type OpenApi, type Operation, pick } from './generated-request.ts'
import { fieldsOf, uploadOf } from './generated-uploads.ts'

/** @param key that opens the server's door; most requests show it. */
export function requestsOf(document: OpenApi, key: string): fc.Arbitrary<GeneratedRequest> {
  const uploads = Object.entries(document.paths).filter(([, { post }]) => takesRecordings(post))
  const others = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({ path, method: method.toUpperCase() })),
  )
  const upload = fc.oneof(
    // The more can be said to an operation, the more is.
    ...uploads.map(([path, { post }]) => {
      const fields = fieldsOf(document, post?.requestBody?.content ?? {})
      return { weight: 1 + Object.keys(fields).length, arbitrary: uploadOf(path, fields) }
    }),
  )
  const plain = fc.constantFrom(...others).chain(({ path, method }) => plainOf(path, method))
  const request = fc.oneof(
    { weight: 8, arbitrary: upload },
    { weight: 2, arbitrary: plain },
    { weight: 1, arbitrary: strange },
  )
  return fc.tuple(request, headersWith(key)).map(([made, { headers, isValid }]) => ({
    ...made,
    headers: { ...headers, ...made.headers },
    isValid: made.isValid && isValid,
  }))
}

/** As a form or in JSON: what else has a body has its own tests. */
function takesRecordings(operation: Operation | undefined): boolean {
  const content = operation?.requestBody?.content ?? {}
  return 'multipart/form-data' in content && 'application/json' in content
}

const modelId = fc.oneof(
  pick('whisper-1', 'openai%2Fwhisper-large-v3', 'Systran/faster-whisper-large-v3', 'gpt-4o-transcribe').map(
    (id) => ({ id, isKnown: true }),
  ),
  pick('gpt-5', '%', '%zz', '%ff', '%00', '..%2f..%2fetc', 'a//b', '%F0%9F%92%A5', 'x'.repeat(5000)).map(
    (id) => ({ id, isKnown: false }),
  ),
  fc
    .string({ unit: 'grapheme', minLength: 1 })
    .map((text) => ({ id: encodeURIComponent(text), isKnown: false })),
)

function plainOf(path: string, method: string): fc.Arbitrary<GeneratedRequest> {
  const query = fc.option(pick('a=1', 'model=x&model=y', '%', '[]=[', 'stream=true'), { nil: undefined })
  return fc
    .tuple(modelId, query, pick(method, method === 'GET' ? 'HEAD' : method))
    .map(([{ id, isKnown }, asked, how]) => ({
      method: how,
      path: path.replace(/\{\w+\}/, id) + (asked === undefined ? '' : `?${asked}`),
      headers: {},
      isChunked: false,
      // There is no job yet: whatever id is asked for is nobody's.
      isValid: method === 'GET' && (path.includes('{model}') ? isKnown : !path.includes('{')),
    }))
}

/** Methods that are not served, on paths that are and on paths that are not. */
const strange: fc.Arbitrary<GeneratedRequest> = fc
  .record({
    method: pick('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'PURGE'),
    path: fc.oneof(
      pick(
        '/v1/audio/transcriptions',
        '/v1/audio/transcriptions/',
        '/V1/audio/transcriptions',
        '/v1/v1/audio/transcriptions',
      ),
      pick(
        '//',
        '/v1/models/',
        '/v1/models',
        '/docs/../package.json',
        '/docs/%2e%2e/x',
        '/.env',
        '/health',
        '/?',
        '/v1',
        '/%',
      ),
      fc.webPath(),
    ),
    isChunked: fc.boolean(),
  })
  .map((made) => ({ ...made, path: made.path || '/', headers: {}, isValid: false }))

type Headers = Readonly<Record<string, string>>

function headersWith(key: string): fc.Arbitrary<{ headers: Headers; isValid: boolean }> {
  const printable = fc.stringMatching(/^[ -~æøå]{0,60}$/)
  const usual = fc.record(
    {
      accept: pick('*/*', 'application/json', 'text/event-stream', 'x'),
      'user-agent': pick('OpenAI/JS 7.55.0', 'OpenAI/JS 4.104.0', 'curl/8.5.0'),
      'x-transcription-tier': pick('realtime', 'deferred', 'x'),
      'cache-control': pick('no-store', 'max-age=0'),
      prefer: pick('respond-async', 'wait=5', 'return=minimal'),
      'idempotency-key': fc.uuid(),
      'openai-organization': printable,
      'x-request-id': printable,
      range: pick('bytes=0-1', 'x'),
    },
    { requiredKeys: [] },
  )
  const unusual = fc.record(
    {
      'idempotency-key': fc.oneof(printable, fc.constant('k'.repeat(300))),
      'content-encoding': pick('gzip', 'identity', 'br, gzip'),
      'x-http-method-override': pick('DELETE', 'GET'),
      origin: pick('https://example.com', 'null', 'x'),
    },
    { requiredKeys: [] },
  )
  const door = mostly(
    pick<Headers>({ authorization: `Bearer ${key}` }, { 'x-api-key': key }).map((headers) => ({
      headers,
      isValid: true,
    })),
    pick<Headers>(
      {},
      { authorization: 'Bearer nobody' },
      { authorization: `Basic ${key}` },
      { 'x-api-key': '' },
    ).map((headers) => ({ headers, isValid: false })),
    19,
  )
  return fc.tuple(usual, mostly(fc.constant({}), unusual), door).map(([first, second, opener]) => ({
    headers: { ...first, ...second, ...opener.headers },
    isValid: Object.keys(second).length === 0 && opener.isValid,
  }))
}
