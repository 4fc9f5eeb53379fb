/** The process behind `npm run doctor`: a line a check as it ends, or JSON at the end; exit code 1 when something failed. */
import { parseArgs } from 'node:util'
import { checksOf, examine } from './examine.ts'
import type { Finding } from './finding.ts'
import { asTypedOutside } from './in-container.ts'
import { hasFailure, toJson, toLines, toSummary } from './report.ts'
import { checkSettings } from './settings.ts'
import { isImage, thisMachine } from './this-machine.ts'

const USAGE = 'npm run doctor -- [--json] [--online]'
const OPTIONS = {
  json: { type: 'boolean', default: false },
  online: { type: 'boolean', default: false },
} as const

function wishes(): { json: boolean; online: boolean } {
  try {
    return parseArgs({ options: OPTIONS }).values
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}\n`)
    process.exit(2)
  }
}

const { json, online } = wishes()
const { finding, config } = checkSettings(process.env)
const world = thisMachine(config)
const isContainer = isImage()
const findings: Finding[] = []
const found = (finding: Finding) => {
  const one = isContainer ? asTypedOutside(finding) : finding
  findings.push(one)
  if (!json) process.stdout.write(toLines(one))
}

found(finding)
const subject = { config, environment: process.env, isOnline: online, isContainer }
for await (const one of examine(await checksOf(subject, world))) found(one)
await new Promise((written) => process.stdout.write(json ? toJson(findings) : toSummary(findings), written))
// What did not answer in its time must not keep us.
process.exit(hasFailure(findings) ? 1 : 0)
