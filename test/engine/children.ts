// Starts the small bad children of test/workers, and gathers what the log was told.
import { fileURLToPath } from 'node:url'
import type { WorkerCommand } from '../../src/engine/command.ts'
import { createLog, type Log } from '../../src/log.ts'

const WORKERS = fileURLToPath(new URL('../workers/', import.meta.url))

export function child(name: string): WorkerCommand {
  return { file: process.execPath, args: [`${name}.ts`], cwd: WORKERS, environment: {} }
}

export const SILENT = createLog('silent')
export const NEVER = new AbortController().signal

export function recordingLog(): {
  log: Log
  entries: { level: string; message: string; [fact: string]: unknown }[]
} {
  const entries: { level: string; message: string }[] = []
  return { log: createLog('debug', (line) => entries.push(JSON.parse(line))), entries }
}

export async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  return Array.fromAsync(items)
}
