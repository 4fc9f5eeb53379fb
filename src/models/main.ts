/** The process behind `npm run model`: results go to stdout, how it goes to stderr. Exit code 1: not well, 2: the words, 130: interrupted. */
import { existsSync, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { parseEnv } from 'node:util'
import { modelSettings } from '../config.ts'
import { Misused, runModelCommand } from './model-command.ts'
import { askPython, Interrupted } from './python-half.ts'
import { isInContainer, writeSettings } from './settings-place.ts'

const ENV_FILE = '.env'

const { model, revision, pythonPath, givenModel } = modelSettings()
const inFile = parseEnv(await readFile(ENV_FILE, 'utf8').catch(() => ''))
const interruption = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interruption.abort())

try {
  const isWell = await runModelCommand(process.argv.slice(2), {
    model,
    revision,
    overridingModel: givenModel === inFile['MODEL'] ? undefined : givenModel,
    ask: (question) => askPython(pythonPath, question, interruption.signal),
    isDirectory: (path) => existsSync(path) && statSync(path).isDirectory(),
    changeSettings: (changes) => writeSettings(ENV_FILE, changes, isInContainer()),
    write: (text) => process.stdout.write(`${text}\n`),
    tell: (text) => process.stderr.write(text),
    columns: process.stderr.isTTY ? process.stderr.columns : undefined,
    nowMs: () => performance.now(),
  })
  process.exitCode = isWell ? 0 : 1
} catch (error) {
  if (error instanceof Interrupted) {
    process.stderr.write('\nInterrupted. What has come stays; the same command goes on from there.\n')
    process.exitCode = 130
  } else {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = error instanceof Misused ? 2 : 1
  }
}
