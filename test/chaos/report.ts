/** A run's report as a table for people; the JSON holds the rest. */
import type { Report } from './run.ts'

export function printReport(report: Report): void {
  const { settings, chaosSeconds, acts, requests, textsCompared, gremlin, memory, left } = report
  const lines = [
    `${chaosSeconds} s of chaos with ${settings.clients} clients, seed ${settings.seed}: ${acts} acts, ${requests} requests, ${textsCompared} texts compared`,
    '',
    ...tableOf(report.outcomes),
    '',
    ...Object.entries(gremlin).map(([deed, times]) => `${String(times).padStart(6)} x ${deed}`),
    `${String(report.engineDeaths).padStart(6)} children died and were followed by another`,
    '',
    `memory: ${memory.level === undefined ? 'too few samples' : JSON.stringify(memory.level)}`,
    `left: ${JSON.stringify(left.atLast)}`,
    '',
    ...verdictLines(report),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}

function tableOf(outcomes: Report['outcomes']): string[] {
  const rows = Object.entries(outcomes).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return rows.map(([act, counts]) => {
    const said = Object.entries(counts).toSorted(([, a], [, b]) => b - a)
    return `${act.padEnd(32)} ${said.map(([outcome, count]) => `${count} ${outcome}`).join(', ')}`
  })
}

function verdictLines({ brokenInvariants, breaches, settings }: Report): string[] {
  const broken = Object.entries(brokenInvariants)
  if (broken.length === 0) return ['every invariant held']
  const { seed, minutes, clients } = settings
  return [
    ...broken.map(([invariant, count]) => `BROKEN ${count} x ${invariant}`),
    ...breaches
      .slice(0, 10)
      .map(
        ({ invariant, atSeconds, act, evidence }) =>
          `  at ${atSeconds} s, ${act ?? 'nobody'}: ${invariant}: ${evidence.slice(0, 600)}`,
      ),
    `again: npm run chaos -- --seed ${seed} --minutes ${minutes} --clients ${clients}`,
  ]
}
