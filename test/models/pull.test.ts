import { mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runFile } from '../end-to-end/server.ts'
import { newMachine } from './command.ts'
import { FIRST_COMMIT, Hub, MODEL, SECOND_COMMIT, SIGNATURE, TOKEN, tinyDa } from './hub.ts'

const WEIGHTS = 'model.safetensors'
const WEIGHT_BYTES = tinyDa[WEIGHTS]?.length ?? 0
const HALF = 2_000_000

const bytesOfWeights = (repository: string, commit = FIRST_COMMIT) =>
  readFile(join(repository, 'snapshots', commit, WEIGHTS))

test('a model is fetched without what nobody needs, told with its licence, and never asked about again', async () => {
  await using hub = await Hub.start()
  const machine = await newMachine(hub)

  const pulled = await machine.run(['pull'])

  expect(pulled).toMatchObject({
    exitCode: 0,
    said: expect.stringContaining('model.safetensors 4.8 MB, whole'),
  })
  expect(pulled.out).toContain(`revision   ${FIRST_COMMIT}`)
  expect(pulled.out).toMatch(
    /licence {4}openrail \(its model card\)\nbase {7}openai\/whisper-tiny\ngeneration .*suppress_tokens=/,
  )
  expect(await machine.filesOf(FIRST_COMMIT)).toEqual([
    'README.md',
    'config.json',
    'generation_config.json',
    WEIGHTS,
    'preprocessor_config.json',
    'processor_config.json',
    'tokenizer.json',
    'tokenizer_config.json',
  ])
  expect(hub.asked.findIndex(({ path }) => path.endsWith('/config.json'))).toBeLessThan(
    hub.asked.findIndex(({ path }) => path.startsWith('/store/')),
  )

  const askedBefore = hub.asked.length
  const again = await machine.run(['pull'], { HF_HUB_OFFLINE: '1' })
  expect(again).toMatchObject({ exitCode: 0, said: expect.stringContaining('all of it here, to be checked') })
  expect(hub.asked).toHaveLength(askedBefore)
})

test.each(['SIGINT', 'SIGKILL'] as const)(
  'after a %s the download goes on where it stopped',
  async (signal) => {
    await using hub = await Hub.start()
    const machine = await newMachine(hub)
    hub.fates.push({ kind: 'stands still', afterBytes: HALF })
    const still = hub.standsStill()
    const { child, ended } = machine.start(['pull'])
    await still
    await hasOnDisk(machine.repository)

    child.kill(signal)
    const first = await ended

    expect(first.exitCode).toBe(signal === 'SIGINT' ? 130 : null)
    const shown = (await machine.run(['list'])).out
    expect(shown).toMatch(/acme\/tiny-da {2}85fadab00000 {2}\d+\.\d [kM]B of 5\.1 MB {2}not whole/)
    expect(await machine.run(['pull'])).toMatchObject({ exitCode: 0 })
    const [whole, rest] = hub.rangesOfWeights()
    expect(whole).toBeUndefined()
    expect(Number(/^bytes=(\d+)-$/.exec(rest ?? '')?.[1])).toBeGreaterThan(0)
    expect(await bytesOfWeights(machine.repository)).toEqual(tinyDa[WEIGHTS])
  },
)

/** What the Hub has sent, the command may not have heard yet. */
async function hasOnDisk(repository: string): Promise<void> {
  await expect
    .poll(async () => {
      const blobs = join(repository, 'blobs')
      const part = (await readdir(blobs)).find((name) => name.endsWith('.part'))
      return part === undefined ? 0 : (await stat(join(blobs, part))).size
    })
    .toBeGreaterThan(0)
}

test('connections that break, addresses that ignore ranges and bytes that arrive damaged cost time only', async () => {
  await using hub = await Hub.start()
  const machine = await newMachine(hub)
  hub.fates.push(
    { kind: 'breaks', afterBytes: HALF },
    { kind: 'breaks', afterBytes: HALF },
    { kind: 'ignores ranges' },
  )

  const pulled = await machine.run(['pull'])

  expect(pulled).toMatchObject({ exitCode: 0, said: expect.stringContaining('on it again') })
  expect(hub.rangesOfWeights().map(Boolean)).toEqual([false, true, true])

  await truncate(join(machine.repository, 'snapshots', FIRST_COMMIT, WEIGHTS), HALF)
  hub.fates.push({ kind: 'damaged' })
  const mended = await machine.run(['pull'])
  expect(mended.said).toContain('arrived damaged and is fetched again')
  expect(mended.exitCode).toBe(0)
  expect(await bytesOfWeights(machine.repository)).toEqual(tinyDa[WEIGHTS])
})

test('a proxy that damages every time is told, and nothing of it is kept', async () => {
  await using hub = await Hub.start()
  const machine = await newMachine(hub)
  hub.fates.push({ kind: 'damaged' }, { kind: 'damaged' })

  const pulled = await machine.run(['pull'])

  expect(pulled).toMatchObject({ exitCode: 1, said: expect.stringContaining('arrived damaged twice') })
  expect(await machine.filesOf(FIRST_COMMIT)).not.toContain(WEIGHTS)
})

test('two at the same time fetch it once', async () => {
  await using hub = await Hub.start()
  const machine = await newMachine(hub)

  const both = await Promise.all([machine.run(['pull']), machine.run(['pull'])])

  expect(both.map(({ exitCode }) => exitCode)).toEqual([0, 0])
  expect(hub.bytesOfWeights).toBe(WEIGHT_BYTES)
})

test('the commit of the first pull stays until another one is named, and shared files are not fetched twice', async () => {
  await using hub = await Hub.start()
  const machine = await newMachine(hub)
  await machine.run(['pull'])
  hub.main = SECOND_COMMIT
  hub.commits.add(SECOND_COMMIT)
  hub.files = { ...tinyDa, 'README.md': Buffer.from('---\nlicense: mit\n---\n') }

  expect((await machine.run(['pull'])).out).toContain(`revision   ${FIRST_COMMIT}`)

  const newer = await machine.run(['pull', `${MODEL}@main`])
  expect(newer.out).toMatch(new RegExp(`revision {3}${SECOND_COMMIT}[^]*licence {4}mit`))
  expect(newer.said).toContain(
    `without a revision stays at ${FIRST_COMMIT}. \`npm run model -- use ${MODEL}@${SECOND_COMMIT}\``,
  )
  expect(hub.bytesOfWeights).toBe(WEIGHT_BYTES)
  expect((await machine.run(['list'])).out).toMatch(
    /7d70b2511111.*whole\n\* {2}acme\/tiny-da {2}85fadab00000.*whole/,
  )
})

test('another kind of model is refused before its weights are fetched', async () => {
  await using hub = await Hub.start()
  const machine = await newMachine(hub)
  hub.files = { ...tinyDa, 'config.json': Buffer.from('{"model_type": "cohere_asr"}') }

  const pulled = await machine.run(['pull'])

  expect(pulled).toMatchObject({ exitCode: 1, said: expect.stringContaining('is a cohere_asr model') })
  expect(hub.bytesOfWeights).toBe(0)
})

test('what the Hub has may be of no use, and then that is said', async () => {
  await using hub = await Hub.start()
  const machine = await newMachine(hub)
  hub.files = { ...tinyDa, 'tokenizer.json': Buffer.from('{"model": {"vocab": {"a": 1}}}') }

  const pulled = await machine.run(['pull'])

  expect(pulled.exitCode).toBe(1)
  expect(pulled.said).toMatch(/this server cannot take it: The tokenizer has no <\|startoftranscript\|>/)
})

test('a gated model is told with where its terms are; a token opens it, is not told and goes to the Hub alone', async () => {
  await using hub = await Hub.start()
  const machine = await newMachine(hub)
  hub.needsToken = true

  const refused = await machine.run(['pull'])
  const wrong = await machine.run(['pull'], { HF_TOKEN: 'hf_other' })
  hub.asked.splice(0)
  hub.fates.push({ kind: 'refused', status: 403 })
  const broken = await machine.run(['pull'], { HF_TOKEN: TOKEN })
  const opened = await machine.run(['pull'], { HF_TOKEN: TOKEN })

  expect(refused).toMatchObject({ exitCode: 1 })
  expect(refused.said).toMatch(
    /is gated: accept its terms on huggingface\.co\/acme\/tiny-da, then set HF_TOKEN/,
  )
  expect(wrong.said).toContain('the one that is set is not allowed to')
  expect(broken).toMatchObject({ exitCode: 1, said: expect.stringContaining('HTTP 403') })
  expect(opened.exitCode).toBe(0)
  for (const { out, said } of [refused, wrong, broken, opened])
    expect(out + said).not.toMatch(new RegExp(`${TOKEN}|hf_other|${SIGNATURE}`))
  for (const { path, authorization } of hub.asked)
    expect([path, authorization]).toEqual([path, path.startsWith('/store/') ? undefined : `Bearer ${TOKEN}`])
})

test.each([
  ['a model that is not there', ['pull', 'acme/other'], {}, /no such model on the Hub as acme\/other/],
  [
    'a revision that is not there',
    ['pull', `${MODEL}@v9`],
    {},
    /no revision v9 of it.*pull acme\/tiny-da@main/,
  ],
  ['a word that is no model', ['pull', 'hviske'], {}, /neither a directory here nor a name on the Hub/],
  [
    'a Hub that is not there',
    ['pull'],
    { HF_ENDPOINT: 'http://127.0.0.1:9' },
    /cannot be reached at http:\/\/127\.0\.0\.1:9/,
  ],
  [
    'a proxy that is not there',
    ['pull'],
    { HTTP_PROXY: 'http://me:secret@127.0.0.1:9' },
    /cannot be reached|proxy/,
  ],
  [
    'HF_HUB_OFFLINE',
    ['pull'],
    { HF_HUB_OFFLINE: '1' },
    /not whole on this machine, and HF_HUB_OFFLINE forbids/,
  ],
  ['a cache that cannot be written', ['pull'], { HF_HOME: '/proc/hf' }, /cannot be written.*HF_HOME/],
  [
    'a Python that is not there',
    ['pull'],
    { PYTHON_PATH: '/nowhere/python' },
    /PYTHON_PATH cannot be started/,
  ],
  ['words that are none', ['fetch'], {}, /npm run model -- pull/],
  ['--known elsewhere', ['pull', '--known'], {}, /npm run model -- pull/],
])('%s is told with what mends it', async (_what, words, environment, message) => {
  await using hub = await Hub.start()
  const machine = await newMachine(hub)

  const ended = await machine.run(words, environment)

  expect(ended.exitCode).toBe(words[0] === 'pull' && words[1] !== '--known' ? 1 : 2)
  expect(ended.said).toMatch(message)
  expect(ended.said).not.toMatch(/Traceback|secret/)
})

test('a copy by tar is the same model on a machine that asks nobody', async () => {
  await using hub = await Hub.start()
  const [machine, box] = [await newMachine(hub), await newMachine(hub)]
  await machine.run(['pull'])
  const [from = '', to = ''] = [machine, box].map(({ environment }) => environment['HF_HOME'])
  await mkdir(to)
  await runFile('sh', ['-c', `tar -C "$0" -cf - hub | tar -C "$1" -xf -`, from, to])
  hub.asked.splice(0)

  const verified = await box.run(['verify'], { HF_HUB_OFFLINE: '1' })

  expect(verified).toMatchObject({
    exitCode: 0,
    out: expect.stringContaining('Every file is as the Hub said'),
  })
  expect(verified.out).toContain(`directory  ${to}`)
  expect(hub.asked).toEqual([])
})

test('verify names what is not as it was, and pull mends just that', async () => {
  await using hub = await Hub.start()
  const machine = await newMachine(hub)
  await machine.run(['pull'])

  const good = await machine.run(['verify'], { HF_HUB_OFFLINE: '1' })
  const weights = join(machine.repository, 'snapshots', FIRST_COMMIT, WEIGHTS)
  const bytes = await readFile(weights)
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
  await writeFile(weights, bytes)
  const bad = await machine.run(['verify'], { HF_HUB_OFFLINE: '1' })
  hub.asked.splice(0)
  const mended = await machine.run(['pull', `${MODEL}@${FIRST_COMMIT}`])

  expect(good).toMatchObject({ exitCode: 0, out: expect.stringContaining('Every file is as the Hub said') })
  expect(bad.exitCode).toBe(1)
  expect(bad.said).toMatch(
    /model\.safetensors: its checksum is not the one[^]*npm run model -- pull acme\/tiny-da@85fadab0+`/,
  )
  expect(mended.exitCode).toBe(0)
  expect(hub.asked.map(({ path }) => path)).toEqual([
    `/${MODEL}/resolve/${FIRST_COMMIT}/${WEIGHTS}`,
    `/store/${WEIGHTS}`,
  ])
})
