/** Uploads in all the ways that clients write them, and in some that none should: forms, JSON, and bodies that are neither. */
import fc from 'fast-check'
import {
  BOUNDARY,
  type GeneratedPart,
  type GeneratedRequest,
  mostly,
  type OpenApi,
  pick,
  RECORDING_MARK,
  type Recording,
} from './generated-request.ts'
import { type Schema, type Value, valueOf } from './generated-values.ts'

/** The text fields of an upload, as its JSON form describes them: there lists and objects are what they are. */
export function fieldsOf(
  document: OpenApi,
  content: Record<string, { schema: Schema }>,
): Record<string, Schema> {
  const name = content['application/json']?.schema.$ref?.split('/').at(-1) ?? ''
  // A recording that is elsewhere is no field beside a file, and what these strings mean no schema says.
  const {
    input_audio: _,
    upload_id: _id,
    url: _url,
    ...fields
  } = document.components.schemas[name]?.properties ?? {}
  return fields
}

/** Whether a server takes these depends on its settings, and on what else is in the request. */
const REFUSABLE = ['url', 'upload_id', 's3_path', 'callback_url', 'afterwards', 'metadata']

type Fields = Readonly<Record<string, Value>>

export function uploadOf(path: string, schemas: Record<string, Schema>): fc.Arbitrary<GeneratedRequest> {
  const names = Object.keys(schemas)
  const fields: fc.Arbitrary<Fields> = fc
    .subarray(names, { maxLength: Math.min(names.length, 5) })
    .chain((chosen) =>
      fc.subarray(
        names.filter((name) => chosen.includes(name) || name === 'response_format'),
        { minLength: chosen.length },
      ),
    )
    .chain((chosen) =>
      fc.record(Object.fromEntries(chosen.map((name) => [name, valueOf(name, schemas[name] ?? {})]))),
    )
  const body = fc.oneof(
    { weight: 12, arbitrary: fields.chain(multipartOf) },
    { weight: 6, arbitrary: fields.chain(jsonOf) },
    { weight: 1, arbitrary: oddBody },
  )
  return fc
    .tuple(body, fc.boolean())
    .map(([made, isChunked]) => ({ method: 'POST', path, isChunked, ...made }))
}

type Body = Pick<GeneratedRequest, 'headers' | 'body' | 'isValid'>

function areAllValid(fields: Fields): boolean {
  return Object.entries(fields).every(([name, { isValid }]) => isValid && !REFUSABLE.includes(name))
}

function multipartOf(fields: Fields): fc.Arbitrary<Body> {
  const written = fc.tuple(...Object.entries(fields).map(([name, { value }]) => spelled(name, value)))
  const areValid = areAllValid(fields)
  return fc.tuple(written, file, extras).chain(([parts, { parts: files, isValid }, more]) =>
    fc
      .tuple(
        fc.shuffledSubarray([...parts.flat(), ...files, ...more], {
          minLength: parts.flat().length + files.length + more.length,
        }),
        contentType,
      )
      .map(([shuffled, { type, isValid: isTyped }]) => ({
        headers: { 'content-type': type },
        body: { parts: shuffled },
        isValid: areValid && isValid && isTyped,
      })),
  )
}

/** One field as the parts that clients make of it. */
function spelled(name: string, value: unknown): fc.Arbitrary<GeneratedPart[]> {
  const part = (as: string, text: unknown): GeneratedPart => ({ name: as, value: plainText(text) })
  const asJson = [part(name, JSON.stringify(value))]
  if (Array.isArray(value)) {
    return pick(
      value.map((item) => part(`${name}[]`, item)),
      value.map((item) => part(name, item)),
      value.map((item, index) => part(`${name}[${index}]`, item)),
      asJson,
      [part(`${name}[]`, JSON.stringify(value))],
      [part(name, value.map(plainText).join(','))],
    )
  }
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(([member, inner]) => part(`${name}[${member}]`, inner))
    return pick(asJson, members)
  }
  return fc.oneof<fc.WeightedArbitrary<GeneratedPart[]>[]>(
    { weight: 8, arbitrary: fc.constant([part(name, value)]) },
    { weight: 1, arbitrary: pick([part(`${name}[]`, value)], [part(`${name}[0]`, value)]) },
    { weight: 1, arbitrary: fc.constant([part(name, value), part(name, value)]) },
  )
}

function plainText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}

const filename = fc.oneof(
  pick(
    'da.wav',
    'blob',
    'unknown_file',
    'møde 1.webm',
    '-',
    'a%22b.mp3',
    '.',
    'C:\\tale.wav',
    '../../../x.wav',
  ),
  fc.string({ unit: 'grapheme', maxLength: 30 }).map((name) => name.replaceAll(/["\r\n\0]/g, '') || 'x'),
)
const fileType = fc.option(
  pick('audio/wav', 'application/octet-stream', 'audio/webm;codecs=opus', 'video/webm', 'text/plain', 'x'),
  { nil: undefined },
)
const goodFile = fc.tuple(filename, fileType).map(([name, type]) => ({
  parts: [{ name: 'file', filename: name, recording: 'speech' as Recording, ...(type && { type }) }],
  isValid: true,
}))
const badFile = pick<GeneratedPart[]>(
  [],
  [{ name: 'file', filename: 'a.wav', recording: 'empty' }],
  [{ name: 'file', filename: 'a.wav', recording: 'garbage' }],
  [{ name: 'file', filename: 'a.wav', recording: 'large' }],
  [{ name: 'audio', filename: 'a.wav', recording: 'speech' }],
  [{ name: '', filename: 'a.wav', recording: 'speech' }],
  [{ name: 'file', recording: 'speech' }],
  [{ name: 'file', type: 'audio/wav', recording: 'speech' }],
  [{ name: 'file', value: 'https://example.com/a.wav' }],
  [{ name: 'file', filename: 'a"; name="b', recording: 'speech' }],
  [{ name: 'file', filename: 'a\r\nX: y', recording: 'speech' }],
  [{ name: 'file', filename: '\0'.repeat(300), recording: 'speech' }],
  Array.from({ length: 2 }, () => ({ name: 'file', filename: 'a.wav', recording: 'speech' as Recording })),
)
const file = mostly<{ parts: GeneratedPart[]; isValid: boolean }>(
  goodFile,
  badFile.map((parts) => ({ parts, isValid: false })),
  5,
)

/** Fields of which no server has heard are ignored, whatever they are called. */
const extras = mostly(
  fc.constant<GeneratedPart[]>([]),
  fc.array(
    fc.record({
      name: pick('vad_filter', 'x[a][b]', '__proto__', 'toString', 'known_speaker_names[]', 'user', 'ø'),
      value: fc.string({ unit: 'binary', maxLength: 50 }),
    }),
    { maxLength: 5 },
  ),
  4,
)

const contentType = mostly(
  pick(
    `multipart/form-data; boundary=${BOUNDARY}`,
    `multipart/form-data; boundary="${BOUNDARY}"`,
    `multipart/form-data; charset=utf-8; boundary=${BOUNDARY}`,
    `Multipart/Form-Data;boundary=${BOUNDARY}`,
  ).map((type) => ({ type, isValid: true })),
  pick(
    'multipart/form-data',
    'multipart/form-data; boundary=another',
    `multipart/form-data; boundary=${'b'.repeat(71)}`,
    `multipart/mixed; boundary=${BOUNDARY}`,
    'application/x-www-form-urlencoded',
    'application/json',
    'text/plain',
    'x',
  ).map((type) => ({ type, isValid: false })),
  25,
)

function jsonOf(fields: Fields): fc.Arbitrary<Body> {
  const members = Object.fromEntries(Object.entries(fields).map(([name, { value }]) => [name, value]))
  const areValid = areAllValid(fields)
  const audio = mostly(
    pick<unknown>(
      { data: `${RECORDING_MARK}speech`, format: 'wav' },
      { data: `${RECORDING_MARK}speech` },
    ).map((input_audio) => ({ input_audio, isValid: true })),
    pick<unknown>(
      null,
      {},
      [],
      'speech',
      { data: '' },
      { data: 7 },
      { data: '????' },
      { data: `${RECORDING_MARK}garbage` },
    ).map((input_audio) => ({ input_audio, isValid: false })),
    5,
  )
  const type = mostly(
    pick('application/json', 'application/json; charset=utf-8', 'Application/JSON'),
    pick('application/vnd.api+json', 'text/json', 'application/json; charset=utf-16'),
  )
  return fc.tuple(audio, type, fc.boolean()).map(([{ input_audio, isValid }, contentTypeOfJson, isLast]) => ({
    headers: { 'content-type': contentTypeOfJson },
    body: { text: JSON.stringify(isLast ? { ...members, input_audio } : { input_audio, ...members }) },
    isValid: areValid && isValid && /^application\/json(; charset=utf-8)?$/i.test(contentTypeOfJson),
  }))
}

const oddBody: fc.Arbitrary<Body> = fc
  .record({
    type: pick(
      'application/json',
      `multipart/form-data; boundary=${BOUNDARY}`,
      'audio/wav',
      'text/plain',
      '',
    ),
    text: fc.oneof(
      pick(
        '',
        'null',
        '[]',
        '"x"',
        '7',
        '{',
        '{}}',
        '\ufeff{}',
        '{"input_audio":{"data":"\\ud800"}}',
        '{"a":1e999}',
      ),
      pick(
        '['.repeat(50_000),
        '{"a":'.repeat(20_000),
        `--${BOUNDARY}--\r\n`,
        `--${BOUNDARY}\r\n\r\nx`,
        '\r\n'.repeat(999),
      ),
      pick(
        `{"model":"a","model":"b","input_audio":{"data":"${RECORDING_MARK}speech"}}`,
        'model=whisper-1&file=x',
      ),
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.json(),
    ),
  })
  .map(({ type, text }) => ({ headers: { 'content-type': type }, body: { text }, isValid: false }))
