/** What is said of one model, and of all that are here. Pure: facts in, text out. */
import { asBytes } from './download-progress.ts'
import { KNOWN_MODELS } from './known-models.ts'
import type { FoundModel, ModelFacts } from './python-half.ts'

const COMMIT_SHOWN = 12
const LONGEST_LIST = 4

export function cardOf(facts: ModelFacts): string {
  const { commit, parameters, dtypes, shape, generation, repairs } = facts
  const weights = parameters === null ? 'not known' : `${parameters.toLocaleString('en')} parameters`
  const types = Object.keys(dtypes).join(', ')
  const rows = [
    ['model', facts.model],
    ['revision', commit ?? 'none: a directory'],
    ['directory', facts.directory],
    ['size', `${asBytes(facts.bytes)}, ${weights}${types && ` in ${types}`}`],
    ['shape', asSettings(shape) || 'not known'],
    ['licence', licenceOf(facts)],
    ['base', facts.base ?? 'not known'],
    ['generation', asSettings(generation) || 'no generation_config.json'],
    ['repaired', repairs.length === 0 ? 'nothing has to be' : repairs.join('\n')],
  ] as const
  return rows
    .map(([name, value]) => `${name.padEnd(11)}${value.replaceAll('\n', `\n${' '.repeat(11)}`)}`)
    .join('\n')
}

function licenceOf({ model, licence }: ModelFacts): string {
  if (licence !== null) return `${licence} (its model card)`
  const known = KNOWN_MODELS.find(({ id }) => id === model)?.licence
  return known === undefined
    ? 'not known: no model card here names one'
    : `${known} (of our list; no model card here names one)`
}

/** Every setting by name; of long lists and of tables how long they are. */
function asSettings(settings: Readonly<Record<string, unknown>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${asValue(value)}`)
    .join(' ')
}

function asValue(value: unknown): string {
  if (Array.isArray(value) && value.length > LONGEST_LIST) return `[${value.length}]`
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return `{${Object.keys(value).length}}`
  return JSON.stringify(value) ?? 'nothing'
}

export function listOf(found: readonly FoundModel[]): string {
  if (found.length === 0)
    return 'There is no model on this machine. `npm run model -- pull` fetches the one of the settings.'
  const rows = found.map((one) => [
    one.is_used ? '*' : '',
    one.model,
    one.commit?.slice(0, COMMIT_SHOWN) ?? '',
    one.is_whole || one.total === null
      ? asBytes(one.bytes)
      : `${asBytes(one.bytes)} of ${asBytes(one.total)}`,
    one.is_whole ? 'whole' : 'not whole',
  ])
  const used = found.some(({ is_used }) => is_used) ? '' : '\nThe model of the settings is not among them.'
  return table([['', 'model', 'revision', 'size', 'state'], ...rows]) + used
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')
  return rows.map((row) => line(row).trimEnd()).join('\n')
}
