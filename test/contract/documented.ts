/** Holds an answer against the OpenAPI document of the server that gave it. It does not know what was asked for, or why. */
import { Ajv2020 } from 'ajv/dist/2020.js'
import type { OpenApi, Operation } from './generated-request.ts'
import type { Answered } from './multipart.ts'
import { eventsOf, faultsOf } from './openai-schemas.ts'

/** What a server may say to everything: the request makes no sense, no key, nothing there, not with this method. */
const ALWAYS_ALLOWED = [400, 401, 404, 405]

interface Asked {
  readonly method: string
  readonly path: string
}

/** What is wrong with the answers of this server, in sentences. */
export function judgeOf(document: OpenApi): (asked: Asked, answered: Answered) => string[] {
  const ajv = new Ajv2020({ strict: false, validateFormats: false })
  ajv.addSchema({ $id: 'openapi', ...document })
  const faultsBySchema = (pointer: readonly string[], value: unknown): string[] => {
    const path = pointer.map((step) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1')))
    const validate = ajv.compile({ $ref: `openapi#/${path.join('/')}` })
    return validate(value) ? [] : [`the document forbids the body: ${ajv.errorsText(validate.errors)}`]
  }

  return (asked, answered) => {
    const { status, headers, body } = answered
    if (headers['x-request-id'] === undefined) return ['no x-request-id']
    if (status >= 500) return [`status ${status}`]
    const found = operationOf(document, asked)
    const documented = found?.operation.responses[String(status)]
    const isDocumented = found ? documented !== undefined : ALWAYS_ALLOWED.includes(status)
    if (!isDocumented) return [`status ${status} is not documented`]
    if (asked.method === 'HEAD') return body === '' ? [] : ['an answer to HEAD with a body']
    if (status >= 400) return faultsOfError(answered)
    if (found !== undefined && documented?.content === undefined) {
      return body === '' ? [] : ['a body where none is documented']
    }
    const type = String(headers['content-type'])
    const written = Object.keys(documented?.content ?? {}).find((one) => sameType(one, type))
    if (found === undefined || written === undefined) return [`the type ${type} is not documented`]
    const schema = [
      'paths',
      found.path,
      found.method,
      'responses',
      String(status),
      'content',
      written,
      'schema',
    ]
    if (written.startsWith('application/json')) return faultsBySchema(schema, JSON.parse(body))
    if (written !== 'text/event-stream') return faultsBySchema(schema, body)
    const events = eventsOf(body)
    if (events.pop() !== '[DONE]') return ['the stream does not end with [DONE]']
    return events.flatMap((event) => faultsBySchema(schema, JSON.parse(event)))
  }
}

/** A documented parameter may be empty of neither itself nor of slashes: model ids hold some. */
function operationOf(
  document: OpenApi,
  asked: Asked,
): { path: string; method: string; operation: Operation } | undefined {
  const method = asked.method === 'HEAD' ? 'get' : asked.method.toLowerCase()
  const target = asked.path.split('?', 1)[0] ?? ''
  for (const [path, methods] of Object.entries(document.paths)) {
    const pattern = new RegExp(`^${path.replaceAll('.', '\\.').replace(/\{\w+\}/g, '.+')}$`)
    const operation = methods[method]
    if (operation !== undefined && pattern.test(target)) return { path, method, operation }
  }
  return undefined
}

/** As OpenAI has it, and nothing beside it. */
function faultsOfError({ headers, body }: Answered): string[] {
  if (!String(headers['content-type']).startsWith('application/json')) return ['an error that is not JSON']
  const value = JSON.parse(body) as { error?: object }
  const keys = Object.keys(value.error ?? {})
    .toSorted()
    .join()
  if (keys !== 'code,message,param,type') return [`an error with the keys ${keys}`]
  return faultsOf('ErrorResponse', value) === null ? [] : ['an error that OpenAI’s schema forbids']
}

function sameType(one: string, other: string): boolean {
  const plain = (type: string) => type.toLowerCase().replace(/;?\s*charset=utf-8/, '')
  return plain(one) === plain(other)
}
