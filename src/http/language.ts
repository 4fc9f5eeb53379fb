/** The `language` field becomes an ISO code, or the wish to have it detected. */
import { Failure } from '../failure.ts'
import { LANGUAGE_CODES, languageCode } from '../languages.ts'

/**
 * @param written what the client sent; absent means the server's default.
 * @returns an ISO code; undefined means: detect it.
 * @throws Failure invalid_language. A known language that the loaded model lacks is the engine's failure, not ours.
 */
export function chosenLanguage(written: string | undefined, defaultLanguage: string): string | undefined {
  const wanted = written ?? defaultLanguage
  if (wanted.trim().toLowerCase() === 'auto') return undefined
  const code = languageCode(wanted)
  if (code !== undefined) return code
  const allowed = `a code such as da or da-DK, a name such as danish or dansk, or auto to detect it. Codes: ${LANGUAGE_CODES.join(', ')}`
  throw new Failure('invalid_language', `The language "${wanted}" is unknown; allowed are ${allowed}.`, {
    param: 'language',
  })
}
