import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ApiKeys, readApiKeys } from '../src/api-keys.ts'
import { readConfig } from '../src/config.ts'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hviske-keys-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

async function fileWith(content: string): Promise<string> {
  const path = join(directory, randomUUID())
  await writeFile(path, content)
  return path
}

test.each([
  ['one', ['one']],
  ['one,two', ['one', 'two']],
  [' one ,\n two\tthree ', ['one', 'two', 'three']],
])('API_KEYS=%j holds %j', (list, keys) => {
  const known = readApiKeys(list, '')

  expect(known.size).toBe(keys.length)
  for (const key of keys) expect(known.clientWith(key)).toBeDefined()
})

test('the file holds one key a line, with comments, in whatever way lines end', async () => {
  const file = await fileWith('# for Vexa\r\nkey-of-vexa\r\n\r\n  key-of-n8n   # the workflow\nwith#inside\n')

  const known = readApiKeys('key-of-mine', file)

  expect(known.size).toBe(4)
  for (const key of ['key-of-mine', 'key-of-vexa', 'key-of-n8n', 'with#inside']) {
    expect(known.clientWith(key)).toBeDefined()
  }
})

test('a key that is not exactly one of them is none of them', () => {
  const known = new ApiKeys(['secret'])

  for (const key of ['', 'secre', 'secrets', 'SECRET', 'secret ']) {
    expect(known.clientWith(key)).toBeUndefined()
  }
})

test('each key is a client of its own, the same after a restart', () => {
  const [once, again] = [new ApiKeys(['one', 'two']), new ApiKeys(['two'])]

  expect(once.clientWith('one')).not.toEqual(once.clientWith('two'))
  expect(again.clientWith('two')).toEqual(once.clientWith('two'))
  expect(once.clientWith('one')?.id).toMatch(/^[0-9a-f]{12}$/)
})

test.each([
  ['is empty', '', /API_KEYS_FILE=.*: the file holds no key/],
  ['holds only comments', '# later\n \n', /the file holds no key/],
  ['holds a sentence', 'good\nmy secret key\n', /line 2 has spaces/],
])('a file that %s ends the start, without telling what is in it', async (_what, content, message) => {
  const file = await fileWith(content)
  const read = () => readConfig({ API_KEYS_FILE: file, PORT: 'http' })

  expect(read).toThrow(message)
  expect(read).toThrow(/PORT=http/)
  expect(read).not.toThrow(/my secret key/)
})

test('a file that is not there ends the start by its name', () => {
  expect(() => readConfig({ API_KEYS_FILE: join(directory, 'nowhere') })).toThrow(
    /API_KEYS_FILE=.*nowhere: the file cannot be read \(ENOENT\)/,
  )
})

test('API_KEYS without a key in it, or with one that no header can carry, ends the start', () => {
  expect(() => readConfig({ API_KEYS: ' , ' })).toThrow('API_KEYS is set but holds no key')
  expect(() => readConfig({ API_KEYS: 'good,nøgle' })).toThrow(/API_KEYS: key 2 has/)
  expect(() => readConfig({ API_KEYS: 'good,nøgle' })).not.toThrow(/nøgle/)
})

test('a configuration that is printed does not tell the keys, nor the hashes that are compared', () => {
  const config = readConfig({ API_KEYS: 'tell-nobody' })

  for (const printed of [JSON.stringify(config), inspect(config, { depth: 9, showHidden: true })]) {
    expect(printed).not.toContain('tell-nobody')
    expect(printed).not.toMatch(/Buffer|[0-9a-f]{12}/)
  }
})
