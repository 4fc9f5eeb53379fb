import { mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { AUDIO, plainWords, ROOT, startServer, truthOf } from '../end-to-end/server.ts'
import { newMachine } from './command.ts'
import { FIRST_COMMIT, Hub, MODEL } from './hub.ts'

test('a model that was pulled is written into .env, and the server starts on it without asking anybody', async () => {
  await using hub = await Hub.start()
  const machine = await newMachine(hub)
  await machine.run(['pull'])
  const env = join(machine.directory, '.env')
  await writeFile(env, '# mine\nPORT=9000\nMODEL=models/tiny-da\nAPI_KEYS=secret\n', { mode: 0o640 })

  const used = await machine.run(['use', MODEL], { MODEL: undefined })

  expect(used).toMatchObject({ exitCode: 0, said: expect.stringContaining('Before: models/tiny-da.') })
  expect(used.out).toMatch(/licence {4}openrail/)
  expect(await readFile(env, 'utf8')).toBe(
    `# mine\nPORT=9000\nMODEL=${MODEL}\nAPI_KEYS=secret\nMODEL_REVISION=${FIRST_COMMIT}\n`,
  )
  expect((await stat(env)).mode & 0o777).toBe(0o640)

  const askedBefore = hub.asked.length
  const settings = { MODEL, MODEL_REVISION: FIRST_COMMIT, HF_HUB_OFFLINE: '0' }
  const { HF_HOME = '', HF_ENDPOINT = '' } = machine.environment
  const server = await startServer({ ...settings, HF_HOME, HF_ENDPOINT })
  onTestFinished(async () => void (await server.stop()))
  const body = new FormData()
  body.append('file', new Blob([await readFile(join(AUDIO, 'da.wav'))]), 'da.wav')
  const answer = await fetch(`${server.url}/v1/audio/transcriptions`, { method: 'POST', body })
  const { text } = (await answer.json()) as { text: string }

  expect(plainWords(text)).toEqual(plainWords((await truthOf('da')).text))
  expect(hub.asked).toHaveLength(askedBefore)
})

test('a server without its model and with HF_HUB_OFFLINE ends with the command that fetches it', async () => {
  await using hub = await Hub.start()
  const machine = await newMachine(hub)
  const { HF_HOME = '', HF_ENDPOINT = '' } = machine.environment

  const start = startServer({ MODEL, MODEL_REVISION: 'main', HF_HOME, HF_ENDPOINT, HF_HUB_OFFLINE: '1' })

  await expect(start).rejects.toThrow(/HF_HUB_OFFLINE forbids[^]*npm run model -- pull acme\/tiny-da@main/)
  expect(hub.asked).toEqual([])
})

test('the first start fetches the model, over a connection that breaks, and pins what it has fetched', async () => {
  await using hub = await Hub.start()
  const machine = await newMachine(hub)
  const { HF_HOME = '', HF_ENDPOINT = '' } = machine.environment
  hub.fates.push({ kind: 'breaks', afterBytes: 1_000_000 })

  const server = await startServer({ MODEL, HF_HOME, HF_ENDPOINT, HF_HUB_OFFLINE: '0' })

  expect((await server.stop()).exitCode).toBe(0)
  expect(server.log().join('\n')).toContain('"stage":"downloading"')
  expect(await readFile(join(machine.repository, 'refs', 'hviske-api'), 'utf8')).toBe(FIRST_COMMIT)
})

test('a directory is taken as it is, and its revision setting goes', async () => {
  await using hub = await Hub.start()
  const machine = await newMachine(hub)
  const env = join(machine.directory, '.env')
  await writeFile(env, 'MODEL=acme/other\nMODEL_REVISION=v1\n')
  const directory = join(ROOT, 'models', 'tiny-da')

  const used = await machine.run(['use', directory], { MODEL: 'acme/other' })

  expect(used.exitCode).toBe(0)
  expect(used.said).not.toContain('wins over .env')
  expect(await readFile(env, 'utf8')).toBe(`MODEL=${directory}\n`)
  expect(used.out).toMatch(/size {7}5\.\d MB, 2,\d{3},\d{3} parameters in F16/)
})

test('a directory may be named from where one is', async () => {
  await using hub = await Hub.start()
  const machine = await newMachine(hub)
  await symlink(join(ROOT, 'models', 'tiny-da'), join(machine.directory, 'mine'))

  const verified = await machine.run(['verify', 'mine'])
  const listed = await machine.run(['list'], { MODEL: './mine' })

  expect(verified).toMatchObject({ exitCode: 0, out: expect.stringContaining('Nothing was noted down') })
  expect(listed.out).toMatch(/\* {2}\S+\/models\/tiny-da /)
})

test('what is not here, and what is no Whisper, is not taken', async () => {
  await using hub = await Hub.start()
  const machine = await newMachine(hub)
  const env = join(machine.directory, '.env')
  await writeFile(env, 'PORT=1\n')
  const bert = join(machine.directory, 'bert')
  await mkdir(bert)
  await writeFile(join(bert, 'config.json'), '{"model_type": "bert"}')

  const missing = await machine.run(['use', `${MODEL}@v2`])
  const other = await machine.run(['use', bert])

  expect(missing).toMatchObject({
    exitCode: 1,
    said: expect.stringContaining('`npm run model -- pull acme/tiny-da@v2`'),
  })
  expect(other).toMatchObject({ exitCode: 1, said: expect.stringContaining('is a bert model') })
  expect(await readFile(env, 'utf8')).toBe('PORT=1\n')
})

test('MODEL of the environment wins over .env, and that is said', async () => {
  await using hub = await Hub.start()
  const machine = await newMachine(hub)
  await writeFile(join(machine.directory, '.env'), 'PORT=1\n')

  const used = await machine.run(['use', join(ROOT, 'models', 'tiny-da')], { MODEL: 'acme/given' })

  expect(used.said).toContain('But the environment has MODEL=acme/given, which wins over .env')
})

test('the bundled model is listed where it lies, and there is a list of models for Danish', async () => {
  await using hub = await Hub.start()
  const machine = await newMachine(hub)
  const home = machine.environment['HF_HOME'] ?? ''
  await mkdir(home)
  await symlink(join(ROOT, 'models', 'tiny-da'), join(home, 'tiny-da'))

  const here = await machine.run(['list'], { MODEL: join(ROOT, 'models', 'tiny-da') })
  const known = await machine.run(['list', '--known'])
  await rm(home, { recursive: true })
  const none = await machine.run(['list'])

  expect(here.out).toMatch(/\* {2}\S+\/models\/tiny-da {2,}5\.\d MB {2}whole/)
  expect(known.out).toContain(
    'RyeAI/edda-v0.2-large\n  1.54 B, base openai/whisper-large-v3, licence Apache-2.0',
  )
  expect(known.out).toContain('syvai/hviske-v6  (drop-in: no)')
  expect(none.out).toContain('There is no model on this machine.')
  expect(hub.asked).toEqual([])
})
