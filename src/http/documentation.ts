/**
 * `GET /openapi.json`, `/docs` (Swagger UI, to try out) and `/redoc` (to read). Their scripts come from our own
 * node_modules, and a strict policy keeps the pages from loading anything from elsewhere: the server may stand in a cellar.
 */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { RouteConfig } from '@hono/zod-openapi'
import { Hono } from 'hono'
import { secureHeaders } from 'hono/secure-headers'
import type { HttpEnv } from './parts.ts'

const require = createRequire(import.meta.url)

const CSS = 'text/css; charset=utf-8'
const SCRIPT = 'text/javascript; charset=utf-8'

interface Asset {
  readonly file: string
  readonly contentType: string
}

/** Exactly these files; a directory would also serve what the packages add one day. */
const ASSETS: Readonly<Record<string, Asset>> = {
  '/docs/swagger-ui.css': { file: require.resolve('swagger-ui-dist/swagger-ui.css'), contentType: CSS },
  '/docs/swagger-ui-bundle.js': {
    file: require.resolve('swagger-ui-dist/swagger-ui-bundle.js'),
    contentType: SCRIPT,
  },
  '/docs/favicon.png': {
    file: require.resolve('swagger-ui-dist/favicon-32x32.png'),
    contentType: 'image/png',
  },
  '/redoc/redoc.standalone.js': {
    file: require.resolve('redoc/bundles/redoc.standalone.js'),
    contentType: SCRIPT,
  },
}

/**
 * Swagger UI asks validator.swagger.io about the document unless it is told not to, and sends an invented value for every
 * field that nobody has filled in. A file of its own: the policy forbids inline scripts.
 */
const SWAGGER_START = `const onlyDefaults = ({ fn: { getSampleSchema } }) => ({
  fn: {
    // A field of a form is asked for without a media type.
    getSampleSchema: (schema, mediaType, ...more) =>
      mediaType === false ? (schema.toJS?.() ?? schema).default : getSampleSchema(schema, mediaType, ...more),
  },
})
window.ui = SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  validatorUrl: null,
  plugins: [onlyDefaults],
})
`

const page = (title: string, head: string, body: string) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" type="image/png" href="/docs/favicon.png">
${head}
</head>
<body>
${body}
</body>
</html>
`

const SWAGGER_PAGE = page(
  'hviske-api: try it out',
  '<link rel="stylesheet" href="/docs/swagger-ui.css">',
  `<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>`,
)

/** Redoc shows its maker's logo from a server of theirs; the policy blocks it, the style hides the hole. */
const REDOC_PAGE = page(
  'hviske-api: reference',
  '<style>body { margin: 0 } img[src*="redoc.ly"] { display: none }</style>',
  `<redoc spec-url="/openapi.json"></redoc>
<script src="/redoc/redoc.standalone.js"></script>`,
)

/** Both pages set styles from script; Redoc searches in a worker that it makes from a blob; Swagger UI's icons are data: URLs. */
const POLICY = {
  defaultSrc: ["'self'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'", "'unsafe-inline'"],
  imgSrc: ["'self'", 'data:'],
  workerSrc: ["'self'", 'blob:'],
  connectSrc: ["'self'"],
  objectSrc: ["'none'"],
  baseUri: ["'none'"],
  frameAncestors: ["'none'"],
}

/** `document` gives the finished OpenAPI document. */
export function documentationRoutes(document: () => Promise<object>): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>()
  // Over plain HTTP, as most of us run it, a promise of HTTPS for the years to come would be wrong.
  const headers = secureHeaders({ contentSecurityPolicy: POLICY, strictTransportSecurity: false })
  routes.use('/docs/*', headers).use('/redoc/*', headers)

  routes
    .get('/openapi.json', async (c) => c.json(await document()))
    .get('/docs', (c) => c.html(SWAGGER_PAGE))
    .get('/docs/start.js', (c) => c.body(SWAGGER_START, 200, { 'content-type': SCRIPT }))
    .get('/redoc', (c) => c.html(REDOC_PAGE))
  for (const [path, { file, contentType }] of Object.entries(ASSETS)) {
    routes.get(path, async (c) => {
      const bytes = await readFile(file)
      return c.body(bytes, 200, { 'content-type': contentType, 'cache-control': 'public, max-age=86400' })
    })
  }
  return routes
}

const html = { 'text/html': { schema: { type: 'string' } } } as const

export const DOCUMENTATION_PATHS: readonly RouteConfig[] = [
  {
    method: 'get',
    path: '/openapi.json',
    summary: 'The API as OpenAPI 3.1',
    tags: ['Server'],
    responses: {
      200: { description: 'This document', content: { 'application/json': { schema: { type: 'object' } } } },
    },
  },
  {
    method: 'get',
    path: '/docs',
    summary: 'The API to try out, in Swagger UI',
    tags: ['Server'],
    responses: { 200: { description: 'A page that needs nothing from outside', content: html } },
  },
  {
    method: 'get',
    path: '/redoc',
    summary: 'The API to read, in Redoc',
    tags: ['Server'],
    responses: { 200: { description: 'A page that needs nothing from outside', content: html } },
  },
]
