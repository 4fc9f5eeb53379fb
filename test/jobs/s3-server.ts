/** A real S3 server on a port of this machine, with two buckets, whose files are deleted with it. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { s3ClientOf } from '../../src/jobs/s3-client.ts'

export const BUCKET = 'recordings'

export async function startS3() {
  const directory = await mkdtemp(join(tmpdir(), 'hviske-s3-'))
  // Its tokens for the next page of a list are DES, which OpenSSL calls legacy.
  const child = fork(new URL('s3-process.ts', import.meta.url), [directory, BUCKET, 'foreign'], {
    execArgv: ['--openssl-legacy-provider'],
  })
  const ended = once(child, 'exit')
  const [port] = (await once(child, 'message')) as [number]
  const settings = {
    accessKeyId: 'S3RVER',
    secretAccessKey: 'S3RVER',
    bucket: BUCKET,
    endpointUrl: `http://127.0.0.1:${port}`,
  }
  const client = s3ClientOf(settings)
  return {
    client,
    settings,
    async [Symbol.asyncDispose]() {
      client.destroy()
      child.kill('SIGKILL')
      await ended
      await rm(directory, { recursive: true, force: true })
    },
  }
}
