// A box on which every line is ok: a GB10 behind Caddy, in a container, with a shared queue. And for each line, what can be wrong.
import { ISOLATION_MEANINGS } from '../../src/audio/isolation.ts'
import { checksOf, examine } from '../../src/doctor/examine.ts'
import type { Finding } from '../../src/doctor/finding.ts'
import type { LineName } from '../../src/doctor/lines.ts'
import { SPOKEN } from '../../src/doctor/model.ts'
import { checkSettings } from '../../src/doctor/settings.ts'
import type { Environment, World } from '../../src/doctor/world.ts'
import { CPU_TORCH, cudaTorch, madeUpWorld, noSuchProgram, ran, rejecting, trial } from './made-up-world.ts'

const DAY_MS = 86_400_000
const NOW_MS = Date.UTC(2026, 10, 21)
const PUBLIC = '203.0.113.7'
const HEADER = '/usr/include/python3.12/Python.h'

const ENVIRONMENT = {
  MODEL: '/models/m',
  REQUIRE_GPU: '1',
  COMPILE: 'on',
  DATA_DIR: '/data',
  HF_HOME: '/models',
  CUDA_CACHE_PATH: '/cache/cuda',
  API_KEYS: 'sk-of-the-settings',
  SITE_ADDRESS: 'stt.example.org',
  QUEUE_URL: 'redis://valkey:6379',
  JOB_STORAGE: 's3',
  S3_STORAGE_BUCKET: 'hviske',
  AWS_ACCESS_KEY_ID: 'id',
  AWS_SECRET_ACCESS_KEY: 'secret',
} as const

const FFMPEG = {
  path: '/usr/bin/ffmpeg',
  version: '7.1',
  demuxers: ['wav'],
  decoders: ['flac'],
  isolation: (Object.keys(ISOLATION_MEANINGS) as (keyof typeof ISOLATION_MEANINGS)[]).find(
    (level) => level !== 'none',
  ) as keyof typeof ISOLATION_MEANINGS,
}

const python =
  (torch = cudaTorch(), python_header: string | null = HEADER): World['python'] =>
  async () => ({ python: '3.12.3', python_header, missing: [], transformers: '5.18.0', torch })

const mounted = (how: string) => `1 0 0:1 / / ${how},relatime - overlay overlay rw\n`
const file = (path: string, root = 'ro', gib = 100) =>
  path === '/proc/self/mountinfo' ? mounted(root) : `MemAvailable: ${gib * 1024 ** 2} kB\n`

const certificate = {
  validFrom: new Date(NOW_MS - 30 * DAY_MS),
  validTo: new Date(NOW_MS + 60 * DAY_MS),
  problem: undefined,
  names: 'DNS:stt.example.org',
  isForName: true,
}
const valkey = { name: 'valkey:6379', program: 'Valkey', version: '8.1.0', unmet: [] } as const

const HEALTHY: Partial<World> = {
  nowMs: () => NOW_MS,
  nodeVersion: () => '24.12.0',
  userId: () => 1000,
  run: async (program) => {
    if (program === 'timedatectl') return noSuchProgram()
    return ran(program === 'nvidia-smi' ? 'NVIDIA GB10, 580.126.09, [N/A]' : 'gcc 14.2')()
  },
  readText: async (path) => file(path),
  filesIn: async () => [
    { name: 'config.json', bytes: 1 },
    { name: 'model.safetensors', bytes: 3 * 1024 ** 3 },
  ],
  directoriesIn: async () => [],
  tryWriting: async () => {},
  diskOf: async () => ({ freeBytes: 1e12, kind: 0xef53 }),
  tablesIn: async () => undefined,
  ffmpeg: async () => FFMPEG,
  python: python(),
  transcribe: trial({ text: SPOKEN }),
  resolve: async () => [PUBLIC],
  ownAddresses: () => [{ card: 'eth0', address: PUBLIC }],
  connects: async () => true,
  certificate: async () => certificate,
  publicAddress: async () => PUBLIC,
  foreignTimeMs: async () => NOW_MS,
  askRedis: async () => valkey,
  tryObjects: async () => {},
}

export interface Ailment {
  readonly environment?: Environment
  readonly world?: Partial<World>
  readonly state: 'warn' | 'fail'
}

/** What is found on the healthy box, with one thing wrong. */
export async function findingsOf({ environment = {}, world = {} }: Omit<Ailment, 'state'> = {}) {
  const { finding, config } = checkSettings({ ...ENVIRONMENT, ...environment })
  const subject = {
    config,
    environment: { ...ENVIRONMENT, ...environment },
    isOnline: true,
    isContainer: true,
  }
  const findings: Finding[] = [finding]
  const checks = await checksOf(subject, madeUpWorld({ ...HEALTHY, ...world }))
  for await (const one of examine(checks)) findings.push(one)
  return findings
}

const withTorch = (torch: ReturnType<typeof cudaTorch>) => ({ python: python(torch) })

/** A line without an entry is a mistake of types; one without a fault here fails the test beside this. */
export const AILMENTS: Readonly<Record<LineName, Readonly<Record<string, Ailment>>>> = {
  settings: { 'a setting that cannot be read': { environment: { PORT: 'http' }, state: 'fail' } },
  node: { 'one that is too old': { world: { nodeVersion: () => '22.11.0' }, state: 'fail' } },
  python: {
    'a package is missing': {
      world: { python: async () => ({ python: '3.12.3', missing: ['torch'] }) },
      state: 'fail',
    },
    'no Python': { world: { python: rejecting('there is no python') }, state: 'fail' },
  },
  torch: {
    'a build for CPUs where a GPU is required': { world: withTorch(CPU_TORCH), state: 'fail' },
    'a build for CPUs on a machine with a GPU': {
      environment: { REQUIRE_GPU: '' },
      world: withTorch(CPU_TORCH),
      state: 'warn',
    },
  },
  driver: {
    'none where a GPU is required': { world: { run: noSuchProgram }, state: 'fail' },
    'one that does not answer': {
      environment: { REQUIRE_GPU: '' },
      world: { run: ran('Failed to initialize NVML: Unknown Error', 255) },
      state: 'warn',
    },
    'one that is too old': { world: { run: ran('NVIDIA L4, 570.10, 23034 MiB') }, state: 'fail' },
  },
  cuda: {
    'a driver for an older CUDA': {
      world: withTorch({ ...cudaTorch(), driver_cuda: '12.8' }),
      state: 'fail',
    },
    'no library of the driver': { world: withTorch({ ...cudaTorch(), driver_cuda: null }), state: 'fail' },
  },
  gpu: {
    'none where one is required': { world: withTorch(CPU_TORCH), state: 'fail' },
    'no code for this one': { world: withTorch(cudaTorch({ built_for: ['sm_80'] })), state: 'warn' },
  },
  arithmetic: {
    'it computes wrongly': {
      world: withTorch({ ...cudaTorch(), product: 'in bfloat16 it is off by up to 30' }),
      state: 'fail',
    },
    'it was not tried where a GPU is required': { world: withTorch(CPU_TORCH), state: 'fail' },
  },
  memory: {
    'too little for the model': { world: { readText: async (path) => file(path, 'ro', 2) }, state: 'warn' },
  },
  compiler: {
    'no compiler': { world: { run: noSuchProgram }, state: 'fail' },
    'no headers': { world: { python: python(cudaTorch(), null) }, state: 'fail' },
  },
  ffmpeg: { 'none that can be used': { world: { ffmpeg: rejecting('there is none') }, state: 'fail' } },
  isolation: {
    'nothing shuts it in': {
      world: { ffmpeg: async () => ({ ...FFMPEG, isolation: 'none' }) },
      state: 'warn',
    },
    'no ffmpeg': { world: { ffmpeg: rejecting('there is none') }, state: 'fail' },
  },
  container: {
    'it is root': { world: { userId: () => 0 }, state: 'warn' },
    'its root can be written to': { world: { readText: async (path) => file(path, 'rw') }, state: 'warn' },
  },
  caches: {
    'models cannot be written': {
      world: {
        tryWriting: async (path) => (path === '/models' ? rejecting('EROFS: read-only')() : undefined),
      },
      state: 'fail',
    },
    'kernels cannot be written': {
      world: {
        tryWriting: async (path) => (path === '/cache/cuda' ? rejecting('EACCES: denied')() : undefined),
      },
      state: 'warn',
    },
    'nobody says where they are': { environment: { HF_HOME: '', CUDA_CACHE_PATH: '' }, state: 'warn' },
  },
  data: {
    'it cannot be written to': { world: { tryWriting: rejecting('EACCES: denied') }, state: 'fail' },
    'it lies on NFS': { world: { diskOf: async () => ({ freeBytes: 1e12, kind: 0x6969 }) }, state: 'warn' },
  },
  disk: {
    'it is full': { world: { diskOf: async () => ({ freeBytes: 1, kind: 0xef53 }) }, state: 'fail' },
    'an upload may not fit': {
      world: { diskOf: async () => ({ freeBytes: 5e9, kind: 0xef53 }) },
      state: 'warn',
    },
  },
  keys: {
    'there are none': { environment: { API_KEYS: '' }, state: 'warn' },
    'their file is none': { environment: { KEYS_FILE: import.meta.filename }, state: 'fail' },
  },
  jobs: {
    'their file does not open': {
      environment: { QUEUE_URL: '' },
      world: { tablesIn: rejecting('file is not a database') },
      state: 'fail',
    },
  },
  queue: {
    'nobody answers': { world: { askRedis: rejecting('connect ECONNREFUSED') }, state: 'fail' },
    'it is too old': { world: { askRedis: async () => ({ ...valkey, version: '6.2.1' }) }, state: 'warn' },
    'it does not tell its settings': {
      world: { askRedis: async () => ({ ...valkey, unmet: undefined }) },
      state: 'warn',
    },
    'it throws jobs away when it is full': {
      world: { askRedis: async () => ({ ...valkey, unmet: [unmet('maxmemory-policy')] }) },
      state: 'fail',
    },
    'it forgets when it ends': {
      world: { askRedis: async () => ({ ...valkey, unmet: [unmet('appendonly')] }) },
      state: 'warn',
    },
  },
  objects: {
    'the secret is not set': { environment: { AWS_SECRET_ACCESS_KEY: '' }, state: 'fail' },
    'the bucket is not there': {
      world: { tryObjects: rejecting('NoSuchBucket: it does not exist') },
      state: 'fail',
    },
  },
  model: {
    'it is not here': { world: { filesIn: async () => [] }, state: 'warn' },
    'it is not here, and may not be fetched': {
      environment: { HF_HUB_OFFLINE: '1' },
      world: { filesIn: async () => [] },
      state: 'fail',
    },
  },
  transcription: {
    'nothing is heard': { world: { transcribe: trial({ text: '' }) }, state: 'fail' },
    'little is heard': { world: { transcribe: trial({ text: 'peter pan' }) }, state: 'warn' },
    'the engine does not start': { world: { transcribe: rejecting('it is resting') }, state: 'fail' },
  },
  repairs: {
    'nobody knows, for the engine does not start': {
      world: { transcribe: rejecting('it is resting') },
      state: 'warn',
    },
  },
  clock: {
    'it is slow': { world: { foreignTimeMs: async () => NOW_MS + 90_000 }, state: 'fail' },
    'nobody is there to compare it with': { world: { foreignTimeMs: rejecting('no way') }, state: 'warn' },
  },
  name: {
    'it leads elsewhere': { world: { resolve: async () => ['198.51.100.1'] }, state: 'fail' },
    'it has IPv6 only': { world: { resolve: async () => ['2001:db8::1'] }, state: 'warn' },
  },
  ports: { 'nobody listens': { world: { connects: async () => false }, state: 'warn' } },
  router: {
    'the provider shares its address': {
      world: { ownAddresses: () => [{ card: 'wwan0', address: '100.72.1.1' }] },
      state: 'warn',
    },
    'somebody stands in between': {
      world: { ownAddresses: () => [{ card: 'eth0', address: '172.18.0.3' }] },
      state: 'warn',
    },
  },
  certificate: {
    'it has expired': {
      world: { certificate: async () => ({ ...certificate, validTo: new Date(NOW_MS - 1) }) },
      state: 'fail',
    },
    'it is for somebody else': {
      world: { certificate: async () => ({ ...certificate, isForName: false }) },
      state: 'fail',
    },
    'clients do not know who vouches for it': {
      world: { certificate: async () => ({ ...certificate, problem: 'SELF_SIGNED_CERT_IN_CHAIN' }) },
      state: 'warn',
    },
    'there is none': { world: { certificate: rejecting('connect ECONNREFUSED') }, state: 'warn' },
  },
}

function unmet(setting: string) {
  return { setting, value: 'no', wanted: 'yes', otherwise: 'jobs are lost' }
}
