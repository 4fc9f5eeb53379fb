/**
 * What a client is told when its job has ended, signed as Standard Webhooks has it (standardwebhooks.com), and when it is
 * told again if it did not listen. Pure; nothing is sent here.
 */
import { Webhook } from 'standardwebhooks'
import type { Job } from './job.ts'

export interface WebhookMessage {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Of an ended job. The text is not in it: a message may lie in logs on its way, and ten hours are megabytes. */
export function messageOf(
  { order, state, endedAtMs, failure }: Job,
  secret: string,
  nowMs: number,
): WebhookMessage {
  const body = JSON.stringify({
    type: `job.${state}`,
    timestamp: new Date(endedAtMs ?? nowMs).toISOString(),
    data: {
      id: order.id,
      object: 'job',
      status: state,
      ...(order.fileName !== undefined && { file_name: order.fileName }),
      metadata: order.metadata,
      ...(state === 'completed' && { result_path: `/v1/jobs/${order.id}/result` }),
      ...(failure && { error: failure }),
    },
  })
  // The same end has the same id however often it is told: that is how a receiver knows a repetition.
  const id = `msg_${order.id}_${endedAtMs ?? 0}`
  const sentAt = new Date(nowMs)
  const signature = new Webhook(secret).sign(id, sentAt, body)
  return {
    headers: {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(nowMs / 1000)),
      'webhook-signature': signature,
    },
    body,
  }
}

/** After the first attempt, the second and so on: close together first, a day in all. */
const PAUSES_SECONDS = [5, 30, 120, 600, 1800, 3600, 7200, 14_400, 21_600, 36_000]
/** So much longer at most, lest all that failed together comes again together. */
const JITTER = 0.1

/** How long to wait after so many attempts; undefined when it has been tried often enough. `random` is from 0 to 1. */
export function pauseSeconds(attempts: number, random: number): number | undefined {
  const pause = PAUSES_SECONDS[attempts - 1]
  return pause === undefined ? undefined : pause * (1 + JITTER * random)
}
