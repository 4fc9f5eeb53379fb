// The model's files, and what a transcription with them says, for disks and engines that are made up.
import { expect, test } from 'vitest'
import { checkModel, checkRepairs, checkTranscription, findModel, SPOKEN } from '../../src/doctor/model.ts'
import { configWith, madeUpWorld, rejecting, trial } from './made-up-world.ts'

const CONFIG = configWith({ MODEL: 'syvai/hviske-v2' })
const SNAPSHOTS = '/cache/hub/models--syvai--hviske-v2/snapshots'
const FOUND = { directory: '/models/m', weightBytes: 3 * 1024 ** 3 }

/** Files by their path; all of 1000 bytes. */
function diskWith(...paths: string[]) {
  const below = (directory: string) =>
    paths
      .filter((path) => path.startsWith(`${directory}/`))
      .map((path) => path.slice(directory.length + 1).split('/'))
  const orNothing = <Entry>(entries: Entry[]) => (entries.length === 0 ? undefined : entries)
  return madeUpWorld({
    filesIn: async (directory) =>
      orNothing(
        below(directory).flatMap(([name = '', ...rest]) =>
          rest.length === 0 ? [{ name, bytes: 1000 }] : [],
        ),
      ),
    directoriesIn: async (directory) => orNothing(below(directory).map(([name = '']) => name)),
    readText: rejecting('no such file'),
  })
}

test('a model in a directory of its own is found', async () => {
  const disk = diskWith('/models/m/config.json', '/models/m/model.safetensors')

  expect(await findModel({ model: '/models/m', modelRevision: undefined }, {}, disk)).toEqual({
    directory: '/models/m',
    weightBytes: 1000,
  })
})

test.each([[{ HF_HOME: '/cache' }], [{ HF_HUB_CACHE: '/cache/hub' }]])(
  'a model in the cache of the Hub is found where %j says',
  async (environment) => {
    const disk = diskWith(`${SNAPSHOTS}/abc/config.json`, `${SNAPSHOTS}/abc/model.safetensors`)

    expect(await findModel(CONFIG, environment, disk)).toEqual({
      directory: `${SNAPSHOTS}/abc`,
      weightBytes: 1000,
    })
  },
)

test.each([
  ['the commit that was pulled first', undefined, { 'hviske-api': 'abc\n' }, 'abc'],
  ['any whole commit when none was', undefined, {}, 'aaa'],
  ['the commit that a branch means', 'main', { main: 'abc', 'hviske-api': 'aaa' }, 'abc'],
  ['the commit that is wanted, in short', 'ab', { 'hviske-api': 'aaa' }, 'abc'],
  ['nothing for a commit that is not here', 'fff', { 'hviske-api': 'aaa' }, undefined],
])('of two commits, %s is looked at', async (_what, modelRevision, refs: Record<string, string>, commit) => {
  const files = ['aaa', 'abc'].flatMap((name) =>
    ['config.json', 'model.safetensors'].map((file) => `${SNAPSHOTS}/${name}/${file}`),
  )
  const readText = async (path: string) => refs[path.split('/refs/')[1] ?? ''] ?? rejecting('no such file')()
  const disk = { ...diskWith(...files), readText }
  const found = await findModel({ model: CONFIG.model, modelRevision }, { HF_HOME: '/cache' }, disk)

  expect(found?.directory).toBe(commit && `${SNAPSHOTS}/${commit}`)
})

test.each([
  ['all parts', [1, 2], 2000],
  ['one part of two', [1], undefined],
])('a model of parts is whole with %s', async (_what, parts, weightBytes) => {
  const files = parts.map((part) => `/m/model-0000${part}-of-00002.safetensors`)
  const found = await findModel(
    { model: '/m', modelRevision: undefined },
    {},
    diskWith('/m/config.json', ...files),
  )

  expect(found?.weightBytes).toBe(weightBytes)
})

test.each([
  ['no weights', ['/m/config.json']],
  ['no configuration', ['/m/pytorch_model.bin']],
  ['nothing', []],
])('a directory with %s is no model', async (_what, files) => {
  expect(await findModel({ model: '/m', modelRevision: undefined }, {}, diskWith(...files))).toBeUndefined()
})

test('a model that is here is ok, one to be downloaded a warning, one that may not be a failure', async () => {
  expect(await checkModel(CONFIG, {}, FOUND)).toMatchObject({
    state: 'ok',
    says: 'syvai/hviske-v2: 3.0 GiB of weights in /models/m',
  })
  expect(await checkModel(CONFIG, {}, undefined)).toMatchObject({ state: 'warn' })
  expect(await checkModel(CONFIG, { HF_HUB_OFFLINE: '1' }, undefined)).toMatchObject({ state: 'fail' })
})

test.each([
  ['every word', SPOKEN, 'ok', /12 of 12 words right$/],
  ['half of the words', 'peter rejser til københavn i januar', 'ok', /6 of 12/],
  ['few words', 'peter pan', 'warn', /1 of 12/],
  ['nothing', '', 'fail', /nothing was heard/],
])('an engine that hears %s is judged', async (_what, text, state, says) => {
  const finding = await checkTranscription(FOUND, { transcribe: trial({ text }) })

  expect(finding).toMatchObject({ name: 'transcription', state })
  expect(finding.says).toMatch(/^5\.8 s of Danish in 0\.25 s on x86_64 \(cpu, float32\): /)
  expect(finding.says).toMatch(says)
})

test('an engine that does not start fails with its own words', async () => {
  const transcribe = rejecting('DEVICE=cuda was asked for, but no CUDA device is visible.')

  expect(await checkTranscription(FOUND, { transcribe })).toMatchObject({
    state: 'fail',
    says: expect.stringContaining('no CUDA device'),
  })
  expect(await checkRepairs(FOUND, { transcribe })).toMatchObject({ state: 'warn' })
})

test('without the files no engine is started, which would download them', async () => {
  const world = madeUpWorld({})

  expect(await checkTranscription(undefined, world)).toMatchObject({
    state: 'warn',
    says: expect.stringContaining('not tried'),
  })
  expect(await checkRepairs(undefined, world)).toMatchObject({ state: 'warn' })
})

test('what was repaired in the model is told', async () => {
  const repaired = await checkRepairs(FOUND, {
    transcribe: trial({ repairs: ['alignment_heads: those of large-v3'] }),
  })

  expect(repaired).toMatchObject({
    state: 'ok',
    says: expect.stringContaining('alignment_heads: those of large-v3'),
  })
  expect(await checkRepairs(FOUND, { transcribe: trial({}) })).toMatchObject({
    state: 'ok',
    says: 'nothing in the model had to be repaired',
  })
})
