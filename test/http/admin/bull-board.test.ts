// Bull Board over a real queue: it shows the tickets, changes nothing, and asks nobody else for anything.
import { serve } from '@hono/node-server'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bullBoardKey, bullBoardRoutes } from '../../../src/http/admin/bull-board.ts'
import type { HttpEnv } from '../../../src/http/parts.ts'
import { openTicketLines, type TicketLines } from '../../../src/jobs/bullmq/board.ts'
import { findBrowser, startBrowser } from '../../browser/browser.ts'
import { NO_REDIS, type Site, siteOn } from '../../jobs/bullmq/parts.ts'
import { anOrder, claimNow } from '../../jobs/orders.ts'
import { REDIS, type RedisServer, startRedis } from '../../jobs/redis-server.ts'

const installed = REDIS === undefined ? undefined : await findBrowser()

describe.skipIf(REDIS === undefined)(`Bull Board${REDIS ? '' : ` (skipped: ${NO_REDIS})`}`, () => {
  let server: RedisServer
  let site: Site
  let lines: TicketLines
  let app: Hono<HttpEnv>
  beforeAll(async () => {
    server = await startRedis()
    site = siteOn(server)
    const queue = await site.open()
    for (let jobs = 0; jobs < 3; jobs++) await queue.add(anOrder())
    await claimNow(queue)
    lines = openTicketLines({ url: server.url, prefix: site.prefix })
    app = new Hono<HttpEnv>().route('/', bullBoardRoutes(lines.queues))
  })
  afterAll(async () => {
    await lines[Symbol.asyncDispose]()
    await site[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  test('shows how many tickets wait and how many are held', async () => {
    const response = await app.request('/admin/bull/api/queues')

    const { queues } = (await response.json()) as {
      queues: { name: string; counts: object; readOnlyMode: boolean }[]
    }
    expect(queues).toMatchObject([
      { name: 'interactive', readOnlyMode: true, counts: { waiting: 0, active: 0 } },
      { name: 'batch', readOnlyMode: true, counts: { waiting: 2, active: 1 } },
    ])
  })

  test('the page names files of ours only, and they are there', async () => {
    const response = await app.request('/admin/bull')
    const page = await response.text()

    const files = [...page.matchAll(/<(?:script|link)[^>]+(?:src|href)="([^"]+)"/g)].map(
      ([, file = '']) => file,
    )
    expect(files.length).toBeGreaterThan(4)
    for (const file of files) expect((await app.request(`/admin/bull/${file}`)).status).toBe(200)
    expect(page).not.toMatch(/(?:src|href)="(?:https?:)?\/\//)
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'")
  })

  test.each([
    ['PUT', '/api/queues/pause'],
    ['PUT', '/api/queues/batch/pause'],
    ['PUT', '/api/queues/batch/obliterate'],
    ['POST', '/api/queues/batch/add'],
  ])('%s %s is not there', async (method, path) => {
    expect((await app.request(`/admin/bull${path}`, { method })).status).toBe(404)
    expect(await site.redis.llen(`${site.prefix}:batch:wait`)).toBe(2)
  })

  test.skipIf(installed === undefined)(
    'in a browser it draws the lines and asks no other server',
    async () => {
      const listening = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
      await once(listening, 'listening')
      const url = `http://127.0.0.1:${(listening.address() as AddressInfo).port}`
      const browser = await startBrowser(installed as NonNullable<typeof installed>)
      const page = await browser.newPage()
      const complaints: string[] = []
      const isOurs = (asked: string) => asked.startsWith(url) || asked.startsWith('data:')
      page.on('console', (message) =>
        complaints.push(...(message.type() === 'error' ? [message.text()] : [])),
      )
      page.on('pageerror', (error) => complaints.push(String(error)))
      page.on('request', (request) => complaints.push(...(isOurs(request.url()) ? [] : [request.url()])))

      await page.goto(`${url}/admin/bull/queue/batch`)
      await page.getByText('interactive').first().waitFor()

      expect(complaints).toEqual([])
      await browser.close()
      listening.close()
      await once(listening, 'close')
    },
  )
})

describe('its key', () => {
  const app = new Hono<HttpEnv>()
    .use(bullBoardKey)
    .get('*', (c) =>
      c.text(c.req.raw.headers.get('x-api-key') ?? 'none', c.req.query('refused') === '' ? 401 : 200),
    )
  const basic = (text: string) => ({
    headers: { authorization: `Basic ${Buffer.from(text).toString('base64')}` },
  })

  test.each([
    ['/admin/bull', 'sk-right'],
    ['/admin/bull/api/queues', 'sk-right'],
    ['/admin/bullet', 'none'],
    ['/v1/jobs', 'none'],
  ])('the password of a browser is a key for %s: %s', async (path, key) => {
    expect(await (await app.request(path, basic('anybody:sk-right'))).text()).toBe(key)
  })

  test('a browser is asked for it there, and nowhere else', async () => {
    const asked = async (path: string) =>
      (await app.request(`${path}?refused`)).headers.get('www-authenticate')

    expect(await asked('/admin/bull')).toMatch(/^Basic realm="/)
    expect(await asked('/v1/jobs')).toBeNull()
  })
})
