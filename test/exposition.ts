/** A strict reader of Prometheus' text format 0.0.4: what it does not know, or what stands in the wrong place, is an error. */

interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

interface Family {
  readonly help: string
  readonly type: string
  readonly samples: Sample[]
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const HEAD = new RegExp(`^# (HELP|TYPE) (${NAME}) (.+)$`)
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.+)\\})? (\\S+)$`)
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"(?:,(?!$)|$)/y
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  counter: [''],
  gauge: [''],
  histogram: ['_bucket', '_sum', '_count'],
}

export function readExposition(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line does not end')
  const families = new Map<string, Family>()
  const seen = new Set<string>()
  let help: { name: string; text: string } | undefined
  let current: { name: string; family: Family } | undefined
  for (const line of text.slice(0, -1).split('\n')) {
    const [, keyword, name = '', rest = ''] = HEAD.exec(line) ?? []
    if (keyword === 'HELP') help = { name, text: rest }
    else if (keyword === 'TYPE') {
      if (help?.name !== name) throw new Error(`no HELP before: ${line}`)
      if (families.has(name)) throw new Error(`twice: ${line}`)
      if (!(rest in SUFFIXES)) throw new Error(`an unknown type: ${line}`)
      current = { name, family: { help: help.text, type: rest, samples: [] } }
      families.set(name, current.family)
    } else {
      const sample = readSample(line)
      const suffixes = SUFFIXES[current?.family.type ?? ''] ?? []
      if (!suffixes.some((suffix) => `${current?.name}${suffix}` === sample.name))
        throw new Error(`not of ${current?.name}: ${line}`)
      const series = line.slice(0, line.lastIndexOf(' '))
      if (seen.has(series)) throw new Error(`twice: ${line}`)
      seen.add(series)
      current?.family.samples.push(sample)
    }
  }
  for (const [name, family] of families) if (family.type === 'histogram') requireHistogram(name, family)
  return families
}

function readSample(line: string): Sample {
  const [, name, labels = '', value = ''] = SAMPLE.exec(line) ?? []
  const number = value === '+Inf' ? Infinity : value === '-Inf' ? -Infinity : Number(value)
  if (name === undefined || (Number.isNaN(number) && value !== 'NaN')) throw new Error(`no sample: ${line}`)
  return { name, labels: readLabels(labels), value: number }
}

function readLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {}
  LABEL.lastIndex = 0
  while (LABEL.lastIndex < text.length) {
    const at = LABEL.lastIndex
    const [, name = '', value = ''] = LABEL.exec(text) ?? []
    if (name === '' || name in labels) throw new Error(`labels that cannot be read: ${text.slice(at)}`)
    labels[name] = value.replace(/\\(.)/g, (_all, escaped: string) => (escaped === 'n' ? '\n' : escaped))
  }
  return labels
}

/** Buckets rise, end with +Inf, and that is the count. */
function requireHistogram(name: string, { samples }: Family): void {
  const groups = Map.groupBy(samples, ({ labels: { le: _le, ...rest } }) => JSON.stringify(rest))
  for (const [labels, group] of groups) {
    const buckets = group.filter((sample) => sample.name === `${name}_bucket`)
    const bounds = buckets.map(({ labels: { le } }) => (le === '+Inf' ? Infinity : Number(le)))
    const counts = buckets.map(({ value }) => value)
    const rises = (values: number[]) =>
      values.every((value, index) => value >= (values[index - 1] ?? -Infinity))
    const count = group.find((sample) => sample.name === `${name}_count`)?.value
    const hasSum = group.some((sample) => sample.name === `${name}_sum`)
    const isWhole = bounds.at(-1) === Infinity && counts.at(-1) === count && hasSum
    if (!rises(bounds) || !rises(counts) || !isWhole) throw new Error(`no histogram: ${name} ${labels}`)
  }
}

/** The one value with this name and these labels; undefined when there is none. */
export function valueOf(
  families: ReadonlyMap<string, Family>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const samples = [...families.values()].flatMap((family) => family.samples)
  const isAsked = (sample: Sample) =>
    sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value)
  const found = samples.filter(isAsked)
  if (found.length > 1) throw new Error(`${name} ${JSON.stringify(labels)} are ${found.length} series`)
  return found[0]?.value
}
