/** The routes' own descriptions, put together as one OpenAPI 3.1 document. */
import { OpenAPIHono, type RouteConfig } from '@hono/zod-openapi'
import packageJson from '../../package.json' with { type: 'json' }
import type { MetricsAccess } from '../config.ts'
import { isOpen } from './auth.ts'
import { DETECT_LANGUAGE_PATHS } from './detect-language.ts'
import { failures } from './document-parts.ts'
import { DOCUMENTATION_PATHS } from './documentation.ts'
import { ADMIN_PATHS } from './jobs/admin-page.ts'
import { ASYNC_PATHS, JOB_PATHS, TASK_PATHS } from './jobs/job-documents.ts'
import { LB_STATUS_PATHS } from './lb-status.ts'
import { METRICS_PATHS } from './metrics.ts'
import { MODEL_PATHS } from './models.ts'
import { PROBE_PATHS } from './probes.ts'
import { ROOT_PATHS } from './root.ts'
import { TRANSCRIBE_PATHS } from './transcribe.ts'
import { TRANSCRIPTION_PATHS } from './transcriptions.ts'
import { TRANSLATION_PATHS } from './translations.ts'
import { OPENAI_UPLOAD_PATHS } from './uploads/openai-uploads.ts'
import { TUS_PATHS } from './uploads/tus.ts'

const PATHS: readonly RouteConfig[] = [
  ...TRANSCRIPTION_PATHS,
  ...TRANSLATION_PATHS,
  ...TRANSCRIBE_PATHS,
  ...DETECT_LANGUAGE_PATHS,
  ...OPENAI_UPLOAD_PATHS,
  ...TUS_PATHS,
  ...JOB_PATHS,
  ...ASYNC_PATHS,
  ...TASK_PATHS,
  ...ADMIN_PATHS,
  ...MODEL_PATHS,
  ...ROOT_PATHS,
  ...PROBE_PATHS,
  ...LB_STATUS_PATHS,
  ...DOCUMENTATION_PATHS,
]

/** What is switched off is neither served nor described. */
function pathsWith(metrics: MetricsAccess): readonly RouteConfig[] {
  return metrics === 'off' ? PATHS : [...PATHS, ...METRICS_PATHS]
}

/**
 * Only described here, not served: validating a multipart body by its schema, as @hono/zod-openapi's `app.openapi`
 * does, reads it into memory (400 MB cost 2 GB).
 *
 * @param asksForKeys whether this server does; the open paths never do.
 */
export function openApiDocument(asksForKeys = false, metrics: MetricsAccess = 'key') {
  const described = new OpenAPIHono()
  const { openAPIRegistry } = described
  openAPIRegistry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer' })
  openAPIRegistry.registerComponent('securitySchemes', 'apiKey', API_KEY_HEADER)
  const isFree = (path: string) => isOpen(path) || (path === '/metrics' && metrics === 'open')
  for (const path of pathsWith(metrics))
    openAPIRegistry.registerPath(isFree(path.path) ? path : withKey(path, asksForKeys))
  return described.getOpenAPI31Document({
    openapi: '3.1.0',
    info: { title: packageJson.name, version: packageJson.version, description: packageJson.description },
    servers: [{ url: '/' }],
  })
}

const API_KEY_HEADER = { type: 'apiKey', in: 'header', name: 'X-API-Key' } as const
const EITHER_KEY = [{ bearer: [] }, { apiKey: [] }]

/** The empty one says that it also works without: a key that is not needed does no harm. */
function withKey(path: RouteConfig, asksForKeys: boolean): RouteConfig {
  const security = asksForKeys ? EITHER_KEY : [...EITHER_KEY, {}]
  return { ...path, security, responses: { ...path.responses, ...failures(401, 403, 429) } }
}

/** `POST /transcribe` → its summary, for the front page. */
export function endpointSummaries(metrics: MetricsAccess = 'key'): Record<string, string> {
  return Object.fromEntries(
    pathsWith(metrics).map(({ method, path, summary = '' }) => [`${method.toUpperCase()} ${path}`, summary]),
  )
}
