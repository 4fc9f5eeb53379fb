/** What the fields of `POST /transcribe` mean: to the engine, and to whoever tells its answer later. */
import type { z } from '@hono/zod-openapi'
import type { Wish } from './answer.ts'
import { chosenLanguage } from './language.ts'
import type { Parts } from './parts.ts'
import type { TranscribeFields } from './schemas.ts'

export function readableWish(
  form: z.output<typeof TranscribeFields>,
  { config }: Pick<Parts, 'config'>,
): Omit<Wish, 'isStreamed'> {
  return {
    options: {
      task: 'transcribe',
      ...chosenLanguage(form, config.defaultLanguage),
      temperature: 0,
      wantsWords: form.include_timestamps,
      wantsLogprobs: false,
      wantsDeltas: false,
      wantsGuards: form.guards ?? config.hasGuards,
    },
    format: 'json',
    rendering: { hasWords: true, isForVexa: false, hasLogprobs: false, listsLanguages: false },
  }
}
