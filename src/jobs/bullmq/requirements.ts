/** What Redis must be set to, so that what it was given is still there tomorrow. It is asked at the start; it is the operator's to mend. */
import type { Redis } from 'ioredis'
import type { Log } from '../../log.ts'

const REQUIREMENTS = [
  {
    setting: 'appendonly',
    wanted: 'yes',
    otherwise: 'jobs that were taken since its last snapshot are lost when redis ends',
  },
  {
    setting: 'appendfsync',
    wanted: 'always',
    otherwise:
      'the last two seconds of what it has answered may be lost when it dies; always keeps all of it',
  },
  {
    setting: 'maxmemory-policy',
    wanted: 'noeviction',
    otherwise: 'redis may throw away jobs when its memory is full',
  },
] as const

/** Of a server of somebody else's, CONFIG may be forbidden: then nobody knows, and the log says so. */
export async function checkRequirements(redis: Redis, log: Log, name: string): Promise<void> {
  const unmet = await unmetRequirements(redis)
  if (unmet === undefined) {
    const message =
      'redis does not tell its settings; jobs need appendonly yes, appendfsync always and maxmemory-policy noeviction'
    log.info(message, { redis: name })
  }
  for (const { setting, value, otherwise } of unmet ?? []) {
    log.warn(`redis has ${setting} ${value}: ${otherwise}`, { redis: name })
  }
}

/** Undefined: it does not tell. */
export async function unmetRequirements(redis: Redis) {
  const unmet = []
  for (const requirement of REQUIREMENTS) {
    const value = await settingOf(redis, requirement.setting)
    if (value === undefined) return undefined
    if (value !== requirement.wanted) unmet.push({ ...requirement, value })
  }
  return unmet
}

async function settingOf(redis: Redis, setting: string): Promise<string | undefined> {
  try {
    const answer: unknown = await redis.config('GET', setting)
    return Array.isArray(answer) ? (answer[1] as string | undefined) : undefined
  } catch {
    return undefined
  }
}
