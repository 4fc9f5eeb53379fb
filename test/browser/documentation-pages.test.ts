/** The documentation pages in a real browser, under the policy that they are served with: the try-out transcribes a file. */
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { AUDIO, plainWords, type RunningServer, startServer, truthOf } from '../end-to-end/server.ts'
import { findBrowser, startBrowser } from './browser.ts'

const KEY = 'sk-the-right-one'
const installed = await findBrowser()
if (installed === undefined) {
  console.warn('no browser here: install Chromium to see the documentation pages tested')
}

describe.skipIf(installed === undefined)('in a browser', () => {
  let server: RunningServer
  let browser: Browser
  let page: Page
  /** What the page could not load or do: the policy's refusals are among it. */
  let complaints: string[]
  beforeAll(async () => {
    server = await startServer({ API_KEYS: KEY })
    browser = await startBrowser(installed ?? expect.unreachable())
  })
  beforeEach(async () => {
    page = await browser.newPage()
    complaints = []
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(String(error)))
    page.on('request', (request) => {
      const isOurs = request.url().startsWith(server.url) || /^(?:data|blob):/.test(request.url())
      if (!isOurs) complaints.push(`asked for ${request.url()}`)
    })
  })
  afterAll(async () => {
    await browser.close()
    await server.stop()
  })

  /** Opens an operation, fills in the key once, and makes its fields editable. */
  async function tryOut(path: string) {
    await page.goto(`${server.url}/docs`)
    await page.getByRole('button', { name: 'Authorize' }).click()
    await page.getByLabel('auth-bearer-value').fill(KEY)
    await page.getByRole('button', { name: 'Apply credentials' }).first().click()
    await page.getByRole('button', { name: 'Close' }).first().click()
    const operation = page.locator('.opblock', { has: page.locator(`[data-path="${path}"]`) }).first()
    await operation.locator('.opblock-summary').click()
    await operation.getByRole('button', { name: 'Try it out' }).click()
    return operation
  }

  /** Chooses a recording, executes, and waits for what comes. */
  async function triedOut(path: string) {
    const operation = await tryOut(path)
    await operation.locator('input[type=file]').setInputFiles(join(AUDIO, 'da.wav'))
    await operation.getByRole('button', { name: 'Execute' }).click()
    const answer = operation.locator('.live-responses-table .response')
    await answer.locator('.response-col_status').waitFor()
    return {
      status: await answer.locator('.response-col_status').innerText(),
      body: await answer.locator('.highlight-code').first().innerText(),
      sent: await operation.locator('.curl-command').innerText(),
    }
  }

  test('Swagger UI uploads a recording and shows what is said in it', async () => {
    const { status, body, sent } = await triedOut('/v1/audio/transcriptions')

    expect(status).toContain('200')
    expect(plainWords(body).join(' ')).toContain(plainWords((await truthOf('da')).text).join(' '))
    expect(sent).toContain('file=@da.wav')
    expect(sent).not.toContain('string') // which is what Swagger UI would write into every empty field
    expect(complaints).toEqual([])
  })

  test.each(['/v1/audio/translations', '/transcribe', '/detect-language'])(
    '%s can be tried out',
    async (path) => {
      expect((await triedOut(path)).status).toContain('200')
      expect(complaints).toEqual([])
    },
  )

  test('Redoc shows every operation', async () => {
    await page.goto(`${server.url}/redoc`)
    await page.getByText('/v1/audio/translations').first().waitFor({ state: 'attached' })

    const text = await page.locator('body').innerText()
    for (const name of [
      'Transcribe a recording, as OpenAI does',
      'timestamp_granularities[]',
      'chunking_strategy',
    ]) {
      expect(text).toContain(name)
    }
    expect(complaints.filter((complaint) => !complaint.includes('redoc.ly'))).toEqual([])
  })
})
