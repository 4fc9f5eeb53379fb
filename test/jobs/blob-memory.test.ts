import { fork } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { BUCKET, startS3 } from './s3-server.ts'

const MIB = 1024 ** 2

test('a blob of 512 MB goes to an S3 store and comes back with no more memory than one of 64 MB', async () => {
  await using s3 = await startS3()
  const child = fork(new URL('measured-blobs.ts', import.meta.url), [s3.settings.endpointUrl, BUCKET])
  const ended = once(child, 'exit')
  try {
    const carry = async (sizeBytes: number) => {
      const answered = once(child, 'message')
      child.send(sizeBytes)
      const [answer] = (await answered) as [{ sizeBytes: number; peakBytes: number }]
      return answer
    }
    const small = await carry(64 * MIB)
    const large = await carry(512 * MIB)

    expect(large.sizeBytes).toBe(512 * MIB)
    expect(large.peakBytes - small.peakBytes).toBeLessThan(96 * MIB)
  } finally {
    child.disconnect()
    await ended
  }
})
