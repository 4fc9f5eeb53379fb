// A secret in a file, as containers are given them, is the setting; what cannot be read is said, and no secret is repeated.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { readConfig } from '../src/config.ts'

async function fileWith(text: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'secret-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const path = join(directory, 'secret')
  await writeFile(path, text)
  return path
}

type Config = ReturnType<typeof readConfig>

test.each([
  ['QUEUE_URL', 'redis://:hush@queue:6379', ({ queueUrl }: Config) => queueUrl],
  ['AWS_ACCESS_KEY_ID', 'hviske', ({ s3 }: Config) => s3.accessKeyId],
  ['AWS_SECRET_ACCESS_KEY', 'hush', ({ s3 }: Config) => s3.secretAccessKey],
  ['WEBHOOK_SECRET', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', ({ webhookSecret }: Config) => webhookSecret],
  ['LLM_API_KEY', 'hush', ({ languageModel }: Config) => languageModel?.apiKey],
])('%s may lie in a file, whose last newline is none of it', async (name, secret, valueIn) => {
  const forLlm = { LLM_URL: 'http://llm/v1', LLM_MODEL: 'small' }

  const config = readConfig({ [`${name}_FILE`]: await fileWith(`${secret}\n`), ...forLlm })

  expect(valueIn(config)).toBe(secret)
})

test('what the environment says itself goes before its file, which is not even looked at', () => {
  const config = readConfig({ AWS_ACCESS_KEY_ID: 'said', AWS_ACCESS_KEY_ID_FILE: '/nowhere' })

  expect(config.s3.accessKeyId).toBe('said')
})

test('a file that is not there, and one that is empty, are problems like a setting that is wrong', async () => {
  const environment = {
    AWS_SECRET_ACCESS_KEY_FILE: await fileWith('\n'),
    LLM_API_KEY_FILE: '/nowhere',
    PORT: 'x',
  }

  expect(() => readConfig(environment)).toThrow(
    /AWS_SECRET_ACCESS_KEY_FILE=.*: the file is empty\n.*LLM_API_KEY_FILE=\/nowhere: ENOENT[^]*PORT=x: /,
  )
})

test('a secret that is wrong is not repeated', () => {
  expect(() => readConfig({ WEBHOOK_SECRET: 'whsec_hush' })).toThrow(/^(?!.*hush)[^]*WEBHOOK_SECRET=…: /)
})
