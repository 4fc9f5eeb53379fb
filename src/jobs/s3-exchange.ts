/**
 * Recordings that are fetched from the bucket of the settings, and results that are written there where a client said. What
 * is in them is not known here.
 */
import { HeadObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { Failure } from '../failure.ts'
import type { FetchedRecording } from '../fetching/fetch-recording.ts'
import { type StoringLimits, storeRecording } from '../fetching/stored-recording.ts'
import { displayName } from '../upload/part-header.ts'
import { isNoSuchKey, type S3Settings } from './s3-client.ts'
import { requireReadable, resultKeys, type S3Object, type S3Places } from './s3-path.ts'
import { readObject } from './s3-reading.ts'

/** As the environment has them: none has to be there. */
export type S3Environment = { readonly [Name in keyof S3Settings]?: S3Settings[Name] | undefined }

const NEEDED = {
  accessKeyId: 'AWS_ACCESS_KEY_ID',
  secretAccessKey: 'AWS_SECRET_ACCESS_KEY',
  bucket: 'S3_STORAGE_BUCKET',
} as const satisfies Partial<Record<keyof S3Settings, string>>

/** @param param the field that needs them. @throws Failure s3_not_configured naming what is not set */
export function requireS3(environment: S3Environment, param: 's3_path' | 'url'): S3Settings {
  const { accessKeyId, secretAccessKey, bucket, endpointUrl, region } = environment
  if (accessKeyId && secretAccessKey && bucket) {
    const more = { ...(endpointUrl && { endpointUrl }), ...(region && { region }) }
    return { accessKeyId, secretAccessKey, bucket, ...more }
  }
  const missing = Object.entries(NEEDED).filter(([name]) => !environment[name as keyof typeof NEEDED])
  const names = missing.map(([, variable]) => variable).join(', ')
  const message = `The field "${param}" needs an S3 store, and this server has none: not set are ${names}.`
  throw new Failure('s3_not_configured', message, { param })
}

export interface S3Exchange {
  /** @throws Failure url_not_allowed, url_unreachable, s3_failed, file_too_large, empty_file, insufficient_storage; the signal's reason */
  fetchObject(
    object: S3Object,
    path: string,
    limits: StoringLimits,
    signal: AbortSignal,
  ): Promise<FetchedRecording>
  /** Whoever finds the JSON finds the Markdown beside it. @throws Failure invalid_value, s3_failed; the signal's reason */
  deliver(
    s3Path: string,
    result: { readonly json: string; readonly md: string },
    signal: AbortSignal,
  ): Promise<void>
}

export function createS3Exchange(client: S3Client, places: S3Places): S3Exchange {
  return {
    async fetchObject(object, path, limits, signal) {
      requireReadable(object, places)
      const at = { Bucket: object.bucket, Key: object.key }
      const stored = await told('the recording was not read', signal, async () => {
        const { ContentLength } = await client.send(new HeadObjectCommand(at), { abortSignal: signal })
        const stream = { chunks: readObject(client, at, signal), announcedBytes: ContentLength }
        return storeRecording(stream, path, limits)
      })
      return { path, name: displayName(object.key), ...stored }
    },

    async deliver(s3Path, { json, md }, signal) {
      const keys = resultKeys(s3Path, places)
      const files = [
        { Key: keys.md, Body: md, ContentType: 'text/markdown; charset=utf-8' },
        { Key: keys.json, Body: json, ContentType: 'application/json' },
      ]
      await told('the result was not written', signal, async () => {
        for (const file of files) {
          const ContentLength = Buffer.byteLength(file.Body)
          const object = { Bucket: places.bucket, ContentLength, ...file }
          await client.send(new PutObjectCommand(object), { abortSignal: signal })
        }
      })
    },
  }
}

/** What the store or the network says is for the log. */
async function told<Value>(what: string, signal: AbortSignal, act: () => Promise<Value>): Promise<Value> {
  try {
    return await act()
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof Failure || !isTheirs(error)) throw error
    if (isNoSuchKey(error)) {
      const message = 'The url could not be fetched: there is no such object.'
      throw new Failure('url_unreachable', message, { param: 'url', cause: error })
    }
    throw new Failure('s3_failed', `The S3 store could not be used: ${what}.`, { cause: error })
  }
}

/** The SDK marks what the store has answered; the rest is the network. */
function isTheirs(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return '$metadata' in error || '$fault' in error || error.name === 'TimeoutError' || 'code' in error
}
