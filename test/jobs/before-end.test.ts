// Between a transcript and the end of its job: steps that fail for themselves alone, and the way to the S3 store.
import { expect, test } from 'vitest'
import { beforeEndOf, type BeforeEndParts } from '../../src/jobs/before-end.ts'
import { readAfterwards } from '../../src/jobs/stored-afterwards.ts'
import { createLog } from '../../src/log.ts'
import { obedient, startLanguageModel } from '../afterwards/language-model.ts'
import { FakeBlobs } from './fake-blobs.ts'
import { NEVER, orderOf, WHOLE } from './places.ts'

const ID = '0f3d2c1b-1111-4222-8333-444455556666'

async function end(
  changes: Parameters<typeof orderOf>[1],
  languageModel: BeforeEndParts['languageModel'],
  blobs = new FakeBlobs(),
) {
  const delivered: { path: string; json: unknown; md: string }[] = []
  const beforeEnd = beforeEndOf({
    blobs,
    languageModel,
    log: createLog('silent'),
    deliver: async (path, { json, md }) => {
      delivered.push({ path, json: JSON.parse(json), md })
    },
  })
  await beforeEnd({ order: orderOf(ID, changes), state: 'processing', attempts: 1 }, WHOLE, NEVER)
  return { delivered, stored: await readAfterwards(blobs, ID), blobs }
}

const modelAt = (url: string) => ({ dialect: 'ollama', url, model: 'small', deadlineMs: 30_000 }) as const
const ASKED = { s3Path: 'talks/monday', fileName: 'møde.wav', afterwards: ['paragraphs', 'summary'] }

test('what the steps have made is kept, and travels to the S3 store beside the transcript', async () => {
  await using model = await startLanguageModel(obedient)

  const { delivered, stored } = await end(ASKED, modelAt(model.url))

  expect(stored).toMatchObject({ text: 'Toget\n\nkører klokken otte.', title: 'En titel', model: 'small' })
  expect(delivered).toMatchObject([
    {
      path: 'talks/monday',
      json: { text: WHOLE.text, afterwards: { text: stored?.text, title: 'En titel' } },
      md: expect.stringMatching(
        /^# En titel\n\n- Recording: møde\.wav\n[\s\S]*## As it was heard/,
      ) as unknown,
    },
  ])
})

test.each([500, 401, 302])(
  'a model that answers %i fails its steps, and the rest goes its way',
  async (status) => {
    await using model = await startLanguageModel(() => status)

    const { delivered, stored } = await end(ASKED, modelAt(model.url))

    expect(stored).toMatchObject({ text: WHOLE.text, steps: [{ state: 'failed' }, { state: 'failed' }] })
    expect(delivered).toMatchObject([{ json: { text: WHOLE.text } }])
  },
)

test('a model that rewrites instead of dividing changes nothing', async () => {
  await using model = await startLanguageModel(() => 'Something that nobody said.')

  const { stored } = await end({ afterwards: ['paragraphs'] }, modelAt(model.url))

  expect(stored).toMatchObject({ text: WHOLE.text, steps: [{ state: 'done', refusedPieces: 1 }] })
})

test('steps of a server that has no model any more have failed, and say so', async () => {
  const { stored } = await end(ASKED, undefined)

  const message = 'This server has no language model any more.'
  expect(stored).toEqual({
    text: WHOLE.text,
    steps: ASKED.afterwards.map((step) => ({ step, state: 'failed', message })),
  })
})

test('of an order without steps and without a place nothing is kept', async () => {
  await using model = await startLanguageModel(obedient)

  const { blobs, delivered } = await end({}, modelAt(model.url))

  expect([blobs.kept.size, delivered.length, model.told.length]).toEqual([0, 0, 0])
})

test('what is damaged is told, not taken for nothing', async () => {
  const blobs = new FakeBlobs()
  await blobs.put(`jobs/${ID}/afterwards.json`, '{"text":1}')

  await expect(readAfterwards(blobs, ID)).rejects.toThrow('invalid_type')
})
