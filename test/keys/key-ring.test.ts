import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { ApiKeys } from '../../src/api-keys.ts'
import { runKeyCommand } from '../../src/keys/key-command.ts'
import { changeKeyFile } from '../../src/keys/key-file.ts'
import { KeyRing } from '../../src/keys/key-ring.ts'
import { createLog } from '../../src/log.ts'

const NOW_MS = Date.parse('2026-11-20T12:00:00Z')
const DAY_MS = 86_400_000

async function home(fixed: readonly string[] = []) {
  const directory = await mkdtemp(join(tmpdir(), 'hviske-keys-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const file = join(directory, 'below', 'keys.json')
  const clock = { nowMs: NOW_MS }
  const lines: string[] = []
  const log = createLog('debug', (line) => lines.push(line))
  const parts = { fixed: new ApiKeys(fixed), file, log, nowMs: () => clock.nowMs }
  const run = async (...words: string[]) => (await runKeyCommand(words, file, clock.nowMs)).result
  return { file, clock, lines, run, open: () => KeyRing.open(parts) }
}

test('a key is good from the moment it is made to the moment it is revoked', async () => {
  const { run, open } = await home()
  const ring = await open()
  expect(await ring.asks()).toBe(false)

  const key = await run('create', 'vexa')
  expect(await ring.asks()).toBe(true)
  expect(await ring.clientWith(key)).toMatchObject({ scopes: ['transcribe', 'jobs'] })
  expect(await ring.clientWith(`${key}x`)).toBeUndefined()

  const other = await run('create', 'n8n')
  await run('revoke', 'vexa')
  expect(await ring.clientWith(key)).toBeUndefined()
  expect(await ring.clientWith(other)).toBeDefined()
})

test('a server that has asked for keys does not stop when the last one is revoked, or the file is deleted', async () => {
  const { file, run, open } = await home()
  const ring = await open()
  const key = await run('create', 'vexa')
  await run('revoke', 'vexa')
  expect(await ring.asks()).toBe(true)
  expect(await (await open()).asks()).toBe(true)

  await rm(file)

  expect(await ring.asks()).toBe(true)
  expect(await ring.clientWith(key)).toBeUndefined()
})

test('a key is good until it expires, and nothing has to be written for that', async () => {
  const { clock, run, open } = await home()
  const key = await run('create', 'vexa', '--expires', '2d')
  const ring = await open()

  clock.nowMs += 2 * DAY_MS - 1
  expect(await ring.clientWith(key)).toBeDefined()
  clock.nowMs += 1
  expect(await ring.clientWith(key)).toBeUndefined()
  expect(await ring.asks()).toBe(true)
})

test('the keys of the settings stay good beside those of the file, for everything', async () => {
  const { run, open } = await home(['fixed'])
  await run('create', 'vexa')
  const ring = await open()

  expect(await ring.clientWith('fixed')).toMatchObject({ scopes: ['admin'] })
  expect(ring.isAsking).toBe(true)
})

test('a client has the id in the log that the list shows', async () => {
  const { run, open } = await home()
  const key = await run('create', 'vexa')
  const [listed] = JSON.parse(await run('list', '--json')) as { id: string }[]

  expect((await (await open()).clientWith(key))?.id).toBe(listed?.id)
})

test.each([
  ['cut off', '{"version":1,"keys":[{"id":'],
  ['of another version', '{"version":2,"keys":[]}'],
  ['of another shape', '{"version":1,"keys":[{"name":"x"}]}'],
])('a file that is %s ends the start', async (_what, content) => {
  const { file, run, open } = await home()
  await run('create', 'vexa')
  await writeFile(file, content)

  await expect(open()).rejects.toThrow(`the keys in ${file} cannot be read: it is not what`)
})

test('a file that becomes unreadable while the server runs changes nothing, and is complained of once', async () => {
  const { file, lines, run, open } = await home()
  const key = await run('create', 'vexa')
  const good = await readFile(file)
  const ring = await open()

  await writeFile(file, 'no keys')
  expect(await ring.clientWith(key)).toBeDefined()
  expect(await ring.clientWith(key)).toBeDefined()
  expect(lines.filter((line) => line.includes('"error"'))).toHaveLength(1)

  await writeFile(file, good)
  await run('revoke', 'vexa')
  expect(await ring.clientWith(key)).toBeUndefined()
})

test('what the log, the list, the file and a printed ring say leads nowhere near a key', async () => {
  const { file, lines, run, open } = await home()
  const ring = await open()
  const key = await run('create', 'vexa')
  await ring.clientWith(key)
  await run('create', 'n8n')
  await ring.clientWith(`${key}wrong`)

  const said = [
    ...lines,
    await run('list'),
    await run('list', '--json'),
    await readFile(file, 'utf8'),
    inspect(ring, { depth: 9, showHidden: true }),
  ].join('\n')

  expect(lines.length).toBeGreaterThan(0)
  expect(said).not.toContain(key)
  expect(said).not.toContain(key.slice(3, 15))
})

test('the file is the operator’s alone, and nothing lies beside it', async () => {
  const { file, run } = await home()
  await run('create', 'vexa')
  await chmod(file, 0o644)
  await run('create', 'n8n')

  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect((await stat(join(file, '..'))).mode & 0o777).toBe(0o700)
  expect(await readdir(join(file, '..'))).toEqual(['keys.json'])
})

test('of two changes at once the second is refused, and says what to do', async () => {
  const { file, run } = await home()
  await run('create', 'vexa')
  await writeFile(`${file}.new`, '')

  await expect(run('create', 'n8n')).rejects.toThrow(
    /another command is changing the keys.*keys\.json\.new can be deleted/,
  )

  expect(await readdir(join(file, '..'))).toEqual(['keys.json', 'keys.json.new'])
})

test('a change that fails leaves everything as it was', async () => {
  const { file, run } = await home()
  await run('create', 'vexa')
  const before = await readFile(file, 'utf8')

  const fail = () => {
    throw new Error('no')
  }
  await expect(changeKeyFile(file, fail)).rejects.toThrow('no')

  expect(await readFile(file, 'utf8')).toBe(before)
  expect(await readdir(join(file, '..'))).toEqual(['keys.json'])
})
