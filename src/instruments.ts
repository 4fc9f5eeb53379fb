/**
 * Counters, gauges and histograms in Prometheus' text format. It knows how numbers are kept and written, not what they mean.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */

export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** A value for each label; the names are fixed when the instrument is made. */
type Labels<Name extends string> = Readonly<Record<Name, string>>

interface Definition<Name extends string> {
  readonly name: string
  readonly help: string
  /** Values must come from our own tables: each new combination is a series that a Prometheus keeps. */
  readonly labels?: readonly Name[]
}

abstract class Instrument<Name extends string, Value> {
  protected abstract readonly type: 'counter' | 'gauge' | 'histogram'
  readonly name: string
  readonly labelNames: readonly Name[]
  readonly #help: string
  readonly #series = new Map<string, Value>()

  constructor({ name, help, labels = [] }: Definition<Name>) {
    this.name = name
    this.#help = help
    this.labelNames = labels
  }

  /** Whole lines; only the two above the series when there are none. */
  expose(): string {
    const head = `# HELP ${this.name} ${escapeHelp(this.#help)}\n# TYPE ${this.name} ${this.type}\n`
    return head + [...this.#series].map(([labels, value]) => this.lines(labels, value)).join('')
  }

  protected abstract lines(labels: string, value: Value): string

  protected get(labels: Labels<Name>): Value | undefined {
    return this.#series.get(this.#key(labels))
  }

  protected put(labels: Labels<Name>, value: Value): void {
    this.#series.set(this.#key(labels), value)
  }

  protected clear(): void {
    this.#series.clear()
  }

  /** The labels as they are written are what tells series apart. */
  #key(labels: Labels<Name>): string {
    return this.labelNames.map((name) => `${name}="${escapeValue(labels[name])}"`).join(',')
  }
}

export class Counter<Name extends string = never> extends Instrument<Name, number> {
  protected readonly type = 'counter'

  /** Counters only rise; a sum that another place keeps is `set`. */
  add(by: number, labels: Labels<Name>): void {
    if (by < 0) throw new RangeError(`${this.name} cannot fall by ${-by}`)
    this.put(labels, (this.get(labels) ?? 0) + by)
  }

  set(total: number, labels: Labels<Name>): void {
    this.put(labels, total)
  }

  protected lines(labels: string, value: number): string {
    return line(this.name, labels, value)
  }
}

export class Gauge<Name extends string = never> extends Instrument<Name, number> {
  protected readonly type = 'gauge'

  add(by: number, labels: Labels<Name>): void {
    this.put(labels, (this.get(labels) ?? 0) + by)
  }

  /** These series and no others. A value that is not known has no series. */
  become(...series: readonly (readonly [value: number | undefined, labels: Labels<Name>])[]): void {
    this.clear()
    for (const [value, labels] of series) if (value !== undefined) this.put(labels, value)
  }

  protected lines(labels: string, value: number): string {
    return line(this.name, labels, value)
  }
}

interface Distribution {
  /** How many were in each bucket alone; the last is above all bounds. */
  readonly counts: number[]
  sum: number
}

export class Histogram<Name extends string = never> extends Instrument<Name, Distribution> {
  protected readonly type = 'histogram'
  readonly #bounds: readonly number[]

  /** `bounds` rise; a value on a bound is below it. */
  constructor(definition: Definition<Name>, bounds: readonly number[]) {
    super(definition)
    this.#bounds = bounds
  }

  observe(value: number, labels: Labels<Name>): void {
    const distribution = this.get(labels) ?? this.#begin(labels)
    const bucket = this.#bounds.findIndex((bound) => value <= bound)
    const index = bucket === -1 ? this.#bounds.length : bucket
    distribution.counts[index] = (distribution.counts[index] ?? 0) + 1
    distribution.sum += value
  }

  #begin(labels: Labels<Name>): Distribution {
    const distribution = { counts: [...this.#bounds, Number.POSITIVE_INFINITY].map(() => 0), sum: 0 }
    this.put(labels, distribution)
    return distribution
  }

  protected lines(labels: string, { counts, sum }: Distribution): string {
    let below = 0
    const buckets = counts.map((count, index) => {
      below += count
      const bound = `le="${written(this.#bounds[index] ?? Number.POSITIVE_INFINITY)}"`
      return line(`${this.name}_bucket`, labels === '' ? bound : `${labels},${bound}`, below)
    })
    return `${buckets.join('')}${line(`${this.name}_sum`, labels, sum)}${line(`${this.name}_count`, labels, below)}`
  }
}

function line(name: string, labels: string, value: number): string {
  return `${name}${labels === '' ? '' : `{${labels}}`} ${written(value)}\n`
}

function written(value: number): string {
  return Number.isFinite(value) || Number.isNaN(value) ? String(value) : value > 0 ? '+Inf' : '-Inf'
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function escapeValue(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"')
}
