/**
 * Bull Board: the lines of tickets of the distributed jobs, to look at. It only shows: a ticket that is removed or tried
 * again there would come back or be dropped, since the record beside it is the truth; our own page and API do those things.
 * Its files are the package's own, and nothing is loaded from elsewhere.
 */
import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { HonoAdapter } from '@bull-board/hono'
import { serveStatic } from '@hono/node-server/serve-static'
import type { Queue } from 'bullmq'
import { Hono, type MiddlewareHandler } from 'hono'
import { secureHeaders } from 'hono/secure-headers'
import type { HttpEnv } from '../parts.ts'

const BULL_BOARD_PATH = '/admin/bull'

/** Its styles are set from script, and its base address is told in the page. */
const POLICY = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'", "'unsafe-inline'"],
  imgSrc: ["'self'", 'data:'],
  fontSrc: ["'self'", 'data:'],
  connectSrc: ["'self'"],
  baseUri: ["'self'"],
  formAction: ["'none'"],
  frameAncestors: ["'none'"],
}

/** A typeface from a server of somebody else's; the page names others that every browser has. */
const FOREIGN_LINK = /<link[^>]+href="https?:\/\/[^>]*>/g

type Routes = Parameters<HonoAdapter['setApiRoutes']>[0]

/** What changes anything is not there at all. */
class ShowingAdapter extends HonoAdapter {
  override setApiRoutes(routes: Routes): this {
    return super.setApiRoutes(routes.filter(({ method }) => method === 'get'))
  }
}

/** To be mounted at the root, behind the key of whoever may administrate. */
export function bullBoardRoutes(queues: readonly Queue[]): Hono<HttpEnv> {
  const adapter = new ShowingAdapter(serveStatic).setBasePath(BULL_BOARD_PATH)
  createBullBoard({
    queues: queues.map((queue) => new BullMQAdapter(queue, { readOnlyMode: true, allowRetries: false })),
    serverAdapter: adapter,
    // Our workers hold no blocking connection, so the list of clients by which it would find them is empty.
    options: { uiConfig: { boardTitle: 'hviske-api', hideDocsLink: true, showWorkers: false } },
  })
  const headers = secureHeaders({ contentSecurityPolicy: POLICY, strictTransportSecurity: false })
  return new Hono<HttpEnv>()
    .use(`${BULL_BOARD_PATH}/*`, headers, withoutForeignLinks)
    .route(BULL_BOARD_PATH, adapter.registerPlugin() as unknown as Hono<HttpEnv>)
}

const withoutForeignLinks: MiddlewareHandler<HttpEnv> = async (c, next) => {
  await next()
  if (c.res.headers.get('content-type')?.startsWith('text/html') !== true) return
  const page = await c.res.text()
  c.res = new Response(page.replace(FOREIGN_LINK, ''), c.res)
}

/**
 * A browser that opens a page can send a key only as the password of HTTP's Basic scheme, and sends it when it has been
 * asked. It then also sends it when another site makes it ask, so this is for these paths alone, which change nothing.
 * To be mounted before keys are asked for.
 */
export const bullBoardKey: MiddlewareHandler<HttpEnv> = async (c, next) => {
  const { path } = c.req
  if (path !== BULL_BOARD_PATH && !path.startsWith(`${BULL_BOARD_PATH}/`)) return await next()
  const basic = /^basic +(\S+) *$/i.exec(c.req.header('authorization') ?? '')?.[1]
  if (basic !== undefined) {
    const [, password = ''] = /^[^:]*:(.*)$/s.exec(Buffer.from(basic, 'base64').toString()) ?? []
    const request = new Request(c.req.raw)
    request.headers.set('x-api-key', password)
    c.req.raw = request
  }
  await next()
  if (c.res.status === 401)
    c.header('www-authenticate', 'Basic realm="hviske-api: an API key as the password"')
}
