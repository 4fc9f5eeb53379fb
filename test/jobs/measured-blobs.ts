/** Stores files in an S3 store and fetches them again, and says the most memory it has ever held. Its own process, so that the store's memory is not in it. */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { s3Blobs } from '../../src/jobs/s3-blobs.ts'
import { s3ClientOf } from '../../src/jobs/s3-client.ts'

const [endpointUrl = '', bucket = ''] = process.argv.slice(2)
const client = s3ClientOf({ accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER', bucket, endpointUrl })
const blobs = s3Blobs({ client, bucket, prefix: 'measured/' })
const directory = mkdtempSync(join(tmpdir(), 'hviske-measured-'))

process.on('message', (sizeBytes: number) => void carry(sizeBytes))
process.once('disconnect', () => {
  client.destroy()
  rmSync(directory, { recursive: true, force: true })
})

async function carry(sizeBytes: number): Promise<void> {
  const path = join(directory, 'file')
  writeFileSync(path, '')
  truncateSync(path, sizeBytes)
  await blobs.take('large', path)
  await using file = await blobs.asFile('large', directory)
  const { size } = await stat(file.path)
  process.send?.({ sizeBytes: size, peakBytes: process.resourceUsage().maxRSS * 1024 })
}
