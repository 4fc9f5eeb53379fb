// The real server with a stand-in for the language model: steps after the transcript, and what becomes of a job without them.
import { expect, test } from 'vitest'
import { obedient, startLanguageModel } from '../afterwards/language-model.ts'
import { jobClient, recording } from './job-client.ts'
import { plainWords, startServer, truthOf } from './server.ts'

const STEPS = { afterwards: 'correct_names,paragraphs,summary', keywords: 'Øjvind', language: 'da' }

test.each([
  ['Ollama', 'OLLAMA_HOST', '', '/api/chat'],
  ['what speaks OpenAI', 'LLM_URL', '/v1', '/v1/chat/completions'],
])('%s corrects, divides and sums up, and the transcript stays', async (_who, setting, path, asked) => {
  await using model = await startLanguageModel(obedient)
  const server = await startServer({
    [setting]: model.url + path,
    LLM_MODEL: 'small',
    LLM_API_KEY: 'sk-of-the-model',
  })
  const client = jobClient(server)
  try {
    const { id } = await client.handIn(await recording('da.wav'), STEPS)

    const job = await client.ended(id)

    const done = { status: 'done', pieces: 1, refused_pieces: 0 }
    expect(job).toMatchObject({
      status: 'completed',
      afterwards: ['correct_names', 'paragraphs', 'summary'].map((step) => ({ step, ...done })),
    })
    expect(new Set(model.told.map((one) => one.path))).toEqual(new Set([asked]))
    const text = await (await client.result(id, 'text')).text()
    expect(plainWords(text)).toEqual(plainWords((await truthOf('da')).text))
    const json = (await (await client.result(id, 'json')).json()) as Record<string, unknown>
    const words = text.trim().split(' ')
    expect(json).toMatchObject({
      text: text.trim(),
      afterwards: {
        text: `Øjvind\n\n${words.slice(1).join(' ')}`,
        title: 'En titel',
        summary: `Der bliver sagt ${words.length} ord.`,
        model: 'small',
      },
    })
    const markdown = await (await client.result(id, 'md')).text()
    expect(markdown).toMatch(/^# En titel\n\n- Recording: da\.wav\n/)
    expect(markdown).toContain(`\n## Text\n\nØjvind\n\n`)
    expect(markdown).toContain(`\n## As it was heard\n\n**[0:00]** ${words[0]} `)
    const [asTask, download] = await Promise.all([
      client.ask(`/jobs/${id}/result`),
      client.ask(`/download/${id}?fmt=md`),
    ])
    expect(await asTask.json()).toMatchObject({ text: text.trim(), afterwards: json['afterwards'] })
    expect(await download.text()).toBe(markdown)
  } finally {
    await server.stop()
  }
})

test('a dead language model fails its steps and never the job', async () => {
  const model = await startLanguageModel(obedient)
  await model[Symbol.asyncDispose]() // its port answers nobody any more
  const server = await startServer({ OLLAMA_HOST: model.url, LLM_MODEL: 'small' })
  const client = jobClient(server)
  try {
    const { id } = await client.handIn(await recording('da.wav'), STEPS)

    const job = await client.ended(id)

    expect(job).toMatchObject({
      status: 'completed',
      error: null,
      afterwards: ['correct_names', 'paragraphs', 'summary'].map((step) => ({
        step,
        status: 'failed',
        message: 'The language model could not be reached, or its answer could not be read.',
      })),
    })
    const { text } = (await (await client.result(id, 'json')).json()) as { text: string }
    expect(plainWords(text)).toEqual(plainWords((await truthOf('da')).text))
    expect(await (await client.result(id, 'md')).text()).toMatch(/^# da\.wav\n/)
    expect(JSON.stringify(server.log())).not.toContain(text) // what was said is nobody's log
  } finally {
    await server.stop()
  }
})
