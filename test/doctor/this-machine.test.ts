// The real world: files, programs and sockets of this machine, none of them beyond it.
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { thisMachine } from '../../src/doctor/this-machine.ts'
import { transcribeTrial } from '../../src/doctor/trial-transcription.ts'
import { selfSigned } from '../fetching/fetching.ts'
import { configWith } from './made-up-world.ts'

const machine = thisMachine(configWith({ PYTHON_PATH: 'no/such/python', FFMPEG_PATH: 'no/such/ffmpeg' }))

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hviske-doctor-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
})

test('a program says what it says, and one that is not there is an error', async () => {
  const failing = await machine.run('sh', ['-c', 'echo out; echo err >&2; exit 3'])

  expect(failing).toEqual({ exitCode: 3, stdout: 'out', stderr: 'err' })
  await expect(machine.run('no-such-program', [])).rejects.toThrow('there is no no-such-program')
})

test('files are listed with their sizes, through links; what leads nowhere is left out', async () => {
  await mkdir(join(directory, 'snapshots', 'abc'), { recursive: true })
  await writeFile(join(directory, 'blob'), '12345')
  await symlink(join(directory, 'blob'), join(directory, 'snapshots', 'abc', 'model.safetensors'))
  await symlink(join(directory, 'nowhere'), join(directory, 'snapshots', 'abc', 'config.json'))

  expect(await machine.directoriesIn(join(directory, 'snapshots'))).toEqual(['abc'])
  expect(await machine.directoriesIn(join(directory, 'snapshots', 'abc'))).toEqual([])
  expect(await machine.filesIn(join(directory, 'snapshots', 'abc'))).toEqual([
    { name: 'model.safetensors', bytes: 5 },
  ])
  expect(await machine.filesIn(join(directory, 'none'))).toBeUndefined()
  expect(await machine.directoriesIn(join(directory, 'none'))).toBeUndefined()
})

test('a directory is made and written to, and nothing stays in it', async () => {
  await machine.tryWriting(join(directory, 'data'))
  await writeFile(join(directory, 'a-file'), '')

  expect(await readdir(join(directory, 'data'))).toEqual([])
  expect((await machine.diskOf(directory)).freeBytes).toBeGreaterThan(0)
  await expect(machine.tryWriting(join(directory, 'a-file', 'below'))).rejects.toThrow(/ENOTDIR/)
})

test('a database is opened for reading, and what is none is an error', async () => {
  const path = join(directory, 'jobs.sqlite')
  expect(await machine.tablesIn(path)).toBeUndefined()

  using server = new DatabaseSync(path)
  server.exec('PRAGMA journal_mode = WAL; CREATE TABLE jobs (id)')
  expect(await machine.tablesIn(path)).toBe(1)
  await writeFile(join(directory, 'text'), 'this is not a database, however long one reads in it')
  await expect(machine.tablesIn(join(directory, 'text'))).rejects.toThrow(/not a database/)
})

test('a port that listens is told from one that does not', async () => {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  expect(await machine.connects('127.0.0.1', port)).toBe(true)

  server.close()
  await once(server, 'close')
  expect(await machine.connects('127.0.0.1', port)).toBe(false)
  await expect(machine.certificate({ host: '127.0.0.1', port }, 'localhost')).rejects.toThrow(/ECONNREFUSED/)
})

test('a certificate tells from when to when it is good, for whom, and why nobody trusts it', async () => {
  const [key, cert] = await selfSigned(directory)
  const server = createTlsServer({ key, cert })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())

  const { port } = server.address() as AddressInfo
  const at = { host: '127.0.0.1', port }
  const shown = await machine.certificate(at, '127.0.0.1')
  expect(shown.validTo.getTime() - shown.validFrom.getTime()).toBe(86_400_000)
  expect(shown.problem).toMatch(/SELF_SIGNED/)
  expect(shown).toMatchObject({ isForName: true, names: 'IP Address:127.0.0.1' })
  expect(await machine.certificate(at, 'stt.example.org')).toMatchObject({ isForName: false })
})

test('names are looked up, and the addresses of this machine known', async () => {
  expect(await machine.resolve('localhost')).toEqual(
    expect.arrayContaining([expect.stringMatching(/^(127\.0\.0\.1|::1)$/)]),
  )
  expect(machine.ownAddresses().map(({ address }) => address)).toContain('127.0.0.1')
})

test('a Python or an ffmpeg that is not there says so, however often it is asked', async () => {
  for (const _ of [1, 2]) {
    await expect(machine.python()).rejects.toThrow(/there is no .*no\/such\/python/)
    await expect(machine.ffmpeg()).rejects.toThrow(/FFMPEG_PATH=no\/such\/ffmpeg cannot be used/)
  }
})

test('an engine that does not become ready in time is ended, and its state told', async () => {
  const { ffmpeg } = thisMachine(configWith({}))
  const trial = transcribeTrial(configWith({ MODEL: 'models/tiny-da' }), await ffmpeg(), AbortSignal.abort())

  await expect(trial).rejects.toThrow(/^the engine did not become ready; it is loading/)
})
