// The image without Docker: the Dockerfile's steps carried out in a clean root, and containers of the result. What stands in for the base
// images is told in base-images.ts; what no replay can show is told in docs/image.md.
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { plainWords, truthOf } from '../end-to-end/server.ts'
import { DEBIAN, PARTS } from './base-images.ts'
import { buildImage, type Image } from './build.ts'
import { ROOT } from './build-context.ts'
import { HAS_NAMESPACES } from './room.ts'
import { newVolumes, runContainer, serve } from './container.ts'

const DAY_MS = 86_400_000
const TINY = { MODEL: 'models/tiny-da', DEVICE: 'cpu', HF_HUB_OFFLINE: '1' }
const CAN = process.platform === 'linux' && HAS_NAMESPACES
const ON_SYSTEM = DEBIAN === undefined ? ' (on this system, not on Debian 13)' : ''
const ON = CAN ? ON_SYSTEM : ' (skipped: this system makes no namespaces)'
const image = Promise.withResolvers<Image>()
let scratch = ''

beforeAll(async () => {
  if (!CAN) return
  sweep()
  scratch = mkdtempSync(join(realpathSync(PARTS), 'replay-'))
  image.resolve(await buildImage(scratch))
}, 600_000)

/** What a test that was killed has left; another may be running. */
function sweep(): void {
  for (const name of readdirSync(PARTS).filter((one) => one.startsWith('replay-'))) {
    const path = join(PARTS, name)
    if (Date.now() - statSync(path).mtimeMs > DAY_MS) rmSync(path, { recursive: true, force: true })
  }
}

afterAll(() => {
  if (scratch !== '') rmSync(scratch, { recursive: true, force: true })
})

async function freePort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return String(address.port)
}

async function server() {
  const built = await image.promise
  const volumes = newVolumes(built)
  const environment = { ...TINY, PORT: await freePort() }
  const container = await serve({ image: built, volumes, environment }, /"message":"listening"/)
  onTestFinished(async () => void (await container.stop()))
  return { built, container, volumes, environment, url: `http://127.0.0.1:${environment.PORT}` }
}

async function transcribe(url: string, name: string): Promise<Response> {
  const body = new FormData()
  body.append('file', new Blob([readFileSync(join(ROOT, 'test', 'audio', `${name}.wav`))]), `${name}.wav`)
  return fetch(`${url}/v1/audio/transcriptions`, { method: 'POST', body })
}

test.runIf(CAN)(
  `a container transcribes, is healthy, and finishes what runs when it is stopped${ON}`,
  async () => {
    const { built, container, volumes, environment, url } = await server()

    const answer = (await (await transcribe(url, 'da')).json()) as { text: string }
    const health = await runContainer({
      image: built,
      volumes,
      environment,
      entrypoint: [],
      command: built.healthcheck,
    })
    const running = transcribe(url, 'long')
    await untilBusy(url)
    const { exitCode } = await container.stop()

    expect(plainWords(answer.text)).toEqual(plainWords((await truthOf('da')).text))
    expect(health).toMatchObject({ exitCode: 0, stdout: '{"status":"ready"}\n' })
    expect({ status: (await running).status, exitCode }).toEqual({ status: 200, exitCode: 0 })
    expect(container.log.filter((line) => /EROFS|Read-only|EACCES|[Pp]ermission denied/.test(line))).toEqual(
      [],
    )
    expect(volumes.files()).toEqual(['/data/jobs/jobs.sqlite'])
  },
)

async function untilBusy(url: string): Promise<void> {
  for (;;) {
    const health = (await (await fetch(`${url}/health`)).json()) as { queue: { active: number } }
    if (health.queue.active > 0) return
  }
}

test.runIf(CAN)(`its user may write to its volumes and to /tmp, and nowhere else${ON}`, async () => {
  const built = await image.promise
  const places = [
    '/',
    '/app',
    '/app/src',
    '/opt/venv',
    '/usr',
    '/etc',
    '/root',
    '/dev/shm',
    ...built.volumes,
    '/tmp',
  ]
  const script = `id -u; for place in ${places.join(' ')}; do (: >"$place/x") 2>/dev/null && echo "$place"; done; true`

  const { stdout } = await runContainer({
    image: built,
    volumes: newVolumes(built),
    entrypoint: ['/bin/sh', '-c'],
    command: [script],
  })

  expect(stdout.trim().split('\n')).toEqual(['1000', '/dev/shm', '/data', '/models', '/cache', '/tmp'])
})

test.runIf(CAN)(
  `the doctor runs in it, and a recording is transcribed for him${ON}`,
  async () => {
    const built = await image.promise

    const { stdout, stderr } = await runContainer({
      image: built,
      volumes: newVolumes(built),
      command: ['doctor', '--json'],
      environment: { ...TINY, PORT: await freePort() },
    })

    expect(stderr).toBe('')
    const { findings } = JSON.parse(stdout) as { findings: { name: string; state: string; says: string }[] }
    const failed = findings.filter(({ state }) => state === 'fail')
    expect(failed).toEqual([])
    expect(findings.find(({ name }) => name === 'transcription')).toMatchObject({ state: 'ok' })
  },
  180_000,
)

test.runIf(CAN)(`keys are made in it, in the volume that a server reads${ON}`, async () => {
  const built = await image.promise
  const volumes = newVolumes(built)

  const made = await runContainer({ image: built, volumes, command: ['keys', 'create', 'laptop'] })
  const listed = await runContainer({ image: built, volumes, command: ['keys', 'list'] })

  expect(made).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^hv_/) as string })
  expect(listed.stdout).toContain('laptop')
  expect(volumes.files()).toEqual(['/data/keys.json'])
})

test.runIf(CAN)(`a model is looked at in it${ON}`, async () => {
  const built = await image.promise

  const { exitCode, stdout, stderr } = await runContainer({
    image: built,
    volumes: newVolumes(built),
    command: ['model', 'verify', 'models/tiny-da'],
    environment: TINY,
  })

  expect({ exitCode, said: `${stdout}${stderr}` }).toEqual({
    exitCode: 0,
    said: expect.stringContaining('models/tiny-da') as string,
  })
})

test.runIf(CAN)(`a word that is no command is answered with those that are${ON}`, async () => {
  const built = await image.promise

  const { exitCode, stderr } = await runContainer({
    image: built,
    volumes: newVolumes(built),
    command: ['bash'],
  })

  expect(exitCode).toBe(2)
  expect(stderr).toMatch(/'bash' is none of: server .*doctor, model, keys/)
})

test.runIf(CAN)('a server that is not there is not healthy', async () => {
  const built = await image.promise

  const { exitCode, stdout } = await runContainer({
    image: built,
    volumes: newVolumes(built),
    entrypoint: [],
    command: built.healthcheck,
    environment: { PORT: await freePort() },
  })

  expect({ exitCode, stdout }).toEqual({
    exitCode: 1,
    stdout: expect.stringContaining('ECONNREFUSED') as string,
  })
})

test.runIf(CAN)(
  'it holds no tests, no tools for them, no training, no second Node and no way to an ffmpeg',
  async () => {
    const { room, volumes } = await image.promise
    const inside = (...path: string[]) => readdirSync(join(room.upper, ...path))
    const packages = inside('app', 'node_modules')
    const libraries = inside('opt', 'venv', 'lib').flatMap((version) =>
      inside('opt', 'venv', 'lib', version, 'site-packages'),
    )

    expect(inside('app').toSorted()).toEqual(
      ['LICENSE', 'deploy', 'models', 'node_modules', 'package.json', 'python', 'src'].toSorted(),
    )
    expect(inside('app', 'python')).toEqual(['whisper_worker'])
    expect(inside('app', 'python', 'whisper_worker')).toContain('__pycache__')
    expect(packages).toContain('hono')
    for (const name of ['vitest', 'typescript', 'node', 'ffmpeg-static', '.bin'])
      expect(packages).not.toContain(name)
    expect(libraries).toContain('torch')
    for (const name of ['pytest', 'ruff', 'openai', 'uv', 'pip']) expect(libraries).not.toContain(name)
    // Whatever lies in a volume of the image would be copied into each new volume, with its owner.
    for (const volume of volumes) expect(readdirIfThere(join(room.upper, volume))).toEqual([])
  },
)

function readdirIfThere(directory: string): string[] {
  return readdirSync(join(directory, '..')).includes(directory.split('/').at(-1) ?? '')
    ? readdirSync(directory)
    : []
}
