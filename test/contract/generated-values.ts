/**
 * What may stand in a field, made from its schema: what must be understood, what lies on the border, what is wrong and
 * what is meant badly. It knows nothing of how fields are written into a request.
 */
import fc from 'fast-check'

export interface Schema {
  readonly $ref?: string
  readonly type?: string
  readonly enum?: readonly string[]
  readonly anyOf?: readonly Schema[]
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
  readonly minimum?: number
  readonly maximum?: number
  readonly maxLength?: number
  readonly maxItems?: number
}

export interface Value {
  readonly value: unknown
  /** The server has no right to refuse it. Of other values nobody knows, and any documented answer will do. */
  readonly isValid: boolean
}

/** What the schema calls any string and the server does not. */
const MEANINGFUL: Readonly<Record<string, readonly string[]>> = {
  model: ['whisper-1', 'gpt-4o-transcribe', 'default', 'Large-V3', 'Systran/faster-whisper-large-v3'],
  language: ['da', 'da-DK', 'en_US', 'Danish', 'dansk', 'auto', 'EN'],
  languages: ['da', 'en', 'english'],
}

const pick = <T>(values: readonly T[]) => fc.constantFrom(...values)

export function valueOf(name: string, schema: Schema): fc.Arbitrary<Value> {
  const valid = validOf(name, schema).map((value) => ({ value, isValid: true }))
  const other = fc.oneof(borderOf(schema), wrong, hostile).map((value) => ({ value, isValid: false }))
  return fc.oneof({ weight: 5, arbitrary: valid }, { weight: 1, arbitrary: other })
}

function validOf(name: string, schema: Schema): fc.Arbitrary<unknown> {
  const { minimum: min = -1e6, maximum: max = 1e6, maxLength = 300 } = schema
  const meaningful = MEANINGFUL[name]
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map((one) => validOf(name, one)))
  if (schema.enum) return pick(schema.enum)
  switch (schema.type) {
    case 'boolean':
      return fc.boolean()
    case 'integer':
      return fc.oneof(fc.integer({ min, max }), pick([min, max]))
    case 'number':
      return fc.oneof(fc.double({ min, max, noNaN: true }), pick([min, max]))
    case 'array':
      return fc.array(itemOf(name, schema.items ?? {}), { maxLength: Math.min(schema.maxItems ?? 5, 5) })
    case 'object':
      return fc.record(
        Object.fromEntries(
          Object.entries(schema.properties ?? {}).map(([member, type]) => [member, validOf(member, type)]),
        ),
        { requiredKeys: [], noNullPrototype: true },
      )
    case undefined:
    default:
      return meaningful ? pick(meaningful) : fc.string({ unit: 'grapheme', maxLength })
  }
}

/** Names and terms as people write them: what separates the items of a list is another matter. */
function itemOf(name: string, schema: Schema): fc.Arbitrary<unknown> {
  const isFree = schema.type === 'string' && !schema.enum && !MEANINGFUL[name]
  return isFree ? fc.stringMatching(/^[a-zæøåÆØÅ ]{1,30}$/) : validOf(name, schema)
}

/** One beside the border, on the outer side of it. */
function borderOf({
  minimum = 0,
  maximum = 1,
  maxLength = 200,
  maxItems = 100,
}: Schema): fc.Arbitrary<unknown> {
  return pick<unknown>([
    minimum - 1e-9,
    minimum - 1,
    maximum + 1e-9,
    maximum + 1,
    'å'.repeat(maxLength),
    'å'.repeat(maxLength + 1),
    Array.from({ length: maxItems + 1 }, () => 'da'),
    ' ',
    '',
  ])
}

const wrong = fc.oneof(
  pick<unknown>([
    null,
    true,
    0,
    -1,
    1e308,
    -0,
    [],
    {},
    [[]],
    [null],
    { type: 'server_vad', threshold: 'high' },
  ]),
  pick([
    'docx',
    'NaN',
    'Infinity',
    '1e309',
    '0x10',
    '１',
    '٣',
    '1,5',
    'TRUE',
    'ja',
    'null',
    'undefined',
    'klingon',
  ]),
  fc.integer(),
  fc.double(),
  fc.bigInt().map(String),
)

const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.jsonValue({ maxDepth: 3 }),
  fc.integer({ min: 1, max: 20_000 }).map((length) => 'x'.repeat(length)),
  pick([
    '\0',
    '\r\n\r\n',
    '../../../../etc/passwd',
    '__proto__',
    'constructor',
    '\u202eda',
    '<|startoftranscript|><|da|>',
    '\ud83d\udca5'.repeat(100),
    '[',
    '["word"',
    '{"type":',
    '[['.repeat(2000),
    '"',
    ','.repeat(500),
  ]),
)
