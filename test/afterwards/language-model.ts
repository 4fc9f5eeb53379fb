/** A small stand-in for a language model on a real port: as Ollama speaks, and as OpenAI's chat completions do. */
import { json } from 'node:stream/consumers'
import { startWeb } from '../fetching/web-server.ts'

interface Message {
  readonly role: string
  readonly content: string
}

export interface Asked {
  readonly path: string | undefined
  readonly authorization: string | undefined
  readonly instructions: string
  readonly text: string
}

/** `answer` says what the model says; a number is the status with which it fails. */
export async function startLanguageModel(answer: (asked: Asked) => string | number) {
  const asked: Asked[] = []
  const web = await startWeb((request, response) => {
    void json(request).then((body) => {
      const [system, user] = (body as { messages: Message[] }).messages
      const question = {
        path: request.url,
        authorization: request.headers.authorization,
        instructions: system?.content ?? '',
        text: user?.content ?? '',
      }
      asked.push(question)
      const said = answer(question)
      if (typeof said === 'number') return response.writeHead(said).end()
      const message = { role: 'assistant', content: said }
      const told =
        request.url === '/api/chat'
          ? { message, done_reason: 'stop' }
          : { choices: [{ message, finish_reason: 'stop' }] }
      return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(told))
    })
  })
  return { url: web.url, told: asked, [Symbol.asyncDispose]: () => web[Symbol.asyncDispose]() }
}

/** Does what is asked, as far as it can be computed: two paragraphs, the glossary's first word in, a title. */
export function obedient({ instructions, text }: Asked): string {
  if (instructions.includes('Divide it')) return text.replace(' ', '\n\n')
  if (instructions.includes('right spellings')) {
    const name = /spellings are: ([^;.]+)/.exec(instructions)?.[1] ?? ''
    return text.replace(/^\S+/, name)
  }
  return `# En titel\n\nDer bliver sagt ${text.split(/\s+/).length} ord.`
}
