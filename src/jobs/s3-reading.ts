/** An object as a stream that goes on where it broke off: the SDK repeats requests, but not what breaks in the middle of an answer. */
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3'

/** Without a byte in between. */
const BREAKS_IN_A_ROW = 3

/** @throws the SDK's errors; the signal's reason */
export async function* readObject(
  client: S3Client,
  at: { readonly Bucket: string; readonly Key: string },
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  let offset = 0
  let etag: string | undefined
  for (let breaks = 0; ; ) {
    // The same object, or none: another one may lie under the key by now.
    const rest =
      offset === 0 ? {} : { Range: `bytes=${offset}-`, ...(etag !== undefined && { IfMatch: etag }) }
    const sending = signal === undefined ? {} : { abortSignal: signal }
    const answer = await client.send(new GetObjectCommand({ ...at, ...rest }), sending)
    etag = answer.ETag
    try {
      for await (const chunk of answer.Body as AsyncIterable<Uint8Array>) {
        offset += chunk.byteLength
        breaks = 0
        yield chunk
      }
      return
    } catch (error) {
      signal?.throwIfAborted()
      breaks += 1
      if (breaks >= BREAKS_IN_A_ROW) throw error
    }
  }
}
