// The Dockerfile against the repository: its steps are scripts, its sources are there, its versions are ours, and it gives nothing away.
import { readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import packageJson from '../../package.json' with { type: 'json' }
import packageLock from '../../package-lock.json' with { type: 'json' }
import { readConfig, SETTINGS_TABLE } from '../../src/config.ts'
import { named, onlyContainer, rendered, type Workload } from '../deploy/manifests.ts'
import { contextFiles, filesOf, ignorePatterns, isIgnored, ROOT } from './build-context.ts'
import { assignments, type Instruction, listOf, only, parseDockerfile, words } from './dockerfile.ts'

const { args, stages } = parseDockerfile(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'))
const last = stages.at(-1)
const context = contextFiles()
const instructions = stages.flatMap((stage) => stage.instructions)
const called = (name: string) => instructions.filter((one) => one.name === name)
const environment = Object.assign({}, ...called('ENV').map(({ text }) => assignments(text))) as Record<
  string,
  string
>
const entry = readFileSync(join(ROOT, 'deploy/image/entry.sh'), 'utf8')

/** Of COPY, without the destination. */
const sourcesOf = ({ text }: Instruction) => words(text).slice(0, -1)

test('every RUN is a script of deploy/image without a word more, which can be run', () => {
  const scripts = called('RUN').map(({ text }) => text)

  expect(scripts.length).toBeGreaterThan(3)
  for (const script of scripts) {
    expect(script).toMatch(/^deploy\/image\/[\w-]+\.sh$/)
    expect({ script, mode: statSync(join(ROOT, script)).mode & 0o111 }).toEqual({ script, mode: 0o111 })
  }
})

test('every script of a step has been copied into its stage before', () => {
  for (const { instructions: own } of stages) {
    const runs = own.flatMap((one, index) =>
      one.name === 'RUN' ? [{ script: one.text, before: own.slice(0, index) }] : [],
    )
    for (const { script, before } of runs)
      expect(before.filter(({ name }) => name === 'COPY').flatMap(sourcesOf)).toContain(script)
  }
})

test('everything that is copied from the repository is there, and .dockerignore lets it in', () => {
  const sources = called('COPY')
    .filter(({ flags }) => flags['from'] === undefined)
    .flatMap(sourcesOf)

  for (const source of sources) {
    expect({ source, files: filesOf(source, context).length }).not.toEqual({ source, files: 0 })
  }
  // And nothing else: a build sends it to Docker each time.
  const copied = new Set(sources.flatMap((source) => filesOf(source, context)))
  expect(context.filter((file) => !copied.has(file))).toEqual([])
})

test('what is copied from another stage comes from one that is before', () => {
  const seen: unknown[] = []
  const wanted = stages.flatMap(({ name, instructions: own }) => {
    const unknown = own.flatMap(({ flags }) => flags['from'] ?? []).filter((from) => !seen.includes(from))
    seen.push(name)
    return unknown
  })

  expect(wanted).toEqual([])
})

test.each([
  '.env',
  '.env.example',
  '.git/config',
  'data/keys.json',
  'data/jobs/jobs.sqlite',
  'id_rsa',
  'src/engine/__pycache__/x.pyc',
  'python/whisper_worker/__pycache__/model.pyc',
  'python/training/train.py',
  'python/tests/test_model.py',
  'test/audio/da.wav',
  'node_modules/hono/package.json',
  '.venv/bin/python',
  'models/hviske/model.safetensors',
  'compose.yaml',
])('%s does not get into a build', (file) => {
  expect(isIgnored(file, ignorePatterns())).toBe(true)
})

test('no secret is given to a build, nor kept in the image', () => {
  const variables = [
    ...Object.keys(environment),
    ...called('ARG').flatMap(({ text }) => Object.keys(assignments(text))),
  ]
  const given = called('RUN').filter(({ flags }) => /secret|ssh/.test(flags['mount'] ?? ''))

  expect(variables.filter((name) => /KEY|SECRET|TOKEN|PASSWORD|AUTH/.test(name))).toEqual([])
  expect(given).toEqual([])
})

test('Node is the one that package-lock.json pins, Python the one that was asked for, and both are on Debian 13', () => {
  const version = packageLock.packages['node_modules/node'].version

  expect(args).toEqual({
    NODE_IMAGE: `node:${version}-trixie-slim`,
    PYTHON_IMAGE: expect.stringMatching(/^python:3\.12\.\d+-slim-trixie$/) as string,
  })
  expect(packageJson.dependencies.node).toBe('^24.12.0')
  // The environment is made by one Python and used by another, at the same place.
  expect(stages.filter(({ name }) => name !== 'node').map(({ from }) => from)).toEqual([
    args['PYTHON_IMAGE'],
    args['PYTHON_IMAGE'],
  ])
})

test('the server runs as user 1000, who is there, and no step comes after', () => {
  expect(only(last, 'USER').text).toBe('1000:1000')
  const names = last?.instructions.map(({ name }) => name) ?? []
  expect(names.slice(names.indexOf('USER'))).not.toContain('RUN')
  expect(names.slice(names.indexOf('USER'))).not.toContain('COPY')
  const system = readFileSync(join(ROOT, 'deploy/image/install-system.sh'), 'utf8')
  expect(system).toMatch(/groupadd --gid 1000 hviske\nuseradd --uid 1000 --gid 1000/)
})

test('settings of the image are settings of the server, which listens where EXPOSE and the probes say', () => {
  const others =
    /^(?:PATH|HOME|NODE_ENV|PYTHONDONTWRITEBYTECODE|HF_HOME|XDG_CACHE_HOME|\w+_CACHE_(?:DIR|PATH)|NVIDIA_\w+)$/
  const settings = SETTINGS_TABLE.map(({ name }) => name)
  const config = readConfig(environment)

  expect(Object.keys(environment).filter((name) => !others.test(name) && !settings.includes(name))).toEqual(
    [],
  )
  expect(config).toMatchObject({
    host: '0.0.0.0',
    port: 8000,
    dataDir: '/data',
    pythonPath: '/opt/venv/bin/python',
  })
  expect(only(last, 'EXPOSE').text).toBe(String(config.port))
})

test('whatever is written by variable is written to a volume that install-system.sh makes, or to /tmp', () => {
  const volumes = listOf(only(last, 'VOLUME'))
  const places = Object.entries(environment).filter(([name]) => /^HOME$|_HOME$|_DIR$|CACHE/.test(name))
  const system = readFileSync(join(ROOT, 'deploy/image/install-system.sh'), 'utf8')

  expect(places.length).toBe(7)
  for (const [name, path] of places) {
    const root = `/${path.split('/')[1]}`
    expect([...volumes, '/tmp'], `${name}=${path}`).toContain(root)
  }
  expect(system).toContain(`install -d -o hviske -g hviske ${volumes.join(' ')}\n`)
})

test('Kubernetes mounts what the image writes to, as the user of the image', () => {
  const worker = named<Workload>(rendered('overlays/gpu'), 'Deployment', 'hviske-worker')
  const paths = onlyContainer(worker).volumeMounts?.map(({ mountPath }) => mountPath) ?? []

  expect(paths.toSorted()).toEqual([...listOf(only(last, 'VOLUME')), '/tmp'].toSorted())
  expect(worker.spec.template.spec.securityContext).toMatchObject({
    runAsUser: 1000,
    runAsGroup: 1000,
    fsGroup: 1000,
  })
})

test('every command of the entry point is a program that is there, replaces the shell, and is told to who asks', () => {
  const commands = [...entry.matchAll(/^ {2}(\w+)\) exec node (\S+) "\$@" ;;$/gm)]

  expect(commands.map(([, name]) => name)).toEqual(['server', 'doctor', 'model', 'keys'])
  for (const [, name, file = ''] of commands) {
    expect(filesOf(file, context), `${name}: ${file}`).toEqual([file])
    expect(entry).toMatch(new RegExp(`none of:.*\\b${name}\\b`))
  }
  expect(listOf(only(last, 'ENTRYPOINT')).at(-1)).toBe('/app/deploy/image/entry.sh')
  expect(listOf(only(last, 'CMD'))).toEqual(['server'])
})

test('every script of deploy/image is in the Dockerfile', () => {
  const used = new Set(
    called('COPY')
      .flatMap(sourcesOf)
      .map((file) => basename(file)),
  )
  const there = filesOf('deploy/image', context).map((file) => basename(file))

  expect(there.filter((file) => !used.has(file))).toEqual([])
})

test.each([
  ['a heredoc', 'FROM a\nRUN <<END\nls\nEND\n', /ls is no instruction/],
  ['ADD', 'FROM a\nADD x y\n', /ADD is no instruction/],
  ['a quoted value', 'FROM a\nENV A="b c"\n', /no name=value/],
])('the reader refuses %s, which it does not know', (_what, text, message) => {
  expect(() => parseDockerfile(text).stages.map((stage) => assignments(only(stage, 'ENV').text))).toThrow(
    message,
  )
})
