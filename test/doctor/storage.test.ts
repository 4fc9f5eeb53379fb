// DATA_DIR, jobs and keys: each line for a disk that is good, and for one that is not.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { checkDataDirectory, checkDisk, checkJobs, checkKeys } from '../../src/doctor/storage.ts'
import { runKeyCommand } from '../../src/keys/key-command.ts'
import { configWith, rejecting } from './made-up-world.ts'

const GIB = 1024 ** 3
const EXT4 = 0xef53
const DATA = { dataDir: '/data', queueUrl: undefined }
const nowMs = () => Date.UTC(2026, 0, 31)

const disk =
  (kind: number, freeBytes = 100 * GIB) =>
  async () => ({ kind, freeBytes })
const tryWriting = async () => {}

test.each([
  ['of this machine', EXT4, 'ok', /can be written to/],
  ['over NFS', 0x6969, 'warn', /lies on NFS/],
  ['over CIFS, whose number some systems give a sign', 0xff534d42 - 2 ** 32, 'warn', /lies on CIFS/],
])('a DATA_DIR on a disk %s is judged', async (_what, kind, state, says) => {
  const finding = await checkDataDirectory(DATA, { tryWriting, diskOf: disk(kind) })

  expect(finding).toMatchObject({ name: 'data', state })
  expect(finding.says).toMatch(says)
})

test('a DATA_DIR that cannot be written to fails with the reason', async () => {
  const world = { tryWriting: rejecting('EACCES: permission denied'), diskOf: disk(EXT4) }

  expect(await checkDataDirectory(DATA, world)).toMatchObject({
    state: 'fail',
    says: '/data cannot be written to: EACCES: permission denied',
  })
})

test.each([
  [11, 'ok', /^10\.0 GiB free beyond the reserve of 1\.0 GiB$/],
  [10, 'warn', /^9\.0 GiB free .*less than one upload may have/],
  [1, 'fail', /every upload gets a 507/],
])('with %d GiB free, the disk is %s', async (freeGib, state, says) => {
  const config = configWith({ DISK_RESERVE_BYTES: String(GIB), MAX_UPLOAD_BYTES: String(10 * GIB) })
  const finding = await checkDisk(config, { diskOf: disk(EXT4, freeGib * GIB) })

  expect(finding).toMatchObject({ name: 'disk', state })
  expect(finding.says).toMatch(says)
})

test('jobs that open are ok, none yet as well, and a damaged file fails', async () => {
  expect(await checkJobs(DATA, { tablesIn: async () => 5 })).toMatchObject({ state: 'ok' })
  expect(await checkJobs(DATA, { tablesIn: async () => undefined })).toMatchObject({ state: 'ok' })
  expect(await checkJobs(DATA, { tablesIn: rejecting('file is not a database') })).toMatchObject({
    name: 'jobs',
    state: 'fail',
    says: expect.stringContaining('file is not a database'),
  })
})

async function keysFile(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'hviske-doctor-keys-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return join(directory, 'keys.json')
}

test('keys of the settings and of the command are counted', async () => {
  const file = await keysFile()
  await runKeyCommand(['create', 'laptop'], file, nowMs())
  const { apiKeys } = configWith({ API_KEYS: 'one-of-the-settings' })

  expect(await checkKeys({ apiKeys, keysFile: file }, { nowMs })).toMatchObject({
    state: 'ok',
    says: '2 good',
  })
})

test('no key at all is a warning with the command that makes one; so are revoked and expired ones', async () => {
  const file = await keysFile()
  const { apiKeys } = configWith({})
  const none = await checkKeys({ apiKeys, keysFile: file }, { nowMs })
  await runKeyCommand(['create', 'old', '--expires', '1h'], file, nowMs() - 7_200_000)
  await runKeyCommand(['create', 'gone'], file, nowMs())
  await runKeyCommand(['revoke', 'gone'], file, nowMs())
  const useless = await checkKeys({ apiKeys, keysFile: file }, { nowMs })

  expect(none).toMatchObject({ state: 'warn', mend: 'npm run keys -- create NAME' })
  expect(useless).toMatchObject({ state: 'warn', says: expect.stringContaining('nobody is let in') })
})

test('a file of keys that cannot be read fails', async () => {
  const file = await keysFile()
  await writeFile(file, 'not keys')

  expect(await checkKeys({ apiKeys: configWith({}).apiKeys, keysFile: file }, { nowMs })).toMatchObject({
    name: 'keys',
    state: 'fail',
  })
})
