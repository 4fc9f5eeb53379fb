import { expect, test } from 'vitest'
import { keyed, startJobs } from './job-server.ts'

test('the operator’s page needs no key, holds nothing, and nothing from elsewhere', async () => {
  await using server = await startJobs({}, { keys: ['sk-admin'] })
  await server.newJob({}, keyed('sk-admin'))

  const response = await server.request('/admin/queue')
  const page = await response.text()

  expect(response.status).toBe(200)
  expect(response.headers.get('content-security-policy')).toMatch(
    /^default-src 'none'; script-src 'self'; .*frame-ancestors 'none'$/,
  )
  expect(page).not.toContain('møde.wav')
  expect(page).not.toMatch(/<script(?![^>]*\ssrc=)[^>]*>|\son\w+=|style=/)
  const addresses = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address]) => address ?? '')
  expect(addresses.toSorted()).toEqual(['/admin/queue/page.css', '/admin/queue/page.js', 'data:,'])
})

test.each([
  ['/admin/queue/page.js', 'text/javascript; charset=utf-8'],
  ['/admin/queue/page.css', 'text/css; charset=utf-8'],
])('%s is served without a key', async (path, type) => {
  await using server = await startJobs({}, { keys: ['sk-admin'] })

  const response = await server.request(path)

  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe(type)
  expect(response.headers.get('x-content-type-options')).toBe('nosniff')
})

test.each(['/admin', '/admin/queue/../../etc/passwd', '/admin/queues'])('%s is not open', async (path) => {
  await using server = await startJobs({}, { keys: ['sk-admin'] })

  expect((await server.request(path)).status).toBeGreaterThanOrEqual(400)
  expect((await server.request('/admin/queues')).status).toBe(401)
})
