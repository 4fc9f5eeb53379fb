/** Whether the server could read its settings; and settings to go on with when it could not. No secret is repeated. */
import { type Config, readConfig } from '../config.ts'
import { type Finding, fail, ok } from './finding.ts'
import type { Environment } from './world.ts'

const SECRET = /KEY|SECRET|TOKEN|PASSWORD/
const MEND = 'correct them in .env, or where else they are set; the README lists what is allowed'

/** `config` is made without the settings that are wrong. */
export function checkSettings(environment: Environment): { finding: Finding; config: Config } {
  try {
    return { finding: ok('settings', 'all can be used'), config: readConfig(environment) }
  } catch (error) {
    const lines = (error instanceof Error ? error.message : String(error)).split('\n').slice(1)
    const says = lines.map((line) => withoutSecrets(line.trim(), environment)).join('; ')
    return { finding: fail('settings', says, MEND), config: readConfig(withoutWrong(environment, lines)) }
  }
}

/** Problems of keys do not always begin with the name of their setting. */
function withoutWrong(environment: Environment, lines: readonly string[]): Environment {
  const wrong = lines.flatMap((line) => /^\s*([A-Z0-9_]+)=/.exec(line)?.[1] ?? [])
  const dropped = new Set([...wrong, 'API_KEYS', 'API_KEYS_FILE'])
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !dropped.has(name)))
}

/** The whole line is of one setting; its value may be anything. */
function withoutSecrets(line: string, environment: Environment): string {
  const [, name = ''] = /^([A-Z0-9_]+)=/.exec(line) ?? []
  const value = environment[name] ?? ''
  const isSecret = SECRET.test(name) && !name.endsWith('_FILE')
  return isSecret && value !== '' ? line.replaceAll(value, '(not shown)') : withoutPassword(line)
}

function withoutPassword(line: string): string {
  return line.replaceAll(/(\w+:\/\/)[^/@\s]+@/g, '$1(not shown)@')
}
