/** Work whose windows and result are known beforehand, and how a small process is led by its test, step by step. */
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { JobQueue } from '../../../src/jobs/job-queue.ts'

export const WINDOWS_OF_A_JOB = 6

export function resultOf(windows: readonly (number | undefined)[]): string {
  return `jobs/windows-${windows.join('-')}`
}

/** Opens the queue when its test lets it go on for the first time; until then everything is loaded. */
export async function openWhenTold(): Promise<JobQueue> {
  const [opener = '', settings = ''] = process.argv.slice(2)
  const { openQueue } = await import(opener)
  await goOn()
  return openQueue(JSON.parse(settings))
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
let isFree = false

/** Waits for a line of its test: each allows one step, `freely` all that there will be. */
export async function goOn(): Promise<void> {
  if (!isFree) isFree = (await lines.next()).value === 'freely'
}

/** Out before anything else is done. */
export function say(line: string): void {
  writeSync(1, `${line}\n`)
}
