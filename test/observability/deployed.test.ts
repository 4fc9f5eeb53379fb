// deploy/observability against the code: alerts and dashboard speak of metrics that exist, and leave none out.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createMetrics } from '../../src/metrics.ts'
import { DEPLOYED, hasPromtool, promtool, WHY_SKIPPED } from './promtool.ts'

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly { readonly expr: string }[]
}
interface Dashboard {
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] }
}

const read = (name: string) => readFile(join(DEPLOYED, name), 'utf8')
const [alerts, alertTests, dashboardText] = await Promise.all(
  ['alerts.yml', 'alerts.test.yml', 'dashboard.json'].map(read),
)
const dashboard = JSON.parse(dashboardText ?? '') as Dashboard
const expressions = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))

const METRICS = Object.values(createMetrics()).map(({ name }) => name)
const HISTOGRAMS = new Set(
  Object.values(createMetrics())
    .filter((metric) => metric.expose().includes(' histogram\n'))
    .map(({ name }) => name),
)

/** Every name that looks like one of ours. */
function namesIn(text: string): string[] {
  return [...new Set(text.match(/\b(?:hviske|process|nodejs)_[a-z_]+/g) ?? [])]
}

/** What stands in an expression for a metric: itself, or one of a histogram's three series. */
function metricOf(name: string): string | undefined {
  const base = name.replace(/_(bucket|sum|count)$/, '')
  return HISTOGRAMS.has(base) && base !== name ? base : HISTOGRAMS.has(name) ? undefined : name
}

const asked = (text: string) => namesIn(text).map((name) => ({ name, metric: metricOf(name) }))

test.each([
  ['an alert', alerts ?? ''],
  ['a test of an alert', alertTests ?? ''],
  ['the dashboard', expressions.join('\n')],
  ['a variable of the dashboard', dashboard.templating.list.map(({ definition }) => definition).join('\n')],
])('whatever %s asks for exists', (_where, text) => {
  expect(asked(text).length).toBeGreaterThan(0)
  for (const { name, metric } of asked(text))
    expect({ name, exists: METRICS.includes(metric ?? '') }).toEqual({ name, exists: true })
})

test('the dashboard shows every metric that there is', () => {
  const shown = new Set(asked(expressions.join('\n')).map(({ metric }) => metric))

  expect(METRICS.filter((name) => !shown.has(name))).toEqual([])
})

test('every label that is selected or summed by is one that our metrics carry', () => {
  const text = `${alerts}\n${expressions.join('\n')}`
  const selected = [...text.matchAll(/\{([^{}]*)\}/g)].flatMap(([, inside = '']) =>
    [...inside.matchAll(/(\w+)(?:=~|!~|!=|=)"/g)].map(([, label]) => label),
  )
  const summed = [...text.matchAll(/\b(?:by|ignoring) ?\(([^)]*)\)/g)].flatMap(([, inside = '']) =>
    inside.split(', '),
  )
  const ours = [
    'route',
    'method',
    'status',
    'code',
    'state',
    'kind',
    'queue',
    'task',
    'stage',
    'verdict',
    'reason',
    'phase',
  ]

  const known = new Set([...ours, 'instance', 'job', 'le'])
  expect([...selected, ...summed].filter((label) => !known.has(label ?? ''))).toEqual([])
  const declared = Object.values(createMetrics()).flatMap((metric) => metric.labelNames)
  for (const label of ours) expect(declared).toContain(label)
})

test('every alert says what is the matter and what to do, and has a test in which it fires', () => {
  const [, ...rules] = (alerts ?? '').split(/^ +- alert: /m)
  const names = rules.map((rule) => rule.split('\n', 1)[0] ?? '')

  expect(names.length).toBeGreaterThan(9)
  expect(new Set(names).size).toBe(names.length)
  for (const rule of rules) {
    expect(rule).toMatch(/severity: (critical|warning)/)
    expect(rule).toMatch(/summary: "[^"]{20,}"/)
    expect(rule).toMatch(/action: "[^"]{20,}"/)
  }
  const fires = (alertTests ?? '').match(/(?<=labels: 'ALERTS\{alertname=")\w+/g)
  expect(new Set(fires)).toEqual(new Set(names))
})

test('the dashboard’s panels have their own numbers and do not lie on each other', () => {
  const { panels } = dashboard
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, index) => `${x + (index % w)},${y + Math.floor(index / w)}`),
  )

  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
  expect(new Set(cells).size).toBe(cells.length)
  for (const { gridPos } of panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24)
})

test.skipIf(!hasPromtool)(`promtool finds the configuration and the rules in order${WHY_SKIPPED}`, () => {
  expect(promtool(['check', 'config', 'prometheus.yml'])).toMatchObject({ status: 0 })
})

test.skipIf(!hasPromtool)(`each alert fires when it should, and only then${WHY_SKIPPED}`, () => {
  const { status, output } = promtool(['test', 'rules', 'alerts.test.yml'])

  expect({ status, output }).toMatchObject({ status: 0, output: expect.stringContaining('SUCCESS') })
})

test.skipIf(!hasPromtool)(`every expression of the dashboard is PromQL${WHY_SKIPPED}`, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'hviske-rules-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const rules = expressions.map((expression, index) => ({
    record: `panel:${index}`,
    expr: expression.replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*'),
  }))
  const file = join(directory, 'rules.yml')
  await writeFile(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] })) // JSON is YAML

  expect(promtool(['check', 'rules', file])).toMatchObject({ status: 0 })
})
