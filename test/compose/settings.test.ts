// .env: what is in it reaches the server, and .env.example has all of it.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { expect, test } from 'vitest'
import { readConfig, SETTINGS_TABLE } from '../../src/config.ts'
import { composed, ROOT, service } from './client.ts'

const example = readFileSync(join(ROOT, '.env.example'), 'utf8')
/** All of it, as if somebody had taken every `#` away. */
const uncommented = example.replace(/^#(?=[A-Z])/gm, '')
const NAMES = SETTINGS_TABLE.map(({ name }) => name)

/** Where a container listens, keeps its files and finds its programs is the image's and compose.yaml's business. */
const FIXED = ['HOST', 'PORT', 'DATA_DIR', 'PYTHON_PATH', 'FFMPEG_PATH']

const environmentOf = (env: string, files: readonly string[] = []) =>
  service(composed({ env, files }), 'server').environment ?? {}

test('every setting of .env reaches the server, but those that are the same in every container', () => {
  const environment = environmentOf(NAMES.map((name) => `${name}=said-in-env\n`).join(''))

  const reaching = NAMES.filter((name) => environment[name] === 'said-in-env')
  expect(reaching).toEqual(NAMES.filter((name) => !FIXED.includes(name)))
})

test('where a container listens and keeps its files is not for .env to say, which may be for `npm start`', () => {
  const said = environmentOf(FIXED.map((name) => `${name}=/home/somebody\n`).join(''))
  const unsaid = environmentOf('')

  for (const name of FIXED) expect({ [name]: said[name] }).toEqual({ [name]: unsaid[name] })
})

test("what is not ours but the libraries' reaches it, too", () => {
  expect(environmentOf('HF_TOKEN=hf_x\nHF_HUB_OFFLINE=1\n')).toMatchObject({
    HF_TOKEN: 'hf_x',
    HF_HUB_OFFLINE: '1',
  })
})

test.each([[[]], [['gpu']], [['cpu']], [['distributed']]])(
  'a server that compose starts with %j can read its settings',
  (files) => {
    const given = Object.entries(environmentOf('', files)).filter(([name]) => !name.endsWith('_FILE'))

    expect(
      readConfig(Object.fromEntries(given.map(([name, value]) => [name, value ?? undefined]))),
    ).toMatchObject({
      host: '0.0.0.0',
      port: 8000,
      dataDir: '/data',
      ffmpegPath: undefined,
      metrics: 'open',
      role: files.includes('distributed') ? 'api' : 'all',
    })
  },
)

test('.env.example is what `npm run env-example` writes', () => {
  const script = join(ROOT, 'scripts', 'env-example.mjs')
  const { status, stdout } = spawnSync(process.execPath, [script, '--print'], { encoding: 'utf8' })

  expect({ status, stdout }).toEqual({ status: 0, stdout: example })
})

test('.env.example sets nothing, for npm start and for compose', () => {
  expect(parseEnv(example)).toEqual({})
  expect(environmentOf(example)).toEqual(environmentOf(''))
})

test('.env.example has every setting with its default, and every variable of the compose files', () => {
  const said = parseEnv(uncommented)

  for (const { name, fallback } of SETTINGS_TABLE)
    expect({ [name]: said[name] }).toEqual({ [name]: fallback })
  for (const [name, fallback] of Object.entries(composeVariables()))
    expect({ [name]: said[name] }).toEqual({ [name]: fallback })
  expect(readConfig(said)).toEqual(readConfig({}))
})

test('.env.example has nothing that nobody reads', () => {
  const known = [...NAMES, ...Object.keys(composeVariables())]

  expect(
    Object.keys(parseEnv(uncommented))
      .filter((name) => !known.includes(name))
      .toSorted(),
  ).toEqual([
    // Compose's own, and those of Hugging Face's library.
    'COMPOSE_FILE',
    'COMPOSE_PROFILES',
    'HF_HUB_OFFLINE',
    'HF_TOKEN',
  ])
})

test('npm start and compose read the same out of .env.example', () => {
  const environment = environmentOf(uncommented.replace(/^COMPOSE_.*\n/gm, ''))
  const said = Object.entries(parseEnv(uncommented)).filter(
    ([name]) => !name.startsWith('COMPOSE_') && !FIXED.includes(name),
  )

  for (const [name, value] of said) {
    // What is empty is not set: then compose.yaml may know better.
    const expected = name === 'TRUSTED_PROXIES' ? environmentOf('')[name] : value
    expect({ [name]: environment[name] }).toEqual({ [name]: expected })
  }
})

test('npm start and compose read the same out of single quotes', () => {
  const line = "LLM_API_KEY='a$b #c'\n"

  expect(parseEnv(line)).toEqual({ LLM_API_KEY: 'a$b #c' })
  // Compose writes what it has read as it would have to be written in a file of its own.
  expect(environmentOf(line)['LLM_API_KEY']).toBe('a$$b #c')
})

/** `${NAME:-default}` in our files, other than settings with a default that only containers need. */
function composeVariables(): Readonly<Record<string, string>> {
  const text = readdirSync(ROOT)
    .filter((name) => /^compose.*\.yaml$/.test(name))
    .map((name) => readFileSync(join(ROOT, name), 'utf8'))
    .join('\n')
  const found = [...text.matchAll(/\$\{([A-Z_]+):-([^}]*)\}/g)].map(([, name = '', fallback = '']) => [
    name,
    fallback,
  ])
  return Object.fromEntries(found.filter(([name = '']) => !NAMES.includes(name)))
}
