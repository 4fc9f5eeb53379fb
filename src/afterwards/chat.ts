/**
 * Asks a language model one question and gets its answer: Ollama in its own words, or anything that speaks OpenAI's chat
 * completions. What is asked is not known here.
 */
import { z } from 'zod'

export interface ChatModel {
  /** For the report: which model answered. */
  readonly name: string
  /** @throws Error when there is no usable answer: unreachable, refused, cut off. Its message holds no key and no text. */
  ask(question: Question, signal: AbortSignal): Promise<string>
}

export interface Question {
  readonly instructions: string
  readonly text: string
}

export interface ChatSettings {
  /** `ollama`: the host's own API, which can be told how long the text is. `openai`: a base address that ends in `/v1`. */
  readonly dialect: 'ollama' | 'openai'
  readonly url: string
  readonly model: string
  readonly apiKey?: string
  /** Of one answer. */
  readonly deadlineMs: number
}

const OllamaAnswer = z.object({
  message: z.object({ content: z.string() }),
  done_reason: z.string().optional(),
})

const OpenAiAnswer = z.object({
  choices: z
    .array(
      z.object({
        message: z.object({ content: z.string() }),
        finish_reason: z.string().nullable().optional(),
      }),
    )
    .min(1),
})

export function chatModel(settings: ChatSettings): ChatModel {
  const ask = settings.dialect === 'ollama' ? askOllama : askOpenAi
  return {
    name: settings.model,
    ask: (question, signal) =>
      ask(settings, question, AbortSignal.any([signal, AbortSignal.timeout(settings.deadlineMs)])),
  }
}

/** A token is three characters or so of Danish; question, answer and instructions share the room. Left to itself Ollama takes 4096 and silently forgets the beginning. */
const CHARACTERS_PER_TOKEN = 2
const SPARE_TOKENS = 1024

async function askOllama(settings: ChatSettings, question: Question, signal: AbortSignal): Promise<string> {
  const characters = question.instructions.length + 2 * question.text.length
  const answer = await post(
    settings,
    '/api/chat',
    {
      model: settings.model,
      messages: messagesOf(question),
      stream: false,
      think: false,
      options: { temperature: 0, num_ctx: Math.ceil(characters / CHARACTERS_PER_TOKEN) + SPARE_TOKENS },
    },
    signal,
  )
  const { message, done_reason } = OllamaAnswer.parse(answer)
  if (done_reason === 'length') throw new Error('the language model did not come to an end')
  return message.content
}

async function askOpenAi(settings: ChatSettings, question: Question, signal: AbortSignal): Promise<string> {
  const body = { model: settings.model, messages: messagesOf(question), temperature: 0 }
  const answer = await post(settings, '/chat/completions', body, signal)
  const [choice] = OpenAiAnswer.parse(answer).choices
  if (choice === undefined) throw new Error('the language model gave no answer')
  if (choice.finish_reason === 'length') throw new Error('the language model did not come to an end')
  return choice.message.content
}

function messagesOf({ instructions, text }: Question) {
  return [
    { role: 'system', content: instructions },
    { role: 'user', content: text },
  ]
}

/** Redirects are not followed: the text goes to the address of the settings and to no other. */
async function post(
  { url, apiKey }: ChatSettings,
  path: string,
  body: object,
  signal: AbortSignal,
): Promise<unknown> {
  const answer = await fetch(url.replace(/\/+$/, '') + path, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
    },
    body: JSON.stringify(body),
    redirect: 'error',
    signal,
  })
  if (!answer.ok) {
    await answer.body?.cancel()
    throw new Error(`the language model answered with status ${answer.status}`)
  }
  return answer.json()
}
