// The services beside ours: started as compose.yaml starts them, as far as there is something here to start, and told the truth about each other.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { readConfig } from '../../src/config.ts'
import { openBullQueue } from '../../src/jobs/bullmq/open.ts'
import { createLog } from '../../src/log.ts'
import { NO_REDIS } from '../jobs/bullmq/parts.ts'
import { REDIS } from '../jobs/redis-server.ts'
import { composed, ROOT, type Service, service, unescaped } from './client.ts'

const PROFILES = ['distributed', 'observability', 'tunnel']
const WITHOUT_REDIS = REDIS === undefined ? ` (skipped: ${NO_REDIS})` : ''
const project = () => composed({ profiles: PROFILES })

async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'compose-services-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true, maxRetries: 10 }))
  return directory
}

/** The secrets that the script makes up, in a checkout that has nothing else. */
async function madeSecrets(): Promise<{ readonly directory: string; readonly run: () => string }> {
  const checkout = await scratch()
  const script = join('deploy', 'compose', 'make-secrets.sh')
  await cp(join(ROOT, script), join(checkout, script))
  const run = () => {
    const { status, stdout, stderr } = spawnSync(join(checkout, script), [], { encoding: 'utf8', cwd: '/' })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    return stdout
  }
  return { directory: join(checkout, 'secrets'), run }
}

test('make-secrets.sh makes up what our own services share, each of it once', async () => {
  const { directory, run } = await madeSecrets()

  const first = run()
  const secrets = async () =>
    Object.fromEntries(
      await Promise.all(
        (await readdir(directory)).map(
          async (name) => [name, await readFile(join(directory, name), 'utf8')] as const,
        ),
      ),
    )
  const made = await secrets()

  expect(Object.keys(made).toSorted()).toEqual([
    'grafana-password',
    'queue-url',
    's3-access-key-id',
    's3-secret-access-key',
  ])
  expect(first.trim().split('\n')).toHaveLength(4)
  expect(made['grafana-password']).toMatch(/^[0-9a-f]{64}\n$/)
  expect(made['s3-secret-access-key']).not.toBe(made['grafana-password'])
  expect(run()).toBe('')
  expect(await secrets()).toEqual(made)
})

test('secrets are read by containers of any user, and by nobody else on the machine', async () => {
  const { directory, run } = await madeSecrets()
  run()

  expect((await stat(directory)).mode & 0o777).toBe(0o700)
  for (const name of await readdir(directory))
    expect({ name, mode: (await stat(join(directory, name))).mode & 0o777 }).toEqual({ name, mode: 0o444 })
})

test('the server reads the secrets where they are mounted', async () => {
  const { directory, run } = await madeSecrets()
  run()
  const { environment = {}, secrets = [] } = service(project(), 'worker')
  const files = Object.entries(environment).filter(([name]) => name.endsWith('_FILE'))

  const here = files.map(([name, path]) => {
    const mounted = secrets.find(({ target }) => target === path)
    return [name, join(directory, mounted?.source ?? 'nowhere')]
  })
  const config = readConfig(Object.fromEntries(here))

  expect(files).toHaveLength(secrets.length)
  expect(config.queueUrl).toMatch(/^redis:\/\/:[0-9a-f]{64}@valkey:6379$/)
  expect(config.s3.accessKeyId).toBe('hviske')
  expect(config.s3.secretAccessKey).toMatch(/^[0-9a-f]{64}$/)
})

test('the worker finds queue and store by the names and ports of their services', () => {
  const { environment = {} } = service(project(), 'worker')
  const store = service(project(), 'objects').environment ?? {}

  expect(environment['S3_ENDPOINT_URL']).toBe(`http://objects${store['VGW_PORT']}`)
  expect(environment['S3_STORAGE_BUCKET']).toBe(store['BUCKET'])
})

test.skipIf(REDIS === undefined)(
  `Valkey as compose starts it keeps jobs, behind the password of the address, and its check says that it answers${WITHOUT_REDIS}`,
  async () => {
    const { directory, run } = await madeSecrets()
    run()
    const port = await freePort()
    const bin = await programs({ 'valkey-server': `exec '${REDIS?.path}' "$@"` })
    const data = await scratch()
    const moved = join(data, 'valkey.conf')
    const conf = await readFile(join(ROOT, 'deploy', 'compose', 'valkey.conf'), 'utf8')
    await writeFile(moved, conf.replace('port 6379', `port ${port}`).replace('dir /data', `dir ${data}`))
    const here = (text: string) =>
      unescaped(text).replace('/etc/valkey.conf', moved).replaceAll('/run/secrets', directory)

    const valkey = service(project(), 'valkey')
    const [file = '', ...args] = (valkey.command ?? []).map(here)
    const env = { ...REDIS?.env, PATH: `${bin}:${process.env['PATH']}` }
    await untilSaid(started(file, args, env), 'Ready to accept connections')
    const lines: string[] = []
    const url = (await readFile(join(directory, 'queue-url'), 'utf8')).trim()
    const queue = await openBullQueue({
      url: url.replace('valkey:6379', `127.0.0.1:${port}`),
      prefix: 'hviske',
      log: createLog('info', (line) => lines.push(line)),
    })
    onTestFinished(() => queue[Symbol.asyncDispose]())

    // Otherwise it says what Redis must be set to.
    expect(lines).toEqual([])
    const stranger = new Redis(port, { retryStrategy: () => null })
    stranger.on('error', () => undefined)
    onTestFinished(() => stranger.disconnect())
    await expect(stranger.ping()).rejects.toThrow('NOAUTH')
    expect(await checked(valkey, here, url)).toEqual({ 'the password': 0, 'another password': 1 })
  },
)

/** What the check makes of a valkey-cli that answers to the right password only, as valkey-cli is told it. */
async function checked(valkey: Service, here: (text: string) => string, url: string) {
  const [how, text = ''] = valkey.healthcheck?.test ?? []
  expect(how).toBe('CMD-SHELL')
  const codeWith = async (password: string) => {
    const answer = `[ "$REDISCLI_AUTH" = '${password}' ] && echo PONG || echo NOAUTH`
    const env = { PATH: `${await programs({ 'valkey-cli': answer })}:${process.env['PATH']}` }
    return spawnSync('sh', ['-c', here(text)], { env }).status
  }
  return {
    'the password': await codeWith(new URL(url).password),
    'another password': await codeWith('another'),
  }
}

test('the store is started with its bucket and with the keys that the workers have', async () => {
  const { directory, run } = await madeSecrets()
  run()
  const volume = await scratch()
  const bin = await programs({ versitygw: 'echo "$@" "$ROOT_ACCESS_KEY" "$ROOT_SECRET_KEY" "$$"' })
  const { entrypoint, environment } = service(project(), 'objects')
  const [file = '', ...args] = (entrypoint ?? []).map((text) =>
    unescaped(text).replaceAll('/run/secrets', directory).replaceAll('/objects', volume),
  )

  const env = { ...environment, PATH: `${bin}:${process.env['PATH']}` }
  const { status, stdout, pid } = spawnSync(file, args, { encoding: 'utf8', env })

  const secret = (await readFile(join(directory, 's3-secret-access-key'), 'utf8')).trim()
  // The number says that the shell has become the server: signals reach it.
  expect({ status, stdout }).toEqual({ status: 0, stdout: `posix ${volume} hviske ${secret} ${pid}\n` })
  expect(await readdir(volume)).toEqual(['hviske'])
})

test('Prometheus scrapes services that there are, where they listen, and on a network that it is on', async () => {
  const { scrape_configs: scrapes } = parse(
    await readFile(join(ROOT, 'deploy', 'observability', 'prometheus.yml'), 'utf8'),
  ) as {
    scrape_configs: {
      static_configs: { targets: string[] }[]
      dns_sd_configs: { names: string[]; port: number }[]
    }[]
  }
  const targets = scrapes.flatMap(({ static_configs, dns_sd_configs }) => [
    ...static_configs.flatMap((one) => one.targets),
    ...dns_sd_configs.flatMap(({ names, port }) => names.map((name) => `${name}:${port}`)),
  ])

  expect(targets.toSorted()).toEqual(['server:8000', 'worker:8000'])
  for (const name of ['server', 'worker', 'prometheus'])
    expect(Object.keys(service(project(), name).networks ?? {})).toContain('backend')
  for (const name of ['server', 'worker'])
    expect(service(project(), name).environment).toMatchObject({ PORT: '8000', METRICS: 'open' })
})

test('Grafana finds Prometheus, and the dashboard where it is mounted', async () => {
  const { volumes = [], networks = {} } = service(project(), 'grafana')
  const directory = join(ROOT, 'deploy', 'observability', 'grafana')
  const sources = parse(await readFile(join(directory, 'datasources', 'hviske.yaml'), 'utf8')) as {
    datasources: { url: string; isDefault: boolean; type: string }[]
  }
  const dashboards = parse(await readFile(join(directory, 'dashboards', 'hviske.yaml'), 'utf8')) as {
    providers: { options: { path: string } }[]
  }

  expect(sources.datasources).toMatchObject([
    { url: 'http://prometheus:9090', isDefault: true, type: 'prometheus' },
  ])
  expect(Object.keys(networks)).toEqual(
    Object.keys(service(project(), 'prometheus').networks ?? {}).filter((name) => name !== 'backend'),
  )
  const path = dashboards.providers[0]?.options.path ?? ''
  const mounted = volumes.find(({ target }) => target.startsWith(`${path}/`))
  expect(mounted?.source).toMatch(/deploy\/observability\/dashboard\.json$/)
})

test('Funnel passes everything to Caddy, whose network it shares, and asks for a certificate', async () => {
  const { network_mode: network, environment = {}, volumes = [] } = service(project(), 'tailscale')
  const serve = JSON.parse(
    await readFile(join(ROOT, 'deploy', 'compose', 'tailscale-funnel.json'), 'utf8'),
  ) as unknown
  const site = '${TS_CERT_DOMAIN}:443'

  expect(network).toBe('service:caddy')
  expect(volumes.map(({ target }) => target)).toContain(environment['TS_SERVE_CONFIG'])
  expect(serve).toEqual({
    TCP: { 443: { HTTPS: true } },
    Web: { [site]: { Handlers: { '/': { Proxy: 'http://127.0.0.1:80' } } } },
    AllowFunnel: { [site]: true },
  })
})

/** A directory of shell scripts, for PATH. */
async function programs(scripts: Readonly<Record<string, string>>): Promise<string> {
  const bin = join(await scratch(), 'bin')
  await mkdir(bin)
  for (const [name, text] of Object.entries(scripts)) {
    await writeFile(join(bin, name), `#!/bin/sh\n${text}\n`)
    await chmod(join(bin, name), 0o755)
  }
  return bin
}

function started(file: string, args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  const child = spawn(file, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(async () => {
    const gone = child.exitCode === null ? once(child, 'exit') : undefined
    child.kill('SIGTERM')
    await gone
  })
  return child
}

async function untilSaid({ stdout }: ChildProcess, word: string): Promise<void> {
  const said: string[] = []
  for await (const line of createInterface({ input: stdout as NodeJS.ReadableStream })) {
    said.push(line)
    if (!line.includes(word)) continue
    stdout?.resume()
    return
  }
  throw new Error(`it ended before it said ${word}:\n${said.join('\n')}`)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
