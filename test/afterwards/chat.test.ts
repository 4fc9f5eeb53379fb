// The two dialects against a small stand-in on a real port.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { afterEach, expect, test } from 'vitest'
import { type ChatSettings, chatModel } from '../../src/afterwards/chat.ts'

const NEVER = new AbortController().signal
const QUESTION = { instructions: 'Correct it.', text: 'rød grød' }

interface Asked {
  readonly path: string | undefined
  readonly authorization: string | undefined
  readonly body: Record<string, unknown>
}

let server: Server | undefined
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

/** Answers everything so; undefined: not at all. */
async function standIn(status: number, answer: object | undefined, asked: Asked[] = []): Promise<string> {
  const started = createServer((request: IncomingMessage, response) => {
    void json(request).then((body) => {
      const { url: path, headers } = request
      asked.push({ path, authorization: headers.authorization, body: body as Asked['body'] })
      if (answer !== undefined) response.writeHead(status, { location: '/x' }).end(JSON.stringify(answer))
    })
  })
  server = started
  started.listen(0, '127.0.0.1')
  await once(started, 'listening')
  return `http://127.0.0.1:${(started.address() as AddressInfo).port}`
}

function settings(url: string, dialect: ChatSettings['dialect']): ChatSettings {
  return { dialect, url, model: 'm', deadlineMs: 30_000 }
}

test('Ollama is asked in its own words, with room for the text', async () => {
  const asked: Asked[] = []
  const url = await standIn(
    200,
    { message: { role: 'assistant', content: 'rødgrød' }, done_reason: 'stop' },
    asked,
  )

  expect(await chatModel(settings(url, 'ollama')).ask(QUESTION, NEVER)).toBe('rødgrød')
  expect(asked).toMatchObject([
    {
      path: '/api/chat',
      body: { model: 'm', stream: false, messages: [{ role: 'system' }, { content: 'rød grød' }] },
    },
  ])
  expect(asked[0]?.body['options']).toMatchObject({ temperature: 0, num_ctx: 1038 })
})

test("OpenAI's chat completions are asked with the key", async () => {
  const asked: Asked[] = []
  const url = await standIn(
    200,
    { choices: [{ message: { content: 'rødgrød' }, finish_reason: 'stop' }] },
    asked,
  )
  const model = chatModel({ ...settings(`${url}/v1/`, 'openai'), apiKey: 'sk-secret' })

  expect(await model.ask(QUESTION, NEVER)).toBe('rødgrød')
  expect(asked).toMatchObject([{ path: '/v1/chat/completions', authorization: 'Bearer sk-secret' }])
})

test.each([
  ['an error', 500, { error: 'sk-secret' }, /status 500/],
  ['another shape', 200, { hello: 1 }, /./],
  ['half an answer', 200, { message: { content: 'rød' }, done_reason: 'length' }, /come to an end/],
  ['a way to another address', 307, {}, /./],
])('%s is no answer, and nothing of it is repeated', async (_what, status, answer, message) => {
  const asked: Asked[] = []
  const url = await standIn(status, answer, asked)

  const error: unknown = await chatModel(settings(url, 'ollama'))
    .ask(QUESTION, NEVER)
    .catch((thrown: unknown) => thrown)

  expect(error).toBeInstanceOf(Error)
  expect(String(error)).toMatch(message)
  expect(String(error)).not.toContain('secret')
  expect(asked).toHaveLength(1)
})

test('a model that says nothing is not waited for for ever', async () => {
  const url = await standIn(200, undefined)

  const asking = chatModel({ ...settings(url, 'openai'), deadlineMs: 50 }).ask(QUESTION, NEVER)

  await expect(asking).rejects.toMatchObject({ name: 'TimeoutError' })
})
