// What several servers share: a Redis for the jobs and an S3 store for the recordings, gone when the test has ended.
import { onTestFinished } from 'vitest'
import { type RedisServer, startRedis } from '../jobs/redis-server.ts'
import { startS3 } from '../jobs/s3-server.ts'

export interface Stores {
  readonly redis: RedisServer
  /** For every server that shares them. */
  readonly settings: Readonly<Record<string, string>>
}

export async function startStores(): Promise<Stores> {
  const redis = await startRedis()
  onTestFinished(() => redis[Symbol.asyncDispose]())
  const s3 = await startS3()
  onTestFinished(() => s3[Symbol.asyncDispose]())
  const settings = {
    QUEUE_URL: redis.url,
    JOB_STORAGE: 's3',
    AWS_ACCESS_KEY_ID: s3.settings.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.settings.secretAccessKey,
    S3_STORAGE_BUCKET: s3.settings.bucket,
    S3_ENDPOINT_URL: s3.settings.endpointUrl,
    // Who is dead is noticed in seconds.
    JOB_LEASE_SECONDS: '4',
  }
  return { redis, settings }
}
