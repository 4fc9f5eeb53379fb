// The container, the compiler, the stores and the words for who sits outside: what the healthy box and its ailments leave open.
import { expect, test } from 'vitest'
import { checkCompiler } from '../../src/doctor/compiler.ts'
import { checkCaches, checkContainer } from '../../src/doctor/container.ts'
import { ok, warn } from '../../src/doctor/finding.ts'
import { asTypedOutside } from '../../src/doctor/in-container.ts'
import { checkObjects, checkQueue } from '../../src/doctor/stores.ts'
import { checkJobs } from '../../src/doctor/storage.ts'
import {
  CPU_TORCH,
  configWith,
  cudaTorch,
  noSuchProgram,
  pythonWith,
  ran,
  rejecting,
} from './made-up-world.ts'

test('of several things mounted at the root the last one counts', async () => {
  const mounts = '1 0 0:1 / / rw - rootfs none rw\n2 1 0:2 / / ro,relatime - overlay overlay ro\n'

  expect(await checkContainer({ readText: async () => mounts, userId: () => 1000 })).toMatchObject({
    state: 'ok',
    says: 'user 1000, its own files cannot be changed',
  })
})

test('every cache that cannot be written is named, with the reason', async () => {
  const environment = { HF_HOME: '/models', TRITON_CACHE_DIR: '/cache/triton' }
  const finding = await checkCaches(environment, { tryWriting: rejecting('EROFS: read-only') })

  expect(finding).toMatchObject({
    state: 'fail',
    says: 'HF_HOME=/models: EROFS: read-only; TRITON_CACHE_DIR=/cache/triton: EROFS: read-only',
    mend: 'sudo chown -R "$(id -u)" /models',
  })
})

test('where no model may be fetched, theirs need not be written to', async () => {
  const environment = { HF_HOME: '/models', CUDA_CACHE_PATH: '/cache/cuda', HF_HUB_OFFLINE: '1' }
  const tryWriting = async (path: string) => (path === '/models' ? rejecting('EROFS')() : undefined)

  expect(await checkCaches(environment, { tryWriting })).toMatchObject({
    state: 'ok',
    says: 'can be written to: /cache/cuda',
  })
})

test.each([
  ['a GPU and gcc', cudaTorch(), {}, 'gcc', 'ok', /^gcc 14; .*Python\.h$/],
  ['a GPU and the compiler of CC', cudaTorch(), { CC: 'cc' }, 'cc', 'ok', /^cc 14/],
  ['a CPU and g++', CPU_TORCH, {}, 'g++', 'ok', /^g\+\+ 14$/],
  ['a CPU and the compiler of CXX', CPU_TORCH, { CXX: 'clang++' }, 'clang++', 'ok', /^clang\+\+ 14$/],
  ['a CPU and clang++ that nobody names', CPU_TORCH, {}, 'clang++', 'fail', /needs a C\+\+ compiler$/],
  ['a CPU and gcc alone', CPU_TORCH, {}, 'gcc', 'fail', /needs a C\+\+ compiler$/],
  ['a GPU and nothing', cudaTorch(), {}, '', 'fail', /needs a C compiler and Python\.h$/],
])('with %s, COMPILE=on is judged', async (_what, torch, environment, compiler, state, says) => {
  const header = compiler === '' ? {} : { python_header: '/usr/include/Python.h' }
  const finding = await checkCompiler(environment, {
    python: async () => ({ ...(await pythonWith(torch)()), ...header }),
    run: async (program) => (program === compiler ? ran(`${compiler} 14`)() : noSuchProgram()),
  })

  expect(finding).toMatchObject({ name: 'compiler', state })
  expect(finding.says).toMatch(says)
})

const facts = { name: 'cellar:6379', program: 'Redis', version: '7.0.15', unmet: [] } as const

test('a queue is told of by what it is, and its settings by what mends them', async () => {
  const unmet = [
    { setting: 'appendonly', value: 'no', wanted: 'yes', otherwise: 'jobs are lost when it ends' },
    { setting: 'appendfsync', value: 'everysec', wanted: 'always', otherwise: 'the last two seconds' },
  ]
  const good = await checkQueue('redis://cellar', { askRedis: async () => facts })
  const bad = await checkQueue('redis://cellar', { askRedis: async () => ({ ...facts, unmet }) })

  expect(good).toMatchObject({ state: 'ok', says: expect.stringContaining('Redis 7.0.15 at cellar:6379') })
  expect(bad).toMatchObject({
    state: 'warn',
    mend: 'redis-cli config set appendonly yes && redis-cli config set appendfsync always',
  })
})

test('with a queue elsewhere there is no file of jobs to look at', async () => {
  const config = { dataDir: '/data', queueUrl: 'redis://cellar' }

  expect(await checkJobs(config, { tablesIn: rejecting('it was looked at') })).toMatchObject({ state: 'ok' })
})

test('what is missing of a store of objects is named, and nothing asked', async () => {
  const config = configWith({ JOB_STORAGE: 's3', S3_STORAGE_BUCKET: 'hviske' })
  const finding = await checkObjects(config, { tryObjects: rejecting('it was asked') })

  expect(finding).toMatchObject({
    state: 'fail',
    says: 'not set: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY',
  })
})

test.each([
  ['disk', false, 'can be looked for'],
  ['s3', true, 'was written, read and removed'],
])('with JOB_STORAGE=%s, that is what is tried', async (jobStorage, isWritten, says) => {
  const config = configWith({
    JOB_STORAGE: jobStorage,
    S3_STORAGE_BUCKET: 'b',
    AWS_ACCESS_KEY_ID: 'i',
    AWS_SECRET_ACCESS_KEY: 's',
  })
  const asked: unknown[] = []
  const finding = await checkObjects(config, { tryObjects: async (...how) => void asked.push(how[1]) })

  expect(asked).toEqual([isWritten])
  expect(finding.says).toBe(`bucket b at Amazon: an object ${says}`)
})

test.each([
  ['npm run keys -- create NAME', 'docker compose run --rm server keys create NAME'],
  ['HF_HUB_OFFLINE=0 npm run model -- pull', 'docker compose run --rm -e HF_HUB_OFFLINE=0 server model pull'],
  [
    'npm run model -- pull, or MODEL=DIRECTORY',
    'docker compose run --rm server model pull, or MODEL=DIRECTORY',
  ],
  ['npm run doctor -- --online, later', 'docker compose run --rm server doctor --online, later'],
  [
    'LOG_LEVEL=debug npm start, which',
    'LOG_LEVEL=debug in .env, then docker compose up -d server && docker compose logs -f server, which',
  ],
  [
    'with the server stopped: mv /data/jobs/jobs.sqlite /data/jobs/jobs.sqlite.broken',
    'with the server stopped: docker compose run --rm --no-deps --entrypoint mv server /data/jobs/jobs.sqlite /data/jobs/jobs.sqlite.broken',
  ],
  ['npm ci', 'docker compose build --no-cache server'],
  ['apt install ffmpeg, or FFMPEG_PATH', 'docker compose build --no-cache server, or FFMPEG_PATH'],
  [
    'sudo apt install g++ python3-dev, or COMPILE=off',
    'docker compose build --build-arg COMPILE=on server, or COMPILE=off',
  ],
  ['set MODEL', 'set MODEL'],
])('%s is typed on the machine as %s', (here, outside) => {
  expect(asTypedOutside(warn('model', 'bad', here)).mend).toBe(outside)
})

test('what a driver needs in a container is said for the machine, and a good line has nothing to type', () => {
  const driver = warn('driver', 'none', 'sudo apt install nvidia-driver-580-open, then restart the machine')
  const data = warn('data', 'not ours', 'sudo chown -R "$(id -u)" /data, or another DATA_DIR')

  expect(asTypedOutside(driver).mend).toMatch(/^on the machine: nvidia-smi; .*nvidia-ctk.*compose\.gpu\.yaml/)
  expect(asTypedOutside(data).mend).toMatch(/--entrypoint chown server -R 1000:1000 \/data, or/)
  expect(asTypedOutside(ok('node', 'Node 24'))).toEqual(ok('node', 'Node 24'))
})
