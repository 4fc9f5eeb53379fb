// Every file that git knows: none names the host of a package registry, or a place on the machine of whoever wrote it.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '..')

/** Taken apart, or this file would be the first to name them. Whoever installs has an index of his own. */
const REGISTRIES = [
  ['pypi', 'org'],
  ['files', 'pythonhosted', 'org'],
  ['registry', 'npmjs', 'org'],
  ['registry', 'yarnpkg', 'com'],
  ['download', 'pytorch', 'org'],
].map((labels) => labels.join('.'))
/** A directory of a user, or of a build machine; `/root/.cache` and the like are places in an image. */
const SOMEBODYS = /(?<![\w.~-])\/(?:home|Users)\/(?!somebody\b)\w+\//

const texts = execFileSync('git', ['ls-files', '-z'], {
  cwd: ROOT,
  encoding: 'utf8',
  maxBuffer: 64 * 1024 ** 2,
})
  .split('\0')
  .filter((name) => name !== '' && !/\.(?:safetensors|wav|ogg|png|jpg|flac|mp3|m4a|webm|opus|br)$/.test(name))
  .map((name) => [name, readFileSync(join(ROOT, name), 'utf8')] as const)

test.each(REGISTRIES)('nothing names %s', (host) => {
  expect(texts.length).toBeGreaterThan(500)
  expect(texts.filter(([, text]) => text.includes(host)).map(([name]) => name)).toEqual([])
})

test('nothing names a directory of somebody', () => {
  const found = texts.flatMap(([name, text]) => {
    const [place] = SOMEBODYS.exec(text) ?? []
    return place === undefined ? [] : [`${name}: ${place}`]
  })

  expect(found).toEqual([])
})
