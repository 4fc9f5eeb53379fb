/**
 * Models that a Danish operator might take, with what has been published of them. Nothing here was measured by us, and what
 * no source says is undefined. Whether a model works is not decided here but by looking at it: `model use` does.
 */

interface PublishedWer {
  readonly percent: number
  readonly testSet: string
  readonly source: string
  readonly date: string
}

export interface KnownModel {
  readonly id: string
  readonly base: string | undefined
  readonly billionParameters: number | undefined
  readonly licence: string | undefined
  readonly wer: PublishedWer
  /** Whisper's architecture, loaded by transformers without code of its own. */
  readonly isDropIn: boolean | undefined
  readonly remark?: string
}

const ROWS = ['model', 'drop-in', 'base', 'size', 'licence', 'published WER', 'remark'] as const

/** Five test sets: CoRal conversation, CoRal read, Common Voice 25, FLEURS, FTSpeech. Not comparable with CoRal's own. */
const leaderboard = (percent: number, date = 'September or October 2026'): PublishedWer => ({
  percent,
  testSet: 'mean of five Danish sets',
  source: 'RyeAI/danish-asr-leaderboard',
  date,
})

const coral = (percent: number, source: string, date: string): PublishedWer => ({
  percent,
  testSet: 'CoRal v1 test, read aloud',
  source,
  date,
})

export const KNOWN_MODELS: readonly KnownModel[] = [
  {
    id: 'syvai/hviske-v2',
    base: 'openai/whisper-large-v3',
    billionParameters: 1.54,
    licence: 'openrail',
    wer: coral(11.8, 'its model card', 'October 2024'),
    isDropIn: true,
    remark: 'the default; lower case, no punctuation; not on the leaderboard',
  },
  {
    id: 'RyeAI/edda-v0.2-large',
    base: 'openai/whisper-large-v3',
    billionParameters: 1.54,
    licence: 'Apache-2.0',
    wer: leaderboard(8.65),
    isDropIn: true,
    remark: 'its settings ask for 5 beams; this server decodes with one',
  },
  {
    id: 'RyeAI/edda-v0.2',
    base: 'openai/whisper-large-v3-turbo',
    billionParameters: 0.81,
    licence: 'Apache-2.0',
    wer: leaderboard(8.79),
    isDropIn: true,
  },
  {
    id: 'thorh/whisper-large-v3-turbo-danish',
    base: undefined,
    billionParameters: 0.81,
    licence: 'MIT',
    wer: leaderboard(11.45),
    isDropIn: true,
  },
  {
    id: 'CoRal-project/roest-v3-whisper-1.5b',
    base: undefined,
    billionParameters: 1.54,
    licence: 'of the OpenRAIL kind',
    wer: leaderboard(13.92),
    isDropIn: true,
  },
  {
    id: 'CoRal-project/roest-whisper-large-v1',
    base: undefined,
    billionParameters: 1.5,
    licence: undefined,
    wer: coral(10.4, 'its model card', 'unknown'),
    isDropIn: undefined,
  },
  {
    id: 'syvai/hviske-v3-conversation',
    base: 'CoRal-project/roest-whisper-large-v1',
    billionParameters: 1.54,
    licence: undefined,
    wer: leaderboard(24.24, 'June 2026'),
    isDropIn: true,
    remark: 'measured with timestamps forced, which costs such models much',
  },
  {
    id: 'openai/whisper-large-v3',
    base: undefined,
    billionParameters: 1.54,
    licence: 'MIT or Apache-2.0',
    wer: leaderboard(24.05),
    isDropIn: true,
    remark: 'not tuned for Danish',
  },
  {
    id: 'openai/whisper-large-v3-turbo',
    base: undefined,
    billionParameters: 0.81,
    licence: 'MIT',
    wer: leaderboard(28.59),
    isDropIn: true,
    remark: 'not tuned for Danish',
  },
  {
    id: 'syvai/hviske-v5',
    base: 'Cohere Transcribe',
    billionParameters: 2,
    licence: 'Apache-2.0',
    wer: leaderboard(13.61),
    isDropIn: false,
    remark: 'brings code of its own',
  },
  {
    id: 'syvai/hviske-v5.3',
    base: 'Cohere Transcribe',
    billionParameters: 2,
    licence: 'CC-BY-NC-4.0',
    wer: leaderboard(14.42),
    isDropIn: false,
    remark: 'brings code of its own; not for commercial use',
  },
  {
    id: 'syvai/hviske-v6',
    base: 'a Whisper-turbo encoder and a Qwen3-0.6B decoder',
    billionParameters: 1.24,
    licence: undefined,
    wer: leaderboard(10.17),
    isDropIn: false,
    remark: 'brings code of its own; no times',
  },
]

function cellsOf({ id, base, billionParameters, licence, wer, isDropIn, remark }: KnownModel): string[] {
  const size = billionParameters === undefined ? 'unknown' : `${billionParameters} B`
  const published = `${wer.percent} %, ${wer.testSet} (${wer.source}, ${wer.date})`
  return [id, yesNo(isDropIn), base ?? 'unknown', size, licence ?? 'unknown', published, remark ?? '']
}

function yesNo(value: boolean | undefined): string {
  if (value === undefined) return 'unknown'
  return value ? 'yes' : 'no'
}

/** For a terminal: a paragraph each, for a line each would be too long. */
export function knownAsText(): string {
  return KNOWN_MODELS.map((model) => {
    const [id, dropIn, base, size, licence, published, remark] = cellsOf(model)
    const about = `  ${size}, base ${base}, licence ${licence}\n  WER ${published}`
    return `${id}${dropIn === 'yes' ? '' : `  (drop-in: ${dropIn})`}\n${about}${remark ? `\n  ${remark}` : ''}`
  }).join('\n')
}

/** The table of docs/models.md, which a test holds against this. */
export function knownAsMarkdown(): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`.replaceAll('|  |', '| |')
  const rows = KNOWN_MODELS.map(cellsOf).map(([id, ...others]) => line([`\`${id}\``, ...others]))
  return [line(ROWS), `|${'---|'.repeat(ROWS.length)}`, ...rows].join('\n')
}
