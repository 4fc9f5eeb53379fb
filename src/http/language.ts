/** The fields `language` and `languages` become ISO codes, or the wish to have the language detected. */
import { Failure } from '../failure.ts'
import { LANGUAGE_CODES, languageCode } from '../languages.ts'
import { shown } from './form.ts'

const DETECT = 'auto'

interface Written {
  readonly language?: string | undefined
  readonly languages?: readonly string[] | undefined
}

/** As the engine is asked: a language, or candidates to detect it among, or neither, which means among all. */
export interface LanguageChoice {
  readonly language?: string
  readonly candidateLanguages?: readonly string[]
}

/**
 * `language` decides; only when it is absent or `auto` do the candidates count, and a single one is no choice.
 *
 * @param defaultLanguage for requests that name none: an ISO code, or `auto`.
 * @throws Failure invalid_language. A known language that the loaded model lacks is the engine's failure, not ours.
 */
export function chosenLanguage(written: Written, defaultLanguage: string): LanguageChoice {
  const named = written.language === undefined ? undefined : codeOf(written.language, 'language')
  const candidates = [...new Set(written.languages?.map((name) => codeOf(name, 'languages')))]
  if (named !== undefined && named !== DETECT) return { language: named }

  if (candidates.length > 0) return amongst(candidates)
  return amongst([named ?? defaultLanguage])
}

function amongst(codes: readonly string[]): LanguageChoice {
  if (codes.includes(DETECT)) return {}
  const [only = DETECT, ...others] = codes
  return others.length === 0 ? { language: only } : { candidateLanguages: codes }
}

function codeOf(written: string, param: string): string {
  if (written.trim().toLowerCase() === DETECT) return DETECT
  const code = languageCode(written)
  if (code !== undefined) return code
  const allowed = `a code such as da or da-DK, a name such as danish or dansk, or auto to detect it. Codes: ${LANGUAGE_CODES.join(', ')}`
  throw new Failure(
    'invalid_language',
    `The language ${shown(written)} is unknown; allowed are ${allowed}.`,
    {
      param,
    },
  )
}
