/**
 * What `kubectl apply -k` would send, of an overlay in deploy/kubernetes: as much of kustomize as these files use, which is
 * resources, components, a namespace and patches that are merged. Where there is a kubectl, a test compares the two.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'

export const MANIFESTS = join(import.meta.dirname, '..', '..', 'deploy', 'kubernetes')

interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string }
  readonly periodSeconds?: number
  readonly timeoutSeconds?: number
  readonly failureThreshold?: number
}
interface Variable {
  readonly name: string
  readonly value?: string
  readonly valueFrom?: {
    readonly secretKeyRef?: { readonly name: string; readonly key: string; readonly optional?: boolean }
  }
}
export interface Container {
  readonly name: string
  readonly image: string
  readonly args?: readonly string[]
  readonly env?: readonly Variable[]
  readonly envFrom?: readonly { readonly configMapRef: { readonly name: string } }[]
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[]
  readonly startupProbe?: Probe
  readonly readinessProbe?: Probe
  readonly livenessProbe?: Probe
  readonly resources?: Readonly<Record<'requests' | 'limits', Readonly<Record<string, string | number>>>>
  readonly securityContext?: Readonly<Record<string, unknown>>
  readonly volumeMounts?: readonly {
    readonly name: string
    readonly mountPath: string
    readonly readOnly?: boolean
  }[]
}
export interface Pod {
  readonly terminationGracePeriodSeconds?: number
  readonly automountServiceAccountToken?: boolean
  readonly enableServiceLinks?: boolean
  readonly nodeSelector?: Readonly<Record<string, string>>
  readonly tolerations?: readonly Readonly<Record<string, string>>[]
  readonly securityContext?: Readonly<Record<string, unknown>>
  readonly containers: readonly Container[]
  readonly volumes?: readonly {
    readonly name: string
    readonly emptyDir?: { readonly sizeLimit: string }
    readonly secret?: { readonly secretName: string }
    readonly configMap?: { readonly name: string }
    readonly persistentVolumeClaim?: { readonly claimName: string }
  }[]
}
interface Selector {
  readonly matchLabels?: Readonly<Record<string, string>>
  readonly matchExpressions?: readonly { readonly key: string; readonly values: readonly string[] }[]
}
export interface Workload extends Manifest {
  readonly spec: {
    readonly selector: Selector
    readonly replicas?: number
    readonly progressDeadlineSeconds?: number
    readonly strategy?: { readonly rollingUpdate: { readonly maxSurge: number } }
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> }
      readonly spec: Pod
    }
    readonly volumeClaimTemplates?: readonly Manifest[]
  }
}
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec?: unknown
  readonly data?: Readonly<Record<string, string>>
  readonly stringData?: Readonly<Record<string, string>>
}
export interface Kustomization {
  readonly namespace?: string
  readonly resources?: readonly string[]
  readonly components?: readonly string[]
  readonly patches?: readonly { readonly path: string }[]
}

/** The documents of a file. @throws Error when it is not YAML 1.2, or a key is there twice */
export function read(file: string): Manifest[] {
  return parseAllDocuments(readFileSync(join(MANIFESTS, file), 'utf8')).map((document) => {
    const [problem] = [...document.errors, ...document.warnings]
    if (problem !== undefined) throw problem
    return document.toJS() as Manifest
  })
}

export function kustomizationOf(directory: string): Kustomization {
  return read(join(directory, 'kustomization.yaml'))[0] as unknown as Kustomization
}

/** Every YAML file, from the directory of the manifests. */
export function files(): string[] {
  return readdirSync(MANIFESTS, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.yaml'),
  )
}

export function rendered(directory: string): Manifest[] {
  const { namespace, resources = [], components = [], patches = [] } = kustomizationOf(directory)
  const found = [...resources, ...components].flatMap((entry) => {
    const path = join(directory, entry)
    return path.endsWith('.yaml') ? read(path) : rendered(path)
  })
  for (const { path } of patches) {
    for (const patch of read(join(directory, path))) {
      const at = found.findIndex(
        (one) => one.kind === patch.kind && one.metadata.name === patch.metadata.name,
      )
      if (at < 0) throw new Error(`${path} patches ${patch.kind} ${patch.metadata.name}, which is not there`)
      found[at] = merged(found[at], patch) as Manifest
    }
  }
  return namespace === undefined ? found : found.map((one) => inNamespace(one, namespace))
}

function inNamespace(manifest: Manifest, namespace: string): Manifest {
  if (manifest.kind === 'Namespace') return manifest
  return { ...manifest, metadata: { ...manifest.metadata, namespace } }
}

/** Lists whose entries have names are merged by them, as Kubernetes says of containers and variables; others are replaced. */
function merged(base: unknown, patch: unknown): unknown {
  if (Array.isArray(base) && Array.isArray(patch) && isNamed(base) && isNamed(patch)) {
    const rest = patch.filter(({ name }) => !base.some((one) => one.name === name))
    return [...base.map((one) => merged(one, patch.find(({ name }) => name === one.name) ?? {})), ...rest]
  }
  if (!isRecord(base) || !isRecord(patch)) return patch
  const result: Record<string, unknown> = { ...base }
  for (const [key, value] of Object.entries(patch))
    result[key] = key in base ? merged(base[key], value) : value
  return result
}

function isNamed(list: unknown[]): list is { name: string }[] {
  return list.every((one) => isRecord(one) && typeof one['name'] === 'string')
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function workloads(manifests: readonly Manifest[]): Workload[] {
  return manifests.filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet') as Workload[]
}

export function named<Kind extends Manifest = Manifest>(
  manifests: readonly Manifest[],
  kind: string,
  name: string,
): Kind {
  const found = manifests.find((one) => one.kind === kind && one.metadata.name === name)
  if (found === undefined) throw new Error(`there is no ${kind} ${name}`)
  return found as Kind
}

export function onlyContainer({ spec }: Workload): Container {
  const [container, ...more] = spec.template.spec.containers
  if (container === undefined || more.length > 0) throw new Error('not one container')
  return container
}

/** Bytes of `20Gi`, `64Mi`. */
export function bytesOf(quantity: string | number): number {
  const [, digits, unit] = /^(\d+)(Ki|Mi|Gi)?$/.exec(String(quantity)) ?? []
  if (digits === undefined) throw new Error(`${quantity} is no number of bytes that is read here`)
  return Number(digits) * 1024 ** ['', 'Ki', 'Mi', 'Gi'].indexOf(unit ?? '')
}

/** Whether a selector means pods with these labels. */
export function selects(
  selector: Selector | Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>>,
): boolean {
  const whole = selector as Selector
  const isWhole =
    whole.matchLabels !== undefined ||
    whole.matchExpressions !== undefined ||
    Object.keys(selector).length === 0
  const equal = Object.entries(isWhole ? (whole.matchLabels ?? {}) : (selector as Record<string, string>))
  const among = isWhole ? (whole.matchExpressions ?? []) : []
  return (
    equal.every(([key, value]) => labels[key] === value) &&
    among.every(({ key, values }) => values.includes(labels[key] ?? ''))
  )
}
