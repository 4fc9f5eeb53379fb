/** The routes' own descriptions, put together as one OpenAPI 3.1 document. */
import { OpenAPIHono, type RouteConfig } from '@hono/zod-openapi'
import packageJson from '../../package.json' with { type: 'json' }
import { DETECT_LANGUAGE_PATHS } from './detect-language.ts'
import { DOCUMENTATION_PATHS } from './documentation.ts'
import { MODEL_PATHS } from './models.ts'
import { ROOT_PATHS } from './root.ts'
import { TRANSCRIBE_PATHS } from './transcribe.ts'
import { TRANSCRIPTION_PATHS } from './transcriptions.ts'

const PATHS: readonly RouteConfig[] = [
  ...TRANSCRIPTION_PATHS,
  ...TRANSCRIBE_PATHS,
  ...DETECT_LANGUAGE_PATHS,
  ...MODEL_PATHS,
  ...ROOT_PATHS,
  ...DOCUMENTATION_PATHS,
]

/**
 * Only described here, not served: validating a multipart body by its schema, as @hono/zod-openapi's `app.openapi`
 * does, reads it into memory (400 MB cost 2 GB).
 */
export function openApiDocument() {
  const described = new OpenAPIHono()
  for (const path of PATHS) described.openAPIRegistry.registerPath(path)
  return described.getOpenAPI31Document({
    openapi: '3.1.0',
    info: { title: packageJson.name, version: packageJson.version, description: packageJson.description },
    servers: [{ url: '/' }],
  })
}

/** `POST /transcribe` → its summary, for the front page. */
export function endpointSummaries(): Record<string, string> {
  return Object.fromEntries(
    PATHS.map(({ method, path, summary = '' }) => [`${method.toUpperCase()} ${path}`, summary]),
  )
}
