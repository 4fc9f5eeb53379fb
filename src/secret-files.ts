/** Which settings are secret: they may lie in files, `NAME_FILE` instead of `NAME`, as containers are given them, and no message repeats them. */
import { readFileSync } from 'node:fs'

/** Not `API_KEYS`: its file has a key on each line, and comments. */
const SECRETS = [
  'QUEUE_URL',
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'WEBHOOK_SECRET',
  'LLM_API_KEY',
] as const
const NAMES = new Set<string>(SECRETS)

/**
 * The environment with the secrets of the files that it names; what it says itself goes first.
 *
 * @param problems gets a line for each file that cannot be read
 */
export function withSecretFiles(
  environment: Readonly<Record<string, string | undefined>>,
  problems: string[],
): Readonly<Record<string, string | undefined>> {
  const found: Record<string, string> = {}
  for (const name of SECRETS) {
    const path = environment[`${name}_FILE`]
    if (!path || environment[name]) continue
    try {
      found[name] = readFileSync(path, 'utf8').trim()
      if (found[name] === '') problems.push(`${name}_FILE=${path}: the file is empty`)
    } catch (error) {
      problems.push(`${name}_FILE=${path}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return { ...environment, ...found }
}

/** What is wrong with a setting, in a line for the log. A secret is not repeated: even a URL may hold a password. */
export function problemOf(name: string, raw: string, message = 'not allowed'): string {
  return `${name}=${NAMES.has(name) ? '…' : raw}: ${message}`
}
