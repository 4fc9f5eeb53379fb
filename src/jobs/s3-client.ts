/** How we speak to a store of objects, Amazon's or another that understands S3. What is kept there is not known here. */
import { S3Client } from '@aws-sdk/client-s3'

export interface S3Settings {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly bucket: string
  /** Undefined: Amazon's own. */
  readonly endpointUrl?: string
  readonly region?: string
}

/** The region that most other stores answer to, and Amazon's first. */
const USUAL_REGION = 'us-east-1'
const CONNECT_MS = 5000
const IDLE_MS = 60_000
/** The first one, and as many again after longer and longer pauses. */
const TRIES = 4

/** With these credentials alone, whatever Amazon's own tools have on this machine. The caller destroys it. */
export function s3ClientOf({ accessKeyId, secretAccessKey, endpointUrl, region }: S3Settings): S3Client {
  return new S3Client({
    region: region ?? USUAL_REGION,
    credentials: { accessKeyId, secretAccessKey },
    maxAttempts: TRIES,
    retryMode: 'standard',
    ...(endpointUrl !== undefined && { endpoint: endpointUrl, forcePathStyle: !isAmazons(endpointUrl) }),
    // Since 2025 the SDK adds a CRC32 to everything, in a kind of body that other stores store as it comes.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: { connectionTimeout: CONNECT_MS, socketTimeout: IDLE_MS },
  })
}

/** Elsewhere `bucket.host` is a name that nobody has registered. */
function isAmazons(endpointUrl: string): boolean {
  return /(^|\.)amazonaws\.com(\.cn)?$/.test(new URL(endpointUrl).hostname)
}

/** The store says that there is nothing under this key. */
export function isNoSuchKey(error: unknown): boolean {
  return error instanceof Error && ['NoSuchKey', 'NotFound'].includes(error.name)
}
