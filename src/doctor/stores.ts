/** Where jobs are kept when several servers share them: Redis or Valkey, and a store of objects. */
import type { Config } from '../config.ts'
import { type Finding, fail, ok, reasonOf, warn } from './finding.ts'
import type { World } from './world.ts'

/** What the tests run with; Valkey is told by its own number, which begins after it. */
const OLDEST_REDIS = 7
const SETTINGS = 'appendonly yes, appendfsync always, maxmemory-policy noeviction'

export async function checkQueue(url: string, { askRedis }: Pick<World, 'askRedis'>): Promise<Finding> {
  const page = 'docs/jobs-on-redis.md'
  try {
    const { name, program, version, unmet } = await askRedis(url)
    const says = `${program} ${version} at ${name}`
    if (Number.parseInt(version, 10) < OLDEST_REDIS)
      return warn('queue', `${says}: ${OLDEST_REDIS}.0 is the oldest that was tried`, 'a newer one')
    if (unmet === undefined)
      return warn('queue', `${says}, which does not tell its settings`, `${SETTINGS}: see to it (${page})`)
    const [first] = unmet
    if (first === undefined) return ok('queue', `${says}, with ${SETTINGS}`)
    // The others lose what was under way in an accident; this one loses jobs while everything works.
    const judge = unmet.some(({ setting }) => setting === 'maxmemory-policy') ? fail : warn
    const why = unmet.map(({ setting, value, otherwise }) => `${setting} ${value}: ${otherwise}`)
    const mend = unmet.map(({ setting, wanted }) => `redis-cli config set ${setting} ${wanted}`)
    return judge('queue', `${says}; ${why.join('; ')}`, mend.join(' && '))
  } catch (error) {
    return fail('queue', `QUEUE_URL does not answer: ${reasonOf(error)}`, 'docker compose up -d valkey')
  }
}

/** Undefined: nothing is said of a store, and none is needed. */
export function wantsObjects({ s3, jobStorage }: Pick<Config, 's3' | 'jobStorage'>): boolean {
  return jobStorage === 's3' || [s3.accessKeyId, s3.secretAccessKey, s3.bucket].some((value) => value !== '')
}

export async function checkObjects(
  { s3, jobStorage }: Pick<Config, 's3' | 'jobStorage'>,
  { tryObjects }: Pick<World, 'tryObjects'>,
): Promise<Finding> {
  const missing = [
    ...(s3.accessKeyId === '' ? ['AWS_ACCESS_KEY_ID'] : []),
    ...(s3.secretAccessKey === '' ? ['AWS_SECRET_ACCESS_KEY'] : []),
    ...(s3.bucket === '' ? ['S3_STORAGE_BUCKET'] : []),
  ]
  if (missing.length > 0)
    return fail('objects', `not set: ${missing.join(', ')}`, 'all three of them, or none, in .env')
  const where = `bucket ${s3.bucket} at ${s3.endpointUrl || 'Amazon'}`
  const isWritten = jobStorage === 's3'
  try {
    await tryObjects(s3, isWritten)
    return ok(
      'objects',
      `${where}: an object ${isWritten ? 'was written, read and removed' : 'can be looked for'}`,
    )
  } catch (error) {
    const mend = 'its address, keys and bucket in .env; docker compose ps objects, where that is the store'
    return fail('objects', `${where}: ${reasonOf(error)}`, mend)
  }
}
