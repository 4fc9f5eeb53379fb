// deploy/kubernetes as objects: what would be sent is valid, whole, speaks of what is there, and gives nothing away.
import { spawnSync } from 'node:child_process'
import { dirname, join, normalize, resolve } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { expect, test } from 'vitest'
import packageJson from '../../package.json' with { type: 'json' }
import { CUSTOM_RESOURCES } from './custom-resources.ts'
import {
  files,
  kustomizationOf,
  MANIFESTS,
  type Manifest,
  onlyContainer,
  read,
  rendered,
  selects,
  workloads,
} from './manifests.ts'

const PYTHON = resolve('.venv/bin/python')
/** The oldest and the newest that are claimed in deploy/kubernetes/README.md. */
const VERSIONS = ['1.30', '1.37']

const WHOLE = {
  'overlays/cpu': rendered('overlays/cpu'),
  'overlays/gpu': rendered('overlays/gpu'),
  'all with the Prometheus operator': [...rendered('overlays/gpu'), ...rendered('components/prometheus')],
  examples: files()
    .filter((file) => file.startsWith('examples/'))
    .flatMap(read),
}
const everything = Object.values(WHOLE).flat()
const sent = WHOLE['all with the Prometheus operator']
const secretKeys = new Map(
  WHOLE.examples
    .filter(({ kind }) => kind === 'Secret')
    .map((one) => [one.metadata.name, Object.keys(one.stringData ?? {})]),
)

/** The OpenAPI schemas of Kubernetes, with every field that they do not name refused. */
function validate(
  manifests: readonly Manifest[],
  version: string,
): { status: number | null; output: string } {
  const input = manifests.map((manifest) => JSON.stringify(manifest)).join('\n---\n')
  const args = ['-W', 'ignore', '-m', 'kubernetes_validate', '--strict', '--kubernetes-version', version, '-']
  const { status, stdout, stderr } = spawnSync(PYTHON, args, { input, encoding: 'utf8' })
  return { status, output: `${stdout}${stderr}` }
}

const isOurs = ({ kind }: Manifest) => !(kind in CUSTOM_RESOURCES)

test.each(
  Object.entries(WHOLE).flatMap(([what, manifests]) =>
    VERSIONS.map((version) => [what, version, manifests] as const),
  ),
)('%s is what Kubernetes %s takes', (_what, version, manifests) => {
  const builtIn = manifests.filter(isOurs)

  const { status, output } = validate(builtIn, version)

  expect({ status, output }).toEqual({ status: 0, output: expect.not.stringMatching(/WARN|ERROR/) as string })
  expect(output.match(/ passed for resource /g) ?? []).toHaveLength(builtIn.length)
})

test.each([
  ['a field that is misspelt', { spec: { repliacs: 2 } }],
  ['a value of another type', { spec: { replicas: 'two' } }],
])('the check finds %s', (_what, { spec }) => {
  const deployment = sent.find(({ kind }) => kind === 'Deployment') as Manifest
  const wrong = { ...deployment, spec: { ...(deployment.spec as object), ...spec } }

  expect(validate([wrong], '1.37').status).toBe(1)
})

test.each(everything.filter((one) => !isOurs(one)).map((one) => [one.kind, one.metadata.name, one] as const))(
  '%s %s has the fields that its operator reads',
  (kind, _name, manifest) => {
    expect(CUSTOM_RESOURCES[kind]?.safeParse(manifest).error?.message).toBeUndefined()
  },
)

test('every file is YAML, is used by a kustomization or is an example, and is not used twice', () => {
  const kustomizations = files().filter((file) => file.endsWith('kustomization.yaml'))
  const used = kustomizations.flatMap((file) => {
    const { resources = [], components = [], patches = [] } = kustomizationOf(dirname(file))
    return [...resources, ...components, ...patches.map(({ path }) => path)]
      .filter((entry) => entry.endsWith('.yaml'))
      .map((entry) => normalize(join(dirname(file), entry)))
  })

  for (const file of files()) expect(read(file).length).toBeGreaterThan(0)
  const examples = files().filter((file) => file.startsWith('examples/'))
  expect([...used, ...examples, ...kustomizations].toSorted()).toEqual(files().toSorted())
})

test('no two objects have the same kind and name', () => {
  const names = [...sent, ...WHOLE.examples].map(({ kind, metadata }) => `${kind}/${metadata.name}`)
  expect(new Set(names).size).toBe(names.length)
})

test('everything lies in one namespace, which is made, and the examples name it', () => {
  const namespaces = sent.filter(({ kind }) => kind === 'Namespace').map(({ metadata }) => metadata.name)
  const used = [...sent, ...WHOLE.examples]
    .filter(({ kind }) => kind !== 'Namespace')
    .map(({ metadata }) => metadata.namespace)

  expect([...new Set(used)]).toEqual(namespaces)
})

test('no secret is sent, and the examples hold none', () => {
  expect(sent.filter(({ kind }) => kind === 'Secret')).toEqual([])
  for (const { kind, data, stringData } of WHOLE.examples.filter((one) => one.kind === 'Secret'))
    expect({ kind, data, values: new Set(Object.values(stringData ?? {})) }).toEqual({
      kind,
      data: undefined,
      values: new Set(['CHANGE-ME']),
    })
})

test('what should be secret comes from a Secret, and is not written into a variable or a ConfigMap', () => {
  const isSecret = (name: string) => /KEYS?$|SECRET|PASSWORD|TOKEN|AUTH$|_ID$/.test(name)
  const variables = workloads(sent).flatMap((one) => onlyContainer(one).env ?? [])
  const written = [
    ...variables.flatMap(({ name, value }) => (value === undefined ? [] : [name])),
    ...sent.filter(({ kind }) => kind === 'ConfigMap').flatMap(({ data }) => Object.keys(data ?? {})),
  ]

  expect(variables.some(({ name }) => isSecret(name))).toBe(true)
  expect(written.filter(isSecret)).toEqual([])
  // A password in a URL is a reference, not a word.
  expect(variables.filter(({ value }) => /:\/\/[^/]*:(?!\$\()[^/]*@/.test(value ?? ''))).toEqual([])
})

test('every Secret that something needs is among the examples, with that key', () => {
  const ofVariables = workloads(sent).flatMap((one) =>
    (onlyContainer(one).env ?? []).flatMap(({ valueFrom }) => valueFrom?.secretKeyRef ?? []),
  )
  const ofVolumes = workloads(sent).flatMap((one) =>
    (one.spec.template.spec.volumes ?? []).flatMap(({ secret }) => secret?.secretName ?? []),
  )
  const ofOperators = JSON.stringify(sent.filter((one) => !isOurs(one)))
  const needed = [...ofOperators.matchAll(/"name":"([\w-]+)","key":"([\w-]+)"/g)].map(([, name, key]) => ({
    name: name ?? '',
    key: key ?? '',
  }))

  for (const { name, key } of [...ofVariables, ...needed])
    expect({ name, keys: secretKeys.get(name) }).toEqual({
      name,
      keys: expect.arrayContaining([key]) as string[],
    })
  expect(ofVolumes.filter((name) => !secretKeys.has(name))).toEqual([])
  const used = new Set([
    ...ofVariables.map(({ name }) => name),
    ...needed.map(({ name }) => name),
    ...ofVolumes,
  ])
  expect([...secretKeys.keys()].filter((name) => !used.has(name))).toEqual([])
})

test('every selector means pods that are there', () => {
  const labels = workloads(sent).map(({ spec }) => spec.template.metadata.labels)
  const selectors = sent.flatMap(({ kind, metadata, spec }) => {
    const { selector, podSelector } = (spec ?? {}) as Record<
      string,
      Parameters<typeof selects>[0] | undefined
    >
    return (selector ?? podSelector) === undefined
      ? []
      : [{ what: `${kind} ${metadata.name}`, selector: selector ?? podSelector ?? {} }]
  })

  expect(selectors.length).toBeGreaterThan(8)
  for (const { what, selector } of selectors)
    expect({ what, means: labels.filter((one) => selects(selector, one)).length }).not.toEqual({
      what,
      means: 0,
    })
  for (const { metadata, spec } of workloads(sent))
    expect({ name: metadata.name, means: labels.filter((one) => selects(spec.selector, one)) }).toEqual({
      name: metadata.name,
      means: [spec.template.metadata.labels],
    })
})

test('ports by name are ports of the pods that are meant', () => {
  const spoken = sent
    .filter(({ kind }) => kind === 'Service')
    .flatMap(({ spec }) => {
      const { selector, ports } = spec as {
        selector: Record<string, string>
        ports: readonly { targetPort: string }[]
      }
      return ports.map(({ targetPort }) => ({ selector, port: targetPort }))
    })

  for (const { selector, port } of spoken) {
    const pods = workloads(sent).filter(({ spec }) => selects(selector, spec.template.metadata.labels))
    expect(pods.map((one) => onlyContainer(one).ports?.map(({ name }) => name))).toEqual([[port]])
  }
})

test('the image is of this version', () => {
  const images = new Set(
    workloads(sent)
      .map((one) => onlyContainer(one).image)
      .filter((image) => image.startsWith('hviske')),
  )
  expect([...images]).toEqual([`hviske-api:${packageJson.version}`])
})

const hasKubectl = spawnSync('kubectl', ['version', '--client']).status === 0
const WITHOUT_KUBECTL = hasKubectl ? '' : ' (skipped: there is no kubectl)'

test.skipIf(!hasKubectl).each(['overlays/cpu', 'overlays/gpu'] as const)(
  `kubectl makes of %s what these tests look at${WITHOUT_KUBECTL}`,
  (overlay) => {
    const { stdout, stderr, status } = spawnSync('kubectl', ['kustomize', overlay], {
      cwd: MANIFESTS,
      encoding: 'utf8',
    })
    const key = ({ kind, metadata }: Manifest) => `${kind}/${metadata.name}`
    const sorted = (manifests: readonly Manifest[]) =>
      Object.fromEntries(manifests.map((one) => [key(one), one]))
    const made = parseAllDocuments(stdout).map((document) => {
      const manifest = document.toJS() as Manifest & { metadata: { labels?: Record<string, string> } }
      const { labels: { 'app.kubernetes.io/part-of': _ours, ...labels } = {}, ...metadata } =
        manifest.metadata
      return {
        ...manifest,
        metadata: { ...metadata, ...(Object.keys(labels).length > 0 && { labels }) },
      } as Manifest
    })

    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    const ofUs = sorted(WHOLE[overlay])
    for (const manifest of made) expect(byName(manifest)).toEqual(byName(ofUs[key(manifest)]))
    expect(made).toHaveLength(WHOLE[overlay].length)
  },
)

/** A merged list is in another order there. */
function byName(value: unknown): unknown {
  if (Array.isArray(value))
    return value.map(byName).toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([key, inner]) => [key, byName(inner)]),
  )
}
