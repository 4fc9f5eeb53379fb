// The command as operators run it: a process of its own, in a directory of its own.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { hashOf } from '../../src/api-keys.ts'

const COMMAND = fileURLToPath(new URL('../../src/keys/main.ts', import.meta.url))

let dataDir: string
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'hviske-keys-'))
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }))
})

/** Some settings are wrong: that is the server's business. */
const keys = (...words: string[]) =>
  execa(process.execPath, [COMMAND, ...words], { env: { DATA_DIR: dataDir, PORT: 'x' }, reject: false })

test('a key is made, shown once, listed and revoked', async () => {
  const made = await keys('create', 'Vexa bots', '--scopes', 'transcribe', '--expires', '90d')
  const listed = await keys('list')
  const revoked = await keys('revoke', 'Vexa bots')
  const after = await keys('list')

  expect(made.stdout).toMatch(/^hv_[\w-]{43}$/)
  expect(made.stderr).toMatch(
    /^Key "Vexa bots" \([0-9a-f]{12}\) is good for transcribe until 20\d\d-.*not shown again/,
  )
  expect(made.stderr).not.toContain(made.stdout)
  expect(listed.stdout).toMatch(
    /^id +name +state +scopes +created +expires\n[0-9a-f]{12} +Vexa bots +good +transcribe +/,
  )
  expect(revoked).toMatchObject({ exitCode: 0, stdout: '' })
  expect(revoked.stderr).toMatch(/^Key "Vexa bots" \([0-9a-f]{12}\) is refused from now on\.$/)
  expect(after.stdout).toMatch(/Vexa bots +revoked/)
  const file = await readFile(join(dataDir, 'keys.json'), 'utf8')
  expect(file).toContain(hashOf(made.stdout).toString('hex'))
  expect(file).not.toContain(made.stdout)
})

test('a key can be revoked by its id, and its name be used again', async () => {
  const first = await keys('create', 'vexa')
  const id = /\(([0-9a-f]{12})\)/.exec(first.stderr)?.[1] ?? ''
  const twice = await keys('create', 'vexa')
  const revoked = await keys('revoke', id)
  const again = await keys('create', 'vexa')

  expect(twice).toMatchObject({ exitCode: 1, stdout: '' })
  expect(twice.stderr).toMatch(/^there is a key "vexa" already/)
  expect(revoked.exitCode).toBe(0)
  expect(again.exitCode).toBe(0)
  expect(again.stdout).not.toBe(first.stdout)
  expect((await keys('revoke', id)).stderr).toMatch(/^there is no good key/)
})

test('the list for programs holds everything but the hashes', async () => {
  await keys('create', 'vexa', '--scopes', 'metrics,transcribe')

  const [key] = JSON.parse((await keys('list', '--json')).stdout) as object[]

  expect(key).toEqual({
    id: expect.stringMatching(/^[0-9a-f]{12}$/),
    name: 'vexa',
    scopes: ['transcribe', 'metrics'],
    created: expect.stringMatching(/^20.*Z$/),
    expires: null,
    revoked: null,
    state: 'good',
  })
})

test('a list of none says where they would be', async () => {
  const listed = await keys('list')

  expect(listed.exitCode).toBe(0)
  expect(listed.stderr).toBe(`${join(dataDir, 'keys.json')} holds no keys.`)
})

test.each([
  [[], /^npm run keys -- create/],
  [['create'], /^npm run keys -- create/],
  [['forget', 'x'], /^npm run keys -- create/],
  [['list', 'x'], /^npm run keys -- create/],
  [['create', 'a', 'b'], /^too many words: b\n/],
  [['create', 'a', '--scope', 'jobs'], /^Unknown option '--scope'/],
  [['create', ' '], /^a name has/],
  [['create', 'a\nb'], /^a name has/],
  [
    ['create', 'a', '--scopes', 'jobs,all'],
    /^--scopes jobs,all: a list of transcribe, jobs, metrics, admin$/,
  ],
  [['create', 'a', '--scopes', ','], /^--scopes ,: a list of/],
  [['create', 'a', '--expires', 'soon'], /^--expires soon: 12h, 90d/],
  [['create', 'a', '--expires', '0d'], /^--expires 0d: /],
  [['create', 'a', '--expires', '2020-01-01'], /^--expires 2020-01-01: /],
  [['revoke', 'nobody'], /^there is no good key "nobody"/],
])('%j is refused in words, without a file being made', async (words, message) => {
  const refused = await keys(...words)

  expect(refused).toMatchObject({ exitCode: 1, stdout: '' })
  expect(refused.stderr).toMatch(message)
  expect(refused.stderr).not.toMatch(/\n +at /)
  expect((await keys('list')).stderr).toMatch(/holds no keys/)
})
