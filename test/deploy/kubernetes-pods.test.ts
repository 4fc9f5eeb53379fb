// The pods of deploy/kubernetes against the code: their settings are read, their probes are answered, they end in peace and may do little.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type Config, readConfig, SETTINGS_TABLE } from '../../src/config.ts'
import { PROBE_PATHS } from '../../src/http/probes.ts'
import {
  bytesOf,
  type Container,
  type Manifest,
  named,
  onlyContainer,
  type Pod,
  rendered,
  type Workload,
  workloads,
} from './manifests.ts'

/** Of others: the home directory, Hugging Face's and NVIDIA's. */
const KNOWN = ['HOME', 'HF_HOME', 'HF_HUB_OFFLINE', 'HF_TOKEN', 'NVIDIA_DRIVER_CAPABILITIES']
/** Between the last running request and the last file: docs/shutdown.md. */
const ENDING_SECONDS = 15

const overlays = { cpu: rendered('overlays/cpu'), gpu: rendered('overlays/gpu') }
const all = Object.entries(overlays).flatMap(([overlay, manifests]) =>
  workloads(manifests).map((workload) => ({
    name: `${workload.metadata.name} (${overlay})`,
    workload,
    manifests,
  })),
)
const ours = all.filter(({ workload }) => onlyContainer(workload).image.startsWith('hviske'))

/** What a container of ours would see, with something that fits where a Secret would be. */
function environmentOf(container: Container, manifests: readonly Manifest[]): Record<string, string> {
  const maps = (container.envFrom ?? []).map(
    ({ configMapRef }) => named(manifests, 'ConfigMap', configMapRef.name).data ?? {},
  )
  const environment: Record<string, string> = Object.assign({}, ...maps) as Record<string, string>
  for (const { name, value, valueFrom } of container.env ?? []) {
    const secret =
      name === 'WEBHOOK_SECRET' ? `whsec_${'A'.repeat(32)}` : `of${valueFrom?.secretKeyRef?.name}`
    environment[name] = (value ?? secret).replaceAll(
      /\$\((\w+)\)/g,
      (_whole, other: string) => environment[other] ?? '?',
    )
  }
  return environment
}

async function configOf({ workload, manifests }: (typeof ours)[number]): Promise<Config> {
  const directory = await mkdtemp(join(tmpdir(), 'hviske-keys-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  await writeFile(join(directory, 'api-keys'), 'a-key-of-a-client\n')
  const environment = environmentOf(onlyContainer(workload), manifests)
  return readConfig({
    ...environment,
    ...(environment['API_KEYS_FILE'] !== undefined && { API_KEYS_FILE: join(directory, 'api-keys') }),
  })
}

const podOf = (workload: Workload): Pod => workload.spec.template.spec

test.each(ours)(
  'every variable of $name is a setting, or one that somebody else reads',
  ({ workload, manifests }) => {
    const container = onlyContainer(workload)
    const settings = new Set([...SETTINGS_TABLE.map(({ name }) => name), ...KNOWN])
    const referred = new Set(
      (container.env ?? []).flatMap(({ value = '' }) =>
        [...value.matchAll(/\$\((\w+)\)/g)].map(([, name]) => name),
      ),
    )
    const unknown = Object.keys(environmentOf(container, manifests)).filter(
      (name) => !settings.has(name) && !referred.has(name),
    )

    expect(unknown).toEqual([])
  },
)

test.each(ours)(
  '$name could start with its settings, in its role, on the queue and the store that all share',
  async (one) => {
    const config = await configOf(one)
    const isApi = one.workload.metadata.name === 'hviske-api'

    expect(config).toMatchObject({
      role: isApi ? 'api' : 'worker',
      queueUrl: 'redis://:ofhviske-valkey@hviske-valkey:6379',
      jobStorage: 's3',
      s3: { accessKeyId: 'ofhviske-s3', secretAccessKey: 'ofhviske-s3' },
    })
    // A worker takes no requests, so it need not know who may ask.
    expect(config.apiKeys.size > 0).toBe(isApi)
  },
)

test('the queue is reached where its Service is', () => {
  for (const manifests of Object.values(overlays)) {
    const { spec } = named(manifests, 'Service', 'hviske-valkey') as {
      spec: { ports: readonly { port: number }[] }
    }
    expect(spec.ports.map(({ port }) => port)).toEqual([6379])
    expect(
      onlyContainer(named<Workload>(manifests, 'StatefulSet', 'hviske-valkey')).ports?.map(
        ({ containerPort }) => containerPort,
      ),
    ).toEqual([6379])
  }
})

test.each(ours)('$name is asked on the port it listens to, at the paths that answer', async (one) => {
  const { startupProbe, readinessProbe, livenessProbe, ports } = onlyContainer(one.workload)
  const asked = [startupProbe, readinessProbe, livenessProbe].map((probe) => probe?.httpGet)

  expect(asked).toEqual(['/startupz', '/readyz', '/livez'].map((path) => ({ path, port: 'http' })))
  expect(new Set(PROBE_PATHS.map(({ path }) => path))).toEqual(new Set(asked.map((probe) => probe?.path)))
  expect(ports).toEqual([{ name: 'http', containerPort: (await configOf(one)).port }])
})

test.each(ours)('$name is given the time that it takes to end', async (one) => {
  const { shutdownDelaySeconds, drainSeconds } = await configOf(one)

  expect(shutdownDelaySeconds).toBeGreaterThanOrEqual(5)
  expect(podOf(one.workload).terminationGracePeriodSeconds).toBeGreaterThanOrEqual(
    shutdownDelaySeconds + drainSeconds + ENDING_SECONDS,
  )
})

test.each(all)('$name may do no more than it has to', ({ workload }) => {
  const pod = podOf(workload)

  expect(pod.securityContext).toMatchObject({
    runAsNonRoot: true,
    seccompProfile: { type: 'RuntimeDefault' },
  })
  expect(pod).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false })
  expect(onlyContainer(workload).securityContext).toEqual({
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  })
})

test.each(all)('$name says what it needs, and is asked how it is', ({ workload }) => {
  const { resources, startupProbe, readinessProbe, livenessProbe } = onlyContainer(workload)

  expect(resources).toMatchObject({
    requests: { cpu: expect.any(String) as string, memory: expect.any(String) as string },
    limits: { memory: expect.any(String) as string },
  })
  expect(bytesOf(resources?.limits['memory'] ?? 0)).toBeGreaterThanOrEqual(
    bytesOf(resources?.requests['memory'] ?? 0),
  )
  for (const probe of [startupProbe, readinessProbe, livenessProbe])
    expect(probe?.timeoutSeconds).toBeGreaterThan(1)
})

test.each(all)('what $name mounts is there', ({ workload, manifests }) => {
  const pod = podOf(workload)
  const claimed = (workload.spec.volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name)
  const volumes = [...(pod.volumes ?? []).map(({ name }) => name), ...claimed]

  expect((onlyContainer(workload).volumeMounts ?? []).map(({ name }) => name).toSorted()).toEqual(
    volumes.toSorted(),
  )
  for (const { configMap, persistentVolumeClaim } of pod.volumes ?? []) {
    if (configMap !== undefined) named(manifests, 'ConfigMap', configMap.name)
    if (persistentVolumeClaim !== undefined)
      named(manifests, 'PersistentVolumeClaim', persistentVolumeClaim.claimName)
  }
})

test.each(ours)('whatever $name writes to is a volume that can be written to', ({ workload, manifests }) => {
  const container = onlyContainer(workload)
  const writable = (container.volumeMounts ?? [])
    .filter(({ readOnly }) => readOnly !== true)
    .map(({ mountPath }) => mountPath)
  const { DATA_DIR, HOME, HF_HOME = '/models' } = environmentOf(container, manifests)

  expect(writable).toEqual(expect.arrayContaining([DATA_DIR, HOME, '/tmp']))
  for (const path of [HF_HOME, '/cache'])
    expect(writable.includes(path)).toBe(workload.metadata.name === 'hviske-worker')
})

test.each(ours)(
  'the disk of $name has room for the largest upload, twice, and what is kept free',
  async (one) => {
    const { maxUploadBytes, diskReserveBytes } = await configOf(one)
    const container = onlyContainer(one.workload)
    const emptyDirs = (podOf(one.workload).volumes ?? []).flatMap(({ name, emptyDir }) =>
      emptyDir === undefined ? [] : [{ name, bytes: bytesOf(emptyDir.sizeLimit) }],
    )
    const data = emptyDirs.find(({ name }) => name === 'data')?.bytes ?? 0

    expect(data).toBeGreaterThanOrEqual(2 * maxUploadBytes + diskReserveBytes)
    // Whoever fills more than this is evicted, however large the volumes may become.
    const total = emptyDirs.reduce((sum, { bytes }) => sum + bytes, 0)
    expect(bytesOf(container.resources?.limits['ephemeral-storage'] ?? 0)).toBeGreaterThan(total)
  },
)

test.each(ours.filter(({ workload }) => workload.metadata.name === 'hviske-worker'))(
  '$name may download its model for an hour before it is taken for stuck',
  ({ workload }) => {
    const { startupProbe } = onlyContainer(workload)
    const seconds = (startupProbe?.periodSeconds ?? 0) * (startupProbe?.failureThreshold ?? 0)

    expect(seconds).toBeGreaterThanOrEqual(3600)
    expect(workload.spec.progressDeadlineSeconds).toBeGreaterThan(seconds)
  },
)

test('a worker has a GPU of its own on a node that has one, and waits for nobody who still holds it', async () => {
  const worker = named<Workload>(overlays.gpu, 'Deployment', 'hviske-worker')

  expect(onlyContainer(worker).resources?.limits).toMatchObject({ 'nvidia.com/gpu': 1 })
  expect(podOf(worker)).toMatchObject({
    nodeSelector: { 'nvidia.com/gpu.present': 'true' },
    tolerations: [{ key: 'nvidia.com/gpu', operator: 'Exists', effect: 'NoSchedule' }],
  })
  expect(worker.spec.strategy?.rollingUpdate.maxSurge).toBe(0)
  // The scaler's, or an apply would take workers away.
  expect(worker.spec.replicas).toBeUndefined()
  expect(await configOf({ name: 'worker', workload: worker, manifests: overlays.gpu })).toMatchObject({
    device: 'cuda',
    isGpuRequired: true,
  })
})

test('the api needs no GPU, no model, and more than one pod of it is there', () => {
  const api = named<Workload>(overlays.gpu, 'Deployment', 'hviske-api')

  expect(onlyContainer(api).resources?.limits).not.toHaveProperty(['nvidia.com/gpu'])
  expect(api.spec.replicas).toBeGreaterThan(1)
})
