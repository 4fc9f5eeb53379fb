/** The operator's page in a real browser, under the policy that it is served with, over the whole app on fakes. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createHttpServer } from '../../src/http/listener.ts'
import { keyed, startJobs } from '../http/jobs/job-server.ts'
import { begin, complete, windowOf } from '../jobs/working.ts'
import { findBrowser, startBrowser } from './browser.ts'

const KEY = 'sk-the-right-one'
const installed = await findBrowser()
if (installed === undefined) console.warn('no browser here: install Chromium to see the page of jobs tested')

async function startPage() {
  const jobs = await startJobs({}, { keys: [KEY] })
  const server = createHttpServer(jobs.app.fetch, jobs.parts.log)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    ...jobs,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    newJob: (name: string) => {
      const body = new FormData()
      body.append('file', new File(['audio'], name))
      return jobs.newJob({}, { body, ...keyed(KEY) })
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await jobs[Symbol.asyncDispose]()
    },
  }
}

describe.skipIf(installed === undefined)('in a browser', () => {
  let browser: Browser
  let server: Awaited<ReturnType<typeof startPage>>
  let page: Page
  let complaints: string[]
  beforeAll(async () => {
    browser = await startBrowser(installed ?? expect.unreachable())
  })
  beforeEach(async () => {
    server = await startPage()
    page = await browser.newPage()
    complaints = []
    page.on('console', (message) => {
      // What a request was refused with is told by the page; browsers write it down, too.
      if (message.type() === 'error' && !message.text().includes('401')) complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(String(error)))
    page.on('request', (request) => {
      if (!request.url().startsWith(server.url) && !request.url().startsWith('data:'))
        complaints.push(`asked for ${request.url()}`)
    })
    page.on('dialog', (dialog) => void dialog.accept())
  })
  afterEach(async () => {
    await page.close()
    await server[Symbol.asyncDispose]()
    assert.deepEqual(complaints, [])
  })
  afterAll(async () => {
    await browser.close()
  })

  async function open() {
    await page.goto(`${server.url}/admin/queue`)
    await page.getByLabel('API key').fill(KEY)
    await page.getByRole('button', { name: 'Open' }).click()
    await page.locator('main').waitFor()
  }

  const lineOf = (id: string) => page.locator(`tr[data-job="${id}"]`)

  test('without a good key the page shows nothing and says why', async () => {
    await server.newJob('hemmelig.wav')
    await page.goto(`${server.url}/admin/queue`)
    await page.getByText('This server asks for an API key').waitFor()
    await page.getByLabel('API key').fill('sk-wrong')
    await page.getByRole('button', { name: 'Open' }).click()
    await page.getByText('not one of those that this server knows').waitFor()

    expect(await page.locator('main').isVisible()).toBe(false)
    expect(await page.content()).not.toContain('hemmelig')
  })

  test('jobs are shown with file, status and progress, and change while one looks', async () => {
    const { id } = await server.newJob('<b>møde.wav')
    await open()
    await lineOf(id).getByText('pending').waitFor()
    expect(await lineOf(id).innerText()).toContain('<b>møde.wav')

    const lease = await begin(server.jobQueue)
    await lease.finishedWindow(windowOf(0, ' Toget'))

    await lineOf(id).getByText('processing').waitFor()
    await lineOf(id).getByText('25 %').waitFor()
    await page.locator('#counts').getByText('0 waiting').waitFor()
    await lease.release()
  })

  test('a job is tried again, cancelled and deleted by its buttons', async () => {
    const { id } = await server.newJob('a.wav')
    await (await begin(server.jobQueue)).fail({ code: 'engine_crashed', message: 'Crashed.', param: null })
    await open()
    await lineOf(id).getByRole('button', { name: 'Retry' }).click()
    await lineOf(id).getByText('pending').waitFor()
    await lineOf(id).getByRole('button', { name: 'Cancel' }).click()
    await lineOf(id).getByText('cancelled').waitFor()
    await lineOf(id).getByRole('button', { name: 'Delete' }).click()
    await lineOf(id).waitFor({ state: 'detached' })

    expect(await server.jobQueue.find(id)).toBeUndefined()
  })

  test('ended jobs are cleared, and the others stay', async () => {
    const done = await server.newJob('a.wav')
    await complete(await begin(server.jobQueue), server.blobs)
    const waits = await server.newJob('b.wav')
    await open()
    await page.getByRole('button', { name: 'Clear ended jobs' }).click()
    await lineOf(done.id).waitFor({ state: 'detached' })

    expect(await lineOf(waits.id).isVisible()).toBe(true)
    expect([...server.blobs.kept.keys()]).toEqual([`jobs/${waits.id}/audio`])
  })

  test('older jobs are shown when they are asked for', async () => {
    const ids: string[] = []
    for (let n = 0; n < 60; n++) ids.push((await server.newJob(`${n}.wav`)).id)
    await open()
    expect(await page.locator('#jobs tbody tr').count()).toBe(50)
    await page.getByRole('button', { name: 'Older jobs' }).click()

    await lineOf(ids[0] ?? '').waitFor()
    expect(await page.locator('#jobs tbody tr').count()).toBe(60)
  })

  test('the key is forgotten when one says so, and with the tab', async () => {
    await open()
    expect(await page.evaluate('sessionStorage.length + localStorage.length')).toBe(1)
    await page.getByRole('button', { name: 'Forget the key' }).click()
    await page.getByText('This server asks for an API key').waitFor()

    expect(await page.evaluate('sessionStorage.length')).toBe(0)
    expect(await page.context().cookies()).toEqual([])
  })
})
