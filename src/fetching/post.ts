/** Tells an address something, without this server being led to where only it can go. What is said is not known here. */
import { Agent, request } from 'undici'
import { checkingConnector } from './checking-connector.ts'
import type { FetchLimits } from './fetch-limits.ts'
import { requireFetchable } from './fetch-recording.ts'

export interface Letter {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface TellingLimits extends FetchLimits {
  readonly answerMs?: number
}

/** Who is told so much later than it should be has been told. */
const ANSWER_MS = 20_000

/**
 * Resolves with the status of the answer, of which nothing else is read. Redirects are not followed.
 *
 * @throws Failure url_not_allowed; what the network throws; the signal's reason
 */
export async function post(
  url: string,
  { headers, body }: Letter,
  limits: TellingLimits,
  signal: AbortSignal,
): Promise<number> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(limits.answerMs ?? ANSWER_MS)])
  await requireFetchable(url, limits, within)
  const agent = new Agent({ connect: checkingConnector(limits, within), pipelining: 0 })
  try {
    const answer = await request(url, { method: 'POST', dispatcher: agent, headers, body, signal: within })
    answer.body.on('error', () => {}).destroy()
    return answer.statusCode
  } finally {
    await agent.destroy()
  }
}
