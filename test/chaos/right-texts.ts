/** The right text of every question, told by the same server before anybody disturbs it, and held against what was spoken. */
import { plainWords, truthOf } from '../end-to-end/server.ts'
import { converse } from './connection.ts'
import { bytesOf } from './good-clients.ts'
import { readAnswers } from './http-answers.ts'
import { type Question, readText } from './questions.ts'
import { multipart } from './request-bytes.ts'
import type { World } from './world.ts'

/** A recording of many minutes may have a word wrong; one sentence may not. */
const SENTENCES = ['da.wav', 'en.wav', 'de.wav']

/** @throws Error when a question is not answered: then there is nothing to try. */
export async function learnRightTexts(world: World): Promise<void> {
  for (const question of world.questions) world.rightTexts.set(question.name, await tell(world, question))
  for (const { name, path, recording, reading } of world.questions) {
    const isSpoken = SENTENCES.includes(recording) && path === '/v1/audio/transcriptions'
    if (!isSpoken || reading === 'language') continue
    const { text } = await truthOf(recording.replace('.wav', ''))
    const right = world.rightTexts.get(name) ?? ''
    if (plainWords(text).join(' ') !== plainWords(right).join(' '))
      throw new Error(`undisturbed, ${name} is answered with ${right}`)
  }
}

async function tell(world: World, question: Question): Promise<string> {
  const content = world.recordings.get(question.recording) ?? Buffer.alloc(0)
  const body = multipart({ boundary: 'x', fields: question.fields, file: { name: 'a', content } })
  const { head, content: sent } = bytesOf(world, { question, body, act: 'undisturbed' })
  const heard = await converse(world.server.port, { pieces: [head, sent], deadlineMs: world.deadlineMs })
  const [answer] = readAnswers(heard.bytes).answers
  if (answer?.status !== 200)
    throw new Error(`undisturbed, ${question.name} is answered with ${heard.bytes.toString('utf8')}`)
  return readText(question.reading, answer.body)
}

/** Long words of what is spoken: none of them may be in a log. Those that an operator's own words hold would prove nothing. */
export async function spokenSecrets(): Promise<string[]> {
  const truths = await Promise.all(['da', 'en', 'de', 'long'].map(truthOf))
  const words = truths.flatMap(({ text }) => text.split(/[^\p{L}]+/u).filter((word) => word.length >= 8))
  return [...new Set(words)]
}
