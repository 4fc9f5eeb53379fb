import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { ApiKeys } from '../src/api-keys.ts'
import { readConfig, SETTINGS_TABLE } from '../src/config.ts'

test('an empty environment is enough', () => {
  expect(readConfig({})).toEqual({
    metrics: 'key',
    serviceName: 'hviske-api',
    tracesEndpoint: undefined,
    model: 'syvai/hviske-v2',
    modelAliases: [],
    host: '0.0.0.0',
    port: 8000,
    device: 'auto',
    isGpuRequired: false,
    computeType: 'auto',
    slots: 'auto',
    compiles: false,
    hasGraphs: true,
    hasGuards: true,
    joinsRetries: true,
    defaultLanguage: 'da',
    dataDir: resolve('data'),
    ffmpegPath: undefined,
    pythonPath: resolve('.venv/bin/python'),
    logLevel: 'info',
    apiKeys: new ApiKeys(),
    corsOrigins: [],
    maxUploadBytes: 10 * 1024 ** 3,
    maxAudioSeconds: 86_400,
    maxConcurrentTranscriptions: 16,
    earlyHeadersAfterSeconds: 50,
    maxQueueSize: 256,
    failsFastWhenBusy: false,
    busyRetryAfterSeconds: undefined,
    realtimeReservedSlots: 1,
    maxRequestsPerMinute: 0,
    maxRequestsAtOnce: 0,
    maxAudioSecondsPerDay: 0,
    maxFailedKeysPerMinute: 30,
    trustedProxies: [],
    shutdownDelaySeconds: 0,
    drainSeconds: 30,
    keysFile: resolve('data/keys.json'),
    diskReserveBytes: 1024 ** 3,
    jobSecondsKept: 604_800,
    maxJobBytes: 0,
    jobsAtOnce: 4,
    allowsUrls: false,
    urlFetchSeconds: 3600,
    uploadSecondsKept: 86_400,
    urlAllowedNetworks: [],
    s3: { accessKeyId: '', secretAccessKey: '', bucket: '', endpointUrl: '', region: '' },
    jobStorage: 'disk',
    role: 'all',
    queueUrl: undefined,
    queuePrefix: 'hviske',
    jobLeaseSeconds: 60,
    webhookSecret: undefined,
    languageModel: undefined,
    workerId: undefined,
    cpuThreads: 0,
  })
})

test('a variable that is empty counts as unset', () => {
  expect(readConfig({ PORT: '', MODEL: '', FFMPEG_PATH: '' })).toEqual(readConfig({}))
})

test.each([
  ['auto', 'auto'],
  ['1', 1],
  ['64', 64],
])('SLOTS=%s is taken', (written, slots) => {
  expect(readConfig({ SLOTS: written }).slots).toBe(slots)
})

test.each(['int8', 'float8'])('COMPUTE_TYPE=%s is taken', (written) => {
  expect(readConfig({ COMPUTE_TYPE: written }).computeType).toBe(written)
})

test('SLOTS says what it takes when it is given something else', () => {
  expect(() => readConfig({ SLOTS: 'many' })).toThrow('SLOTS=many: auto, or a whole number from 1 to 64')
})

test('guards can be switched off', () => {
  expect(readConfig({ GUARDS: 'off' }).hasGuards).toBe(false)
})

test('retries can be kept apart', () => {
  expect(readConfig({ JOIN_RETRIES: 'off' }).joinsRetries).toBe(false)
})

test('aliases and origins are separated by commas, and spaces do not matter', () => {
  expect(readConfig({ MODEL_ALIASES: 'hviske, whisper-da ,' }).modelAliases).toEqual(['hviske', 'whisper-da'])
  expect(readConfig({ CORS_ORIGINS: 'https://a.dk, http://localhost:5173 ,' }).corsOrigins).toEqual([
    'https://a.dk',
    'http://localhost:5173',
  ])
})

test.each([
  ['on', true],
  ['true', true],
  ['off', false],
  ['false', false],
])('FAIL_FAST_WHEN_BUSY=%s is taken, as we write it and as Vexa does', (written, failsFast) => {
  expect(readConfig({ FAIL_FAST_WHEN_BUSY: written }).failsFastWhenBusy).toBe(failsFast)
})

test('a fixed Retry-After and trusted proxies are read', () => {
  const config = readConfig({ BUSY_RETRY_AFTER_S: '2', TRUSTED_PROXIES: '127.0.0.1, fd00::/8,' })

  expect(config.busyRetryAfterSeconds).toBe(2)
  expect(config.trustedProxies).toEqual(['127.0.0.1', 'fd00::/8'])
})

test('the keys lie where the uploads do, unless a place is named', () => {
  expect(readConfig({ DATA_DIR: '/srv/speech' }).keysFile).toBe('/srv/speech/keys.json')
  expect(readConfig({ DATA_DIR: '/srv/speech', KEYS_FILE: '/etc/keys' }).keysFile).toBe('/etc/keys')
})

test.each([
  ['PORT', '65536'],
  ['PORT', '80.5'],
  ['PORT', 'http'],
  ['DEVICE', 'gpu'],
  ['COMPUTE_TYPE', 'int4'],
  ['SLOTS', '0'],
  ['SLOTS', '65'],
  ['SLOTS', 'many'],
  ['GUARDS', 'perhaps'],
  ['JOIN_RETRIES', 'sometimes'],
  ['DEFAULT_LANGUAGE', 'Danish'],
  ['LOG_LEVEL', 'loud'],
  ['MAX_UPLOAD_BYTES', '10 GB'],
  ['MAX_AUDIO_SECONDS', '0'],
  ['MAX_CONCURRENT_TRANSCRIPTIONS', '-1'],
  ['MAX_QUEUE_SIZE', '-1'],
  ['FAIL_FAST_WHEN_BUSY', 'maybe'],
  ['BUSY_RETRY_AFTER_S', '61'],
  ['REALTIME_RESERVED_SLOTS', '-1'],
  ['MAX_REQUESTS_PER_MINUTE', '1.5'],
  ['MAX_REQUESTS_AT_ONCE', 'two'],
  ['MAX_AUDIO_SECONDS_PER_DAY', '1 h'],
  ['MAX_FAILED_KEYS_PER_MINUTE', '-1'],
  ['TRUSTED_PROXIES', '10.0.0.0/33'],
  ['TRUSTED_PROXIES', '10.0.0.1, caddy'],
  ['DISK_RESERVE_BYTES', '1 GB'],
])('%s=%s is refused by name, with its value', (name, value) => {
  expect(() => readConfig({ [name]: value })).toThrow(`${name}=${value}: `)
})

test('every wrong setting is named at once, one a line', () => {
  const read = () => readConfig({ PORT: 'x', DEVICE: 'y', LOG_LEVEL: 'z' })

  expect(read).toThrow(
    /^settings that cannot be used:\n {2}PORT=x: .+\n {2}DEVICE=y: .+\n {2}LOG_LEVEL=z: .+$/,
  )
})

test('a configuration cannot be changed', () => {
  expect(Object.isFrozen(readConfig({}))).toBe(true)
})

test.each(SETTINGS_TABLE)(
  '$name has a default that is allowed, and says what it is for',
  ({ name, fallback, about }) => {
    expect(() => readConfig({ [name]: fallback })).not.toThrow()
    expect(about).not.toBe('')
  },
)

test('the address of a queue that is none is not repeated: it may hold a password', () => {
  const read = () => readConfig({ QUEUE_URL: 'http://user:secret@queue', JOB_LEASE_SECONDS: '1' })

  expect(read).toThrow(/^(?!.*secret)[^]*QUEUE_URL=…: [^]*redis:\/\/HOST:PORT[^]*JOB_LEASE_SECONDS=1: /)
})
