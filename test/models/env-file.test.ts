import { lstat, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { assignment, changeEnvFile, withSettings } from '../../src/models/env-file.ts'
import { writeSettings } from '../../src/models/settings-place.ts'

async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'hviske-env-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

test.each([
  ['an empty file', '', 'MODEL=b/c\nMODEL_REVISION=v1\n'],
  ['a setting is changed where it stands', 'MODEL=a\nPORT=1\n', 'MODEL=b/c\nPORT=1\nMODEL_REVISION=v1\n'],
  ['a second line of it goes', 'MODEL=a\nMODEL=b\n', 'MODEL=b/c\nMODEL_REVISION=v1\n'],
  [
    'comments and likenesses stay',
    '# MODEL=x\nLLM_MODEL=y',
    '# MODEL=x\nLLM_MODEL=y\nMODEL=b/c\nMODEL_REVISION=v1\n',
  ],
  ['export is understood', '  export MODEL = a\n', 'MODEL=b/c\nMODEL_REVISION=v1\n'],
])('%s', (_what, before, after) => {
  expect(withSettings(before, { MODEL: 'b/c', MODEL_REVISION: 'v1' })).toBe(after)
})

test('a setting without a value is removed', () => {
  expect(withSettings('A=1\nMODEL_REVISION=v1\n', { MODEL_REVISION: undefined })).toBe('A=1\n')
})

test.each(['/srv/my models/tiny', '/srv/a#b', '/srv/$HOME', 'C:\\models "x"'])(
  '%s is read as it was written',
  (value) => {
    expect(parseEnv(assignment('MODEL', value))).toEqual({ MODEL: value })
  },
)

test('what no reader would read is refused', () => {
  expect(() => assignment('MODEL', "it's")).toThrow(/cannot be written/)
})

test('a file is made for its owner alone; a link stays a link; no draft is left', async () => {
  const directory = await newDirectory()
  const [real, link] = [join(directory, 'real'), join(directory, '.env')]

  await changeEnvFile(real, { MODEL: 'a' })
  await symlink(real, link)
  await changeEnvFile(link, { MODEL: 'b' })

  expect((await stat(real)).mode & 0o777).toBe(0o600)
  expect((await lstat(link)).isSymbolicLink()).toBe(true)
  expect(await readFile(real, 'utf8')).toBe('MODEL=b\n')
  expect((await readdir(directory)).sort()).toEqual(['.env', 'real'])
})

test('settings are not ours to write in a container that has no .env, nor where nothing can be written', async () => {
  const directory = await newDirectory()
  const path = join(directory, '.env')

  expect(await writeSettings(path, { MODEL: 'a' }, true)).toMatch(/container/)
  expect(await readdir(directory)).toEqual([])
  expect(await writeSettings('/proc/.env', { MODEL: 'a' }, false)).toMatch(/cannot be written \(E/)
  await writeFile(path, '')
  expect(await writeSettings(path, { MODEL: 'a' }, true)).toBeUndefined()
  expect(await readFile(path, 'utf8')).toBe('MODEL=a\n')
})
