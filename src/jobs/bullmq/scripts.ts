/** Our scripts, which Redis runs each as one step: nobody sees, and no crash leaves, half of one. What they mean is in lua/. */
import { readFileSync } from 'node:fs'
import type { Redis, RedisOptions } from 'ioredis'

const NAMES = [
  'add',
  'cancel',
  'claim',
  'counts',
  'ended',
  'events',
  'favourite',
  'finish',
  'forget',
  'holds',
  'length',
  'list',
  'place',
  'release',
  'retry',
  'sweep',
  'window',
] as const
export type ScriptName = (typeof NAMES)[number]

/** ioredis' own commands have some of these names. */
const commandOf = (name: ScriptName) => `hviske_${name}`

const source = (name: string) => readFileSync(new URL(`lua/${name}.lua`, import.meta.url), 'utf8')

export function loadScripts(): NonNullable<RedisOptions['scripts']> {
  const prelude = source('prelude')
  return Object.fromEntries(
    NAMES.map((name) => [commandOf(name), { lua: prelude + source(name), numberOfKeys: 1 }]),
  )
}

/** By its hash; ioredis sends the text when Redis, restarted, does not know it any more. */
export function runScript(
  redis: Redis,
  name: ScriptName,
  prefix: string,
  args: readonly (string | number)[],
): Promise<unknown> {
  const commands = redis as unknown as Record<string, (...all: (string | number)[]) => Promise<unknown>>
  const command = commands[commandOf(name)]
  if (command === undefined) throw new Error(`the connection has no script ${name}`)
  return command.call(redis, prefix, ...args)
}
