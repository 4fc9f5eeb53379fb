/** Whether somebody waits for the answer: what requests say of it, and where. What follows from it is the queue's business. */
import { z } from '@hono/zod-openapi'
import type { Fields } from '../upload/receive.ts'
import { oneOf } from './field-types.ts'
import { parseForm } from './form.ts'

const TIERS = ['realtime', 'deferred'] as const
type Tier = (typeof TIERS)[number]

const HEADER = 'x-transcription-tier'

/** The field, in the schemas of all uploads. */
export const TierField = z.enum(TIERS, oneOf(TIERS)).optional().openapi({
  description:
    '`deferred` lets `realtime` pass: for work that nobody waits for. Wins over the header `X-Transcription-Tier`. Absent: `realtime`.',
})

export const TIER_HEADER = {
  [HEADER]: z.enum(TIERS).optional().meta({
    description:
      'The same as `transcription_tier`, and known before the body: a deferred one may be refused sooner',
  }),
}

const TierForm = z.object({ transcription_tier: TierField })

/** Known before the body. A value that is none counts as absent, as in Vexa's own service. */
export function tierOfHeaders(headers: Headers): Tier | undefined {
  const said = headers.get(HEADER)?.trim().toLowerCase()
  return TIERS.find((tier) => tier === said)
}

/** The field wins. @throws Failure invalid_value */
export function tierOf(headers: Headers, fields: Fields): Tier | undefined {
  return parseForm(TierForm, fields).transcription_tier ?? tierOfHeaders(headers)
}
