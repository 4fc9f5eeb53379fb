import { expect, test } from 'vitest'
import * as schemas from '../../src/http/response-schemas.ts'
import { form, startParts } from './parts.ts'

type Server = Awaited<ReturnType<typeof startParts>>

/** One after the other: what a request is answered with that calls the model so. */
async function statusesOf({ app }: Server, names: readonly string[]): Promise<number[]> {
  const statuses: number[] = []
  for (const model of names) {
    const body = form({ model })
    statuses.push((await app.request('/v1/audio/transcriptions', { method: 'POST', body })).status)
  }
  return statuses
}

test.each(['gpt-transcribe', 'gpt-live-transcribe', 'whisper-large-v3-turbo', ' WHISPER-1 ', '', ' '])(
  'a model called %j is the one that is loaded',
  async (model) => {
    await using server = await startParts()

    expect(await statusesOf(server, [model])).toEqual([200])
  },
)

test('the model answers to the names that the operator gave it, and lists them', async () => {
  await using server = await startParts({ MODEL_ALIASES: 'distil-whisper/large, Stemme' })

  const names = ['Distil-Whisper/large', 'stemme', 'whisper-1', 'stemmen']
  expect(await statusesOf(server, names)).toEqual([200, 200, 200, 404])
  const list = schemas.ModelList.parse(await (await server.app.request('/v1/models')).json())
  expect(list.data.map(({ id }) => id)).toEqual(expect.arrayContaining(['distil-whisper/large', 'Stemme']))
})
