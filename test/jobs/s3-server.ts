/** A real S3 server on a port of this machine, with one bucket, whose files are deleted with it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import S3rver from '@20minutes/s3rver'
import { s3ClientOf } from '../../src/jobs/s3-client.ts'

export const BUCKET = 'recordings'

export async function startS3() {
  const directory = await mkdtemp(join(tmpdir(), 'hviske-s3-'))
  const server = new S3rver({
    address: '127.0.0.1',
    port: 0,
    silent: true,
    // It reckons the path of a bucket without the slash at its end that the SDK signs; whether we sign right is the SDK's business.
    allowMismatchedSignatures: true,
    directory,
    configureBuckets: [
      { name: BUCKET, configs: [] },
      { name: 'foreign', configs: [] },
    ],
  })
  const { port } = await server.run()
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
      await server.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
