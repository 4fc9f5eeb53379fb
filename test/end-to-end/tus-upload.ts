/** A recording brought in pieces by the tus client that others use. */
import * as tus from 'tus-js-client'

/** Resolves with the upload's id. */
export function uploadByTus(serverUrl: string, bytes: Buffer): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const upload: tus.Upload = new tus.Upload(bytes, {
    endpoint: `${serverUrl}/uploads`,
    chunkSize: 30_000,
    metadata: { filename: 'da.wav' },
    onError: reject,
    onSuccess: () => resolve(upload.url?.split('/').at(-1) ?? ''),
  })
  upload.start()
  return promise
}
