/** OpenAI's own schemas as a judge of answers. It knows their shapes, not who asked or what for. */
import { Ajv2020 } from 'ajv/dist/2020.js'
import schemas from './openai-schemas.json' with { type: 'json' }

const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true })
ajv.addSchema({ $id: 'openai', ...schemas })

export type SchemaName = keyof (typeof schemas)['components']['schemas']

/** What is wrong with a value by OpenAI's schema; null when nothing is. */
export function faultsOf(name: SchemaName, value: unknown) {
  const validate = ajv.compile({ $ref: `openai#/components/schemas/${name}` })
  return validate(value) ? null : validate.errors
}

/** An answer as it crossed the wire. */
export interface Answer {
  readonly path: string
  readonly status: number
  readonly contentType: string
  readonly body: string
}

/** The faults of an answer of `/v1`, one a line; none for what OpenAI has no schema for. */
export function faultsOfAnswer({ path, status, contentType, body }: Answer): string[] {
  if (!/^\/v1\/(audio|models)\b/.test(path)) return []
  if (contentType.startsWith('text/event-stream')) return faultsOfStream(body)
  if (!contentType.startsWith('application/json')) {
    return status === 200 ? [] : [`status ${status} has the type ${contentType}`]
  }
  if (!isJson(body)) return [`status ${status} with a body that calls itself JSON: ${body.slice(0, 100)}`]
  const value = JSON.parse(body) as object
  return judge(status === 200 ? schemaOf(path, value) : 'ErrorResponse', value)
}

function isJson(body: string): boolean {
  try {
    JSON.parse(body)
    return true
  } catch {
    return false
  }
}

/** By what was asked for; whether it was verbose shows in the answer. */
function schemaOf(path: string, value: object): SchemaName {
  if (path === '/v1/models') return 'ListModelsResponse'
  if (path.startsWith('/v1/models/')) return 'Model'
  const isVerbose = 'duration' in value
  if (path.startsWith('/v1/audio/translations')) {
    return isVerbose ? 'CreateTranslationResponseVerboseJson' : 'CreateTranslationResponseJson'
  }
  return isVerbose ? 'CreateTranscriptionResponseVerboseJson' : 'CreateTranscriptionResponseJson'
}

/** Comments are signs of life; the last event is `[DONE]`, unless the stream failed. */
function faultsOfStream(body: string): string[] {
  const events = eventsOf(body)
  const last = events.pop()
  const hasFailed = last !== undefined && last !== '[DONE]' && 'error' in (JSON.parse(last) as object)
  const faults = events.flatMap((event) =>
    judge('CreateTranscriptionResponseStreamEvent', JSON.parse(event) as object),
  )
  if (hasFailed) return [...faults, ...judge('ErrorResponse', JSON.parse(last) as object)]
  return last === '[DONE]' ? faults : [...faults, `a stream ended with ${last}`]
}

/** What stands in the `data:` lines of server-sent events. */
export function eventsOf(body: string): string[] {
  return body
    .split('\n\n')
    .filter((block) => block.startsWith('data: '))
    .map((block) => block.slice('data: '.length))
}

function judge(name: SchemaName, value: object): string[] {
  return (faultsOf(name, value) ?? []).map(
    ({ instancePath, message }) =>
      `${name}${instancePath} ${message}: ${JSON.stringify(value).slice(0, 300)}`,
  )
}
