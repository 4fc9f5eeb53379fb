// The queue of deploy/kubernetes with a real server: Valkey's settings are those that jobs need, and KEDA asks for the lists that there are.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { LANES } from '../../src/jobs/job.ts'
import { openBullQueue } from '../../src/jobs/bullmq/open.ts'
import { createLog } from '../../src/log.ts'
import { anOrder } from '../jobs/orders.ts'
import { NO_REDIS } from '../jobs/bullmq/parts.ts'
import { REDIS } from '../jobs/redis-server.ts'
import { ScaledObject } from './custom-resources.ts'
import { named, onlyContainer, rendered, type Workload } from './manifests.ts'

const PASSWORD = 'f00dfeed'
const WITHOUT_REDIS = REDIS === undefined ? ` (skipped: ${NO_REDIS})` : ''

const manifests = rendered('overlays/gpu')
const settings = named(manifests, 'ConfigMap', 'hviske-settings').data ?? {}
const prefix = settings['QUEUE_PREFIX'] ?? ''
const scaled = ScaledObject.parse(named(manifests, 'ScaledObject', 'hviske-worker'))
const { triggers, advanced, scaleTargetRef } = scaled.spec
const listsAsked = triggers.map(({ metadata }) => metadata.listName)

test('the sum of all lists is what is scaled on, for the workers, one for as many jobs as one takes of a lane', () => {
  const { formula, target } = advanced.scalingModifiers

  expect(formula.split(' + ').toSorted()).toEqual(triggers.map(({ name }) => name).toSorted())
  for (const { name, metadata } of triggers)
    expect(metadata.listName).toBe(`${prefix}:${name.replace('_', ':')}`)
  expect(Number(target)).toBe(readConfig({ JOBS_AT_ONCE: settings['JOBS_AT_ONCE'] }).jobsAtOnce)
  expect(named(manifests, 'Deployment', scaleTargetRef.name)).toBeDefined()
})

test('KEDA asks the Service, from its own namespace, with the password of Valkey', () => {
  const service = named(manifests, 'Service', 'hviske-valkey')
  const { name, namespace } = service.metadata

  for (const { metadata, authenticationRef } of triggers) {
    expect(metadata.address).toBe(`${name}.${namespace}.svc.cluster.local:6379`)
    const { spec } = named(manifests, 'TriggerAuthentication', authenticationRef.name)
    expect(spec).toEqual({ secretTargetRef: [{ parameter: 'password', ...passwordOfValkey() }] })
  }
})

test('who may speak to Valkey are ours and KEDA', () => {
  const { spec } = named(manifests, 'NetworkPolicy', 'hviske-valkey-from-ours-and-keda') as {
    spec: { ingress: readonly { from: readonly unknown[] }[] }
  }

  expect(spec.ingress.flatMap(({ from }) => from)).toEqual([
    {
      podSelector: {
        matchExpressions: [
          { key: 'app.kubernetes.io/name', operator: 'In', values: ['hviske-api', 'hviske-worker'] },
        ],
      },
    },
    { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'keda' } } },
  ])
})

test.skipIf(REDIS === undefined)(
  `a server that is started as the pod starts it is one that keeps jobs, behind a password${WITHOUT_REDIS}`,
  async () => {
    const server = await startAsThePodDoes()
    const lines: string[] = []

    const queue = await openBullQueue({
      url: server.url,
      prefix,
      log: createLog('info', (line) => lines.push(line)),
    })
    onTestFinished(() => queue[Symbol.asyncDispose]())

    expect(lines).toEqual([])
    const stranger = new Redis(server.port, { retryStrategy: () => null })
    stranger.on('error', () => undefined)
    onTestFinished(() => stranger.disconnect())
    await expect(stranger.ping()).rejects.toThrow('NOAUTH')
  },
)

test.skipIf(REDIS === undefined)(
  `a job that waits, and one that is worked on, is an entry in a list that KEDA asks for${WITHOUT_REDIS}`,
  async () => {
    const server = await startAsThePodDoes()
    const queue = await openBullQueue({ url: server.url, prefix, log: createLog('silent') })
    const redis = new Redis(server.url)
    onTestFinished(async () => {
      redis.disconnect()
      await queue[Symbol.asyncDispose]()
    })
    const lengths = async () =>
      Object.fromEntries(
        await Promise.all(listsAsked.map(async (list) => [list, await redis.llen(list)] as const)),
      )
    const expected = (waiting: number, active: number) =>
      Object.fromEntries(
        LANES.flatMap((lane) => [
          [`${prefix}:${lane}:wait`, waiting],
          [`${prefix}:${lane}:active`, active],
        ]),
      )

    for (const lane of LANES) for (let n = 0; n < 2; n += 1) await queue.add(anOrder({ lane }))
    expect(await lengths()).toEqual(expected(2, 0))

    const never = new AbortController().signal
    const leases = await Promise.all(LANES.map((lane) => queue.claim(lane, never)))
    expect(leases).toHaveLength(LANES.length)
    expect(await lengths()).toEqual(expected(1, 1))
  },
)

function passwordOfValkey() {
  const { env = [] } = onlyContainer(named<Workload>(manifests, 'StatefulSet', 'hviske-valkey'))
  return env.find(({ name }) => name === 'VALKEY_PASSWORD')?.valueFrom?.secretKeyRef
}

/** The script of the container, with its directories and its port moved to where a test may have them. */
async function startAsThePodDoes(): Promise<{ readonly url: string; readonly port: number }> {
  if (REDIS === undefined) throw new Error('there is no redis-server')
  const directory = await mkdtemp(join(tmpdir(), 'valkey-'))
  const port = await freePort()
  const moved = (named(manifests, 'ConfigMap', 'hviske-valkey').data?.['valkey.conf'] ?? '')
    .replace('port 6379', `port ${port}`)
    .replace('dir /data', `dir ${directory}`)
  await mkdir(join(directory, 'bin'))
  await writeFile(join(directory, 'valkey.conf'), moved)
  await writeFile(join(directory, 'bin', 'valkey-server'), `#!/bin/sh\nexec '${REDIS.path}' "$@"\n`, {
    mode: 0o755,
  })
  const { args = [] } = onlyContainer(named<Workload>(manifests, 'StatefulSet', 'hviske-valkey'))
  const script = (args[0] ?? '').replace('/etc/valkey/valkey.conf', join(directory, 'valkey.conf'))
  const env = {
    ...REDIS.env,
    PATH: `${join(directory, 'bin')}:${process.env['PATH']}`,
    VALKEY_PASSWORD: PASSWORD,
  }
  const child = spawn('sh', ['-c', script], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(async () => {
    const gone = child.exitCode === null ? once(child, 'exit') : undefined
    // The shell has become the server: a signal reaches it, as it does in a pod.
    child.kill('SIGTERM')
    await gone
    await rm(directory, { recursive: true, force: true, maxRetries: 10 })
  })
  await isReady(child)
  return { url: `redis://:${PASSWORD}@127.0.0.1:${port}`, port }
}

async function isReady({ stdout }: ChildProcess): Promise<void> {
  const said: string[] = []
  for await (const line of createInterface({ input: stdout as NodeJS.ReadableStream })) {
    said.push(line)
    if (!line.includes('Ready to accept connections')) continue
    stdout?.resume()
    return
  }
  throw new Error(`the server did not start:\n${said.join('\n')}`)
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
