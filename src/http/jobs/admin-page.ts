/**
 * `GET /admin/queue`: a page for whoever runs the server. It holds no facts, so it is open; its script asks for a key, keeps it as
 * long as the tab lives, and reads and changes jobs with it through `/v1/jobs`, as anybody could.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RouteConfig } from '@hono/zod-openapi'
import { Hono } from 'hono'
import type { HttpEnv } from '../parts.ts'

/** Nothing comes from elsewhere, and nothing within the page is a script: a file's name that is written like one stays text. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>hviske-api: jobs</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/admin/queue/page.css">
</head>
<body>
<header>
<h1>Jobs</h1>
<form id="door">
<label>API key <input id="key" type="password" autocomplete="off" spellcheck="false"></label>
<button>Open</button>
<button id="leave" type="button">Forget the key</button>
</form>
</header>
<p id="notice" role="status">Loading…</p>
<main hidden>
<table id="counts"><thead></thead><tbody></tbody></table>
<p>
<label>Show <select id="state">
<option value="">all</option>
<option value="pending,processing">pending and processing</option>
<option value="completed">completed</option>
<option value="failed">failed</option>
<option value="cancelled">cancelled</option>
</select></label>
<button id="clear" type="button">Clear ended jobs</button>
</p>
<table id="jobs">
<thead><tr><th>Job</th><th>File</th><th>Owner</th><th>Lane</th><th>Status</th><th>Age</th><th>Progress</th><th>Attempts</th><th>Actions</th></tr></thead>
<tbody></tbody>
</table>
<button id="more" type="button" hidden>Older jobs</button>
</main>
<noscript><p>This page needs JavaScript; GET /v1/jobs?all=true tells the same.</p></noscript>
<script src="/admin/queue/page.js"></script>
</body>
</html>
`

const ASSETS = { 'page.js': 'text/javascript; charset=utf-8', 'page.css': 'text/css; charset=utf-8' }

export function adminRoutes(): Hono<HttpEnv> {
  const routes = new Hono<HttpEnv>()
  routes.get('/admin/queue', (c) => c.html(PAGE, 200, { 'content-security-policy': POLICY }))
  for (const [name, contentType] of Object.entries(ASSETS)) {
    routes.get(`/admin/queue/${name}`, async (c) => {
      const bytes = await readFile(join(import.meta.dirname, 'admin', name))
      return c.body(bytes, 200, { 'content-type': contentType, 'cache-control': 'no-cache' })
    })
  }
  return routes
}

export const ADMIN_PATHS: readonly RouteConfig[] = [
  {
    method: 'get',
    path: '/admin/queue',
    summary: 'Jobs, for whoever runs the server: look at them, cancel, try again, clear',
    description: 'The page itself is open; what it shows needs a key with the scope `admin`.',
    tags: ['Server'],
    responses: {
      200: {
        description: 'A page that needs nothing from outside',
        content: { 'text/html': { schema: { type: 'string' } } },
      },
    },
  },
]
