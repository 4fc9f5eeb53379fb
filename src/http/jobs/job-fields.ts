/** Which text fields an order for a job may hold beside those of a transcription, in zod; and the client's own metadata. */
import { z } from '@hono/zod-openapi'
import { Failure } from '../../failure.ts'
import { LANES } from '../../jobs/job.ts'
import type { Fields } from '../../upload/receive.ts'
import { flag, oneOf } from '../field-types.ts'
import { isFilled, shown } from '../form.ts'
import { TranscribeFields, TranscriptionFields } from '../schemas.ts'
import { TierField } from '../tier.ts'

const MAX_URL_CHARACTERS = 8192
const MAX_PATH_CHARACTERS = 1024
const MAX_ID_CHARACTERS = 255

/** OpenAI's own limits of such an object. */
const MAX_PAIRS = 16
const MAX_NAME_CHARACTERS = 64
const MAX_VALUE_CHARACTERS = 512

const atMost = (characters: number) => ({ error: `a text of at most ${characters} characters` })

/** What becomes of the recording and of its transcript. `file`, `url` and `upload_id`: exactly one. */
export const HandlingFields = z.object({
  url: z.string().max(MAX_URL_CHARACTERS, atMost(MAX_URL_CHARACTERS)).optional().openapi({
    description:
      'Where the recording is fetched, instead of a file: `https://…`, or `s3://bucket/key`. Only where the server allows it.',
  }),
  upload_id: z.string().max(MAX_ID_CHARACTERS, atMost(MAX_ID_CHARACTERS)).optional().openapi({
    description: 'A recording that was uploaded before, instead of a file.',
  }),
  s3_path: z.string().max(MAX_PATH_CHARACTERS, atMost(MAX_PATH_CHARACTERS)).optional().openapi({
    description:
      "Where in the server's bucket the result is written, as JSON and as Markdown. An error where no bucket is set up.",
  }),
  callback_url: z.string().max(MAX_URL_CHARACTERS, atMost(MAX_URL_CHARACTERS)).optional().openapi({
    description: 'Told when the job has ended. Only where the server allows it.',
  }),
  keep_audio: flag().default(false).openapi({
    default: false,
    description:
      'Whether the recording is kept as long as the job, instead of being deleted when it has ended.',
  }),
  lane: z.enum(LANES, oneOf(LANES)).optional().openapi({
    description:
      '`interactive`: somebody waits for it; `batch`: it is fetched some day. Absent: `interactive` with `transcription_tier=realtime`, else `batch`.',
  }),
  transcription_tier: TierField,
  afterwards: z.array(z.string()).default([]).openapi({
    description:
      'Steps that a language model takes after the transcript: `correct_names` (by the `keywords`), `paragraphs`, `summary`. The transcript itself stays. One that the server has not is refused.',
  }),
})

/** Text fields of `POST /v1/jobs`: a job has no stream of its own, but events. */
export const JobFields = TranscriptionFields.omit({ stream: true }).extend(HandlingFields.shape)

/** Text fields of `POST /transcribe/async`, and of `POST /transcribe`. */
export const TaskFields = TranscribeFields.extend(HandlingFields.shape)

export const METADATA_IN_JSON = z
  .record(z.string(), z.string())
  .optional()
  .openapi({
    description: `Your own, told back with the job: at most ${MAX_PAIRS} pairs, names of ${MAX_NAME_CHARACTERS} and values of ${MAX_VALUE_CHARACTERS} characters.`,
  })
export const METADATA_IN_FORM = z.string().optional().openapi({
  description:
    'The same as JSON, `{"project": "41"}`, or as fields of their own: `metadata[project]`. Your own, told back with the job.',
})

type Pair = readonly [name: string, value: string]

/** @throws Failure invalid_value */
export function metadataOf(fields: Fields): Record<string, string> {
  const pairs = [...fields].flatMap(([field, values]) => pairsIn(field, values))
  const metadata = Object.fromEntries(pairs)
  if (Object.keys(metadata).length > MAX_PAIRS) throw refused(`it has more than ${MAX_PAIRS} pairs`)
  for (const [name, value] of pairs) {
    if (name === '' || name.length > MAX_NAME_CHARACTERS) {
      throw refused(`a name has ${name.length} characters; allowed are 1 to ${MAX_NAME_CHARACTERS}`)
    }
    if (value.length > MAX_VALUE_CHARACTERS) {
      throw refused(`${shown(name)} has more than ${MAX_VALUE_CHARACTERS} characters`)
    }
  }
  return metadata
}

function pairsIn(field: string, values: readonly string[]): Pair[] {
  if (field === 'metadata') return values.filter(isFilled).flatMap(pairsInJson)
  const name = /^metadata\[(.*)\]$/s.exec(field)?.[1]
  if (name === undefined) return []
  if (name.includes('][')) throw refused('a value is a list or an object')
  return [[name, values.at(-1) ?? '']]
}

function pairsInJson(text: string): Pair[] {
  const object = parsed(text)
  if (typeof object !== 'object' || object === null || Array.isArray(object))
    throw refused('it is no JSON object')
  return Object.entries(object).map(([name, value]) => {
    if (typeof value === 'object' && value !== null) throw refused(`${shown(name)} is a list or an object`)
    return [name, String(value)]
  })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function refused(what: string): Failure {
  return new Failure('invalid_value', `The field "metadata" must be a JSON object of texts: ${what}.`, {
    param: 'metadata',
  })
}
