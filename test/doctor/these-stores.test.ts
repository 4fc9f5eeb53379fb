// A real Redis and a real store of objects, asked as the doctor asks them.
import { ListObjectsV2Command } from '@aws-sdk/client-s3'
import { expect, onTestFinished, test } from 'vitest'
import { askRedis, tryObjects } from '../../src/doctor/these-stores.ts'
import { REDIS, startRedis } from '../jobs/redis-server.ts'
import { BUCKET, startS3 } from '../jobs/s3-server.ts'

async function redisWith(changes: Record<string, string> = {}) {
  const server = await startRedis(changes)
  onTestFinished(() => server[Symbol.asyncDispose]())
  return server
}

async function store() {
  const server = await startS3()
  onTestFinished(() => server[Symbol.asyncDispose]())
  const held = async () => (await server.client.send(new ListObjectsV2Command({ Bucket: BUCKET }))).KeyCount
  return { settings: { region: '', ...server.settings }, held }
}

test.skipIf(REDIS === undefined)('a Redis as jobs need it tells its version and lacks nothing', async () => {
  const { url, port } = await redisWith()

  expect(await askRedis(url)).toEqual({
    name: `127.0.0.1:${port}`,
    program: 'Redis',
    version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    unmet: [],
  })
})

test.skipIf(REDIS === undefined)('what is set otherwise is told with what it should be', async () => {
  const { url } = await redisWith({ appendonly: 'no', 'maxmemory-policy': 'allkeys-lru' })
  const { unmet } = await askRedis(url)

  expect(unmet).toMatchObject([
    { setting: 'appendonly', value: 'no', wanted: 'yes' },
    { setting: 'maxmemory-policy', value: 'allkeys-lru', wanted: 'noeviction' },
  ])
})

test.skipIf(REDIS === undefined)(
  'a wrong password and a forbidden CONFIG are told, and no password',
  async () => {
    const { url } = await redisWith({ requirepass: 'hush-hush', 'rename-command': 'CONFIG ""' })
    const told = await askRedis(url.replace('//', '//:hush-hush@'))

    expect(told).toMatchObject({ unmet: undefined })
    expect(JSON.stringify(told)).not.toContain('hush')
    await expect(askRedis(url.replace('//', '//:hush-wrong@'))).rejects.toThrow(/^(?!.*hush).*WRONGPASS/)
    await expect(askRedis(url)).rejects.toThrow(/NOAUTH/)
  },
)

test('nobody at the address is an error that says so, within its time', async () => {
  await expect(askRedis('redis://127.0.0.1:1')).rejects.toThrow(/ECONNREFUSED/)
})

test.each([true, false])('nothing stays in a store that was tried (written: %s)', async (isWritten) => {
  const { settings, held } = await store()

  await tryObjects(settings, isWritten)

  expect(await held()).toBe(0)
})

test.each([true, false])(
  'a bucket that is not there is told by its name (written: %s)',
  async (isWritten) => {
    const settings = { ...(await store()).settings, bucket: 'nowhere' }

    await expect(tryObjects(settings, isWritten)).rejects.toThrow(/NoSuchBucket/)
  },
)

test('a store that nobody serves is an error that says so', async () => {
  const settings = { accessKeyId: 'i', secretAccessKey: 's', bucket: BUCKET, region: '' }

  await expect(tryObjects({ ...settings, endpointUrl: 'http://127.0.0.1:1' }, false)).rejects.toThrow(
    /ECONNREFUSED/,
  )
})
