// What a container of compose.yaml may do, who reaches it, and how long it has to end.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { composed, type Project, ROOT, secondsOf, service } from './client.ts'

/** The same program in two roles. */
const OURS = ['server', 'worker']
const PROFILES = ['distributed', 'observability', 'tunnel', 'tunnel-cloudflare']
const everything = (env?: string) =>
  composed({ files: ['gpu', 'distributed'], profiles: PROFILES, ...(env !== undefined && { env }) })

test('no container has a capability, can get one, or can write but to its volumes; only Caddy may bind low ports', () => {
  for (const [name, one] of Object.entries(everything().services)) {
    expect({ name, ...one }).toMatchObject({
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
    })
    expect(one.privileged ?? false).toBe(false)
    expect({ name, cap_add: one.cap_add ?? [] }).toEqual({
      name,
      cap_add: name === 'caddy' ? ['NET_BIND_SERVICE'] : [],
    })
  }
})

test('every container comes back, keeps 50 MB of its log, has a bound of threads, and says whether it is well', () => {
  for (const [name, one] of Object.entries(everything().services)) {
    expect({ name, ...one }).toMatchObject({
      restart: 'unless-stopped',
      logging: { driver: 'json-file', options: { 'max-size': '10m', 'max-file': '5' } },
      healthcheck: { test: expect.any(Array) as unknown },
    })
    expect(one.pids_limit ?? 0).toBeGreaterThan(0)
  }
})

test('what the world reaches is Caddy; the server itself and the dashboards are for this machine', () => {
  const ports = Object.entries(everything().services).flatMap(([name, { ports: published = [] }]) =>
    published.map(({ host_ip = 'everywhere', published: port, target, protocol }) =>
      [name, host_ip, `${port}:${target}/${protocol}`].join(' '),
    ),
  )

  expect(ports.toSorted()).toEqual([
    'caddy everywhere 443:443/tcp',
    'caddy everywhere 443:443/udp',
    'caddy everywhere 80:80/tcp',
    'grafana 127.0.0.1 3000:3000/tcp',
    'prometheus 127.0.0.1 9090:9090/tcp',
    'server 127.0.0.1 8000:8000/tcp',
  ])
})

test('behind a tunnel, no port of Caddy needs to be reachable from outside', () => {
  const env = 'HTTP_PORT=127.0.0.1:80\nHTTPS_PORT=127.0.0.1:443\n'
  const { ports = [] } = service(everything(env), 'caddy')

  expect(ports.map(({ host_ip, published }) => `${host_ip}:${published}`)).toEqual([
    '127.0.0.1:80',
    '127.0.0.1:443',
    '127.0.0.1:443',
  ])
})

function onNetwork({ services }: Project, network: string): string[] {
  return Object.keys(services)
    .filter((name) => network in (services[name]?.networks ?? {}))
    .toSorted()
}

test('who is on which network', () => {
  const project = everything()

  expect(onNetwork(project, 'backend')).toEqual([
    'caddy',
    'objects',
    'prometheus',
    'server',
    'valkey',
    'worker',
  ])
  expect(project.networks['backend']?.internal).toBe(true)
  expect(onNetwork(project, 'egress')).toEqual(['server', 'worker'])
  expect(onNetwork(project, 'edge')).toEqual(['caddy', 'cloudflared'])
  expect(onNetwork(project, 'monitoring')).toEqual(['grafana', 'prometheus'])
  expect(service(project, 'tailscale').network_mode).toBe('service:caddy')
})

test('a request can reach the server from Caddy on one network only, the one without the world', () => {
  const { services } = everything()
  const [caddy, server] = ['caddy', 'server'].map((name) => Object.keys(services[name]?.networks ?? {}))

  expect(caddy?.filter((network) => server?.includes(network))).toEqual(['backend'])
})

test.each([
  ['the defaults', undefined, {}],
  [
    'what .env says',
    'SHUTDOWN_DELAY_SECONDS=5\nDRAIN_SECONDS=120\nSTOP_GRACE_PERIOD=140s\n',
    { SHUTDOWN_DELAY_SECONDS: '5', DRAIN_SECONDS: '120' },
  ],
])('with %s, containers have as long to end as the server says it takes', (_what, env, settings) => {
  const project = everything(env)
  const { shutdownDelaySeconds, drainSeconds } = readConfig(settings)

  for (const name of [...OURS, 'caddy']) {
    const { stop_grace_period: grace = '10s' } = service(project, name)
    expect(secondsOf(grace)).toBe(shutdownDelaySeconds + drainSeconds + 15)
  }
})

test('Caddy ends beside the server, not before it: nothing makes one wait for the other', () => {
  const { services } = composed()

  expect(services['caddy']?.depends_on ?? {}).toEqual({})
  expect(services['server']?.depends_on ?? {}).toEqual({})
})

test('with a queue, server and workers start when it answers', () => {
  const project = composed({ files: ['distributed'] })

  for (const name of OURS) {
    expect(service(project, name).depends_on).toMatchObject({
      valkey: { condition: 'service_healthy' },
      objects: { condition: 'service_healthy' },
    })
  }
})

test('uploads lie on a volume: memory is what the model computes in', () => {
  const project = everything()

  for (const name of OURS) {
    const { environment = {}, volumes = [], tmpfs = [] } = service(project, name)
    const dataDir = environment['DATA_DIR'] ?? ''
    expect(volumes.find(({ target }) => target === dataDir)?.type).toBe('volume')
    expect(tmpfs.map((mount) => mount.split(':')[0])).toEqual(['/tmp'])
  }
})

test('Caddy is believed when it says whom a request comes from, as on any network that Docker may give it', () => {
  const { environment = {} } = service(everything(), 'server')
  const { trustedProxies } = readConfig({ TRUSTED_PROXIES: environment['TRUSTED_PROXIES'] ?? '' })

  expect(trustedProxies).toEqual([
    '10.0.0.0/8',
    '172.16.0.0/12',
    '192.168.0.0/16',
    'fc00::/7',
    '127.0.0.0/8',
    '::1/128',
  ])
})

test.each([
  ['ready', 200, 0],
  ['not ready', 503, 1],
  ['not there', undefined, 1],
])('the check of a server that is %s says so, with what the image has', async (_what, status, code) => {
  const { healthcheck } = service(composed(), 'server')
  const [how, file = '', ...args] = healthcheck?.test ?? []
  const asked: (string | undefined)[] = []
  const port = await answering((request, response) => {
    asked.push(request.url)
    response.writeHead(status ?? 500).end()
  }, status !== undefined)

  // Where the image has its program, the checkout has it too.
  const env = { PATH: process.env['PATH'], PORT: String(port) }
  const child = spawn(file, args, { stdio: 'ignore', cwd: ROOT, env })

  expect(how).toBe('CMD')
  expect((await once(child, 'exit'))[0]).toBe(code)
  expect(asked).toEqual(status === undefined ? [] : ['/readyz'])
})

test('a container is told of the places that its image has', () => {
  const dockerfile = readFileSync(join(ROOT, 'Dockerfile'), 'utf8')
  const { environment = {}, build, volumes = [] } = service(composed(), 'server')

  for (const name of ['HOST', 'PORT', 'DATA_DIR', 'PYTHON_PATH', 'HF_HOME'])
    expect(dockerfile).toMatch(new RegExp(`^(ENV| )+${name}=${environment[name]}( |$)`, 'm'))
  for (const name of Object.keys(build?.args ?? {}))
    expect(dockerfile).toMatch(new RegExp(`^ARG ${name}\\b`, 'm'))
  // Of those, the image has the owner right: what is new and empty takes it over.
  for (const { target } of volumes) expect(dockerfile).toMatch(new RegExp(`^VOLUME .*"${target}"`, 'm'))
})

/** The port of a server, or one where nobody answers any more. */
async function answering(listener: RequestListener, stays: boolean): Promise<number> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const close = () => new Promise((resolve) => server.close(resolve))
  if (stays) onTestFinished(async () => void (await close()))
  else await close()
  return port
}
