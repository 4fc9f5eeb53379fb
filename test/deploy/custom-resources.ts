/** As much of the schemas of KEDA and of the Prometheus operator as the manifests use: they come with no package. Facts are from their reference pages. */
import { z } from 'zod'

const metadata = z.strictObject({ name: z.string(), namespace: z.string() })
const named = z.strictObject({ name: z.string() })
const whole = z.int().min(0)
const policies = z.array(
  z.strictObject({
    type: z.enum(['Pods', 'Percent']),
    value: whole,
    periodSeconds: z.int().min(1).max(1800),
  }),
)
const direction = z.strictObject({
  stabilizationWindowSeconds: z.int().min(0).max(3600).exactOptional(),
  policies,
})

export const ScaledObject = z.strictObject({
  apiVersion: z.literal('keda.sh/v1alpha1'),
  kind: z.literal('ScaledObject'),
  metadata,
  spec: z.strictObject({
    scaleTargetRef: named,
    minReplicaCount: whole,
    maxReplicaCount: z.int().min(1),
    pollingInterval: z.int().min(1),
    cooldownPeriod: whole,
    fallback: z.strictObject({ failureThreshold: z.int().min(1), replicas: whole }),
    advanced: z.strictObject({
      // `target` and `listLength` are texts: KEDA parses them itself.
      scalingModifiers: z.strictObject({
        formula: z.string(),
        target: z.string().regex(/^\d+$/),
        metricType: z.literal('AverageValue'),
      }),
      horizontalPodAutoscalerConfig: z.strictObject({
        behavior: z.strictObject({ scaleUp: direction, scaleDown: direction }),
      }),
    }),
    triggers: z.array(
      z.strictObject({
        type: z.literal('redis'),
        name: z.string(),
        metadata: z.strictObject({
          address: z.string().regex(/^[^:]+:\d+$/),
          listName: z.string(),
          listLength: z.string().regex(/^\d+$/),
        }),
        authenticationRef: named,
      }),
    ),
  }),
})

const TriggerAuthentication = z.strictObject({
  apiVersion: z.literal('keda.sh/v1alpha1'),
  kind: z.literal('TriggerAuthentication'),
  metadata,
  spec: z.strictObject({
    secretTargetRef: z.array(z.strictObject({ parameter: z.string(), name: z.string(), key: z.string() })),
  }),
})

const PodMonitor = z.strictObject({
  apiVersion: z.literal('monitoring.coreos.com/v1'),
  kind: z.literal('PodMonitor'),
  metadata,
  spec: z.strictObject({
    selector: z.strictObject({ matchLabels: z.record(z.string(), z.string()) }),
    podMetricsEndpoints: z.array(
      z.strictObject({
        port: z.string(),
        path: z.string(),
        authorization: z
          .strictObject({ credentials: z.strictObject({ name: z.string(), key: z.string() }) })
          .exactOptional(),
      }),
    ),
  }),
})

/** Of the kinds that Kubernetes itself does not know. */
export const CUSTOM_RESOURCES: Readonly<Record<string, z.ZodType>> = {
  ScaledObject,
  TriggerAuthentication,
  PodMonitor,
}
