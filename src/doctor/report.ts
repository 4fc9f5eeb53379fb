/** Findings as people and programs read them. */
import type { Finding } from './finding.ts'

/** Of the longest name of a check. */
const NAME_WIDTH = 'transcription'.length
const INDENT = ' '.repeat('warn  '.length + NAME_WIDTH + 2)

export function toLines({ name, state, says, mend }: Finding): string {
  const line = `${state.padEnd(4)}  ${name.padEnd(NAME_WIDTH)}  ${says}\n`
  return mend === undefined ? line : `${line}${INDENT}→ ${mend}\n`
}

export function toSummary(findings: readonly Finding[]): string {
  const count = (state: Finding['state']) => findings.filter((finding) => finding.state === state).length
  return `\n${count('ok')} ok, ${count('warn')} warn, ${count('fail')} fail\n`
}

export function toJson(findings: readonly Finding[]): string {
  return `${JSON.stringify({ ok: !hasFailure(findings), findings }, null, 2)}\n`
}

export function hasFailure(findings: readonly Finding[]): boolean {
  return findings.some(({ state }) => state === 'fail')
}
