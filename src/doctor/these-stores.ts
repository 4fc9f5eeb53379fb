/** Redis and the store of objects as they are, asked in the way that the server asks them. Nothing here judges. */
import { randomUUID } from 'node:crypto'
import { ListObjectsV2Command } from '@aws-sdk/client-s3'
import { Redis } from 'ioredis'
import type { Config } from '../config.ts'
import { redisAddress } from '../jobs/bullmq/address.ts'
import { unmetRequirements } from '../jobs/bullmq/requirements.ts'
import { s3Blobs } from '../jobs/s3-blobs.ts'
import { s3ClientOf } from '../jobs/s3-client.ts'
import type { QueueFacts } from './world.ts'

const REDIS_MS = 3000
const OBJECTS_MS = 8000
const S3_PREFIX = 'hviske/'

/** @throws Error for the operator, without the password that the URL may have */
export async function askRedis(url: string): Promise<QueueFacts> {
  const { name, options } = redisAddress(url)
  const redis = new Redis({
    ...options,
    lazyConnect: true,
    connectTimeout: REDIS_MS,
    commandTimeout: REDIS_MS,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  })
  let trouble: Error | undefined
  redis.on('error', (error: Error) => (trouble ??= error))
  try {
    await redis.connect()
    const told = await redis.info('server')
    return { name, ...programOf(told), unmet: await unmetRequirements(redis) }
  } catch (error) {
    throw trouble ?? error // "Connection is closed." does not say why
  } finally {
    redis.disconnect()
  }
}

/** Valkey calls itself redis 7.2.4, too, for those who know no other name. */
function programOf(info: string): Pick<QueueFacts, 'program' | 'version'> {
  const valkey = /^valkey_version:(\S+)/m.exec(info)?.[1]
  if (valkey !== undefined) return { program: 'Valkey', version: valkey }
  return { program: 'Redis', version: /^redis_version:(\S+)/m.exec(info)?.[1] ?? 'of no version' }
}

/** @throws Error for the operator */
export async function tryObjects(settings: Config['s3'], isWritten: boolean): Promise<void> {
  const { accessKeyId, secretAccessKey, bucket, endpointUrl, region } = settings
  const more = { ...(endpointUrl && { endpointUrl }), ...(region && { region }) }
  const client = s3ClientOf({ accessKeyId, secretAccessKey, bucket, ...more })
  const signal = AbortSignal.timeout(OBJECTS_MS)
  try {
    if (!isWritten) {
      const question = new ListObjectsV2Command({ Bucket: bucket, Prefix: S3_PREFIX, MaxKeys: 1 })
      await client.send(question, { abortSignal: signal })
      return
    }
    const blobs = s3Blobs({ client, bucket, prefix: S3_PREFIX })
    const key = `doctor/${randomUUID()}`
    await blobs.put(key, key, signal)
    try {
      const read = Buffer.concat(await Array.fromAsync(blobs.read(key, signal))).toString()
      if (read !== key) throw new Error('what was read is not what was written')
    } finally {
      await blobs.remove(key)
    }
  } catch (error) {
    throw named(error)
  } finally {
    client.destroy()
  }
}

/** Stores tell by the name of an error what the message often leaves out. */
function named(error: unknown): unknown {
  if (!(error instanceof Error) || ['Error', 'AggregateError'].includes(error.name)) return error
  return new Error(`${error.name}: ${error.message}`, { cause: error })
}
