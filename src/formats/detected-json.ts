/** The answer of `POST /detect-language`. */
import { englishName } from '../languages.ts'
import type { DetectedLanguage } from '../transcript.ts'
import { roundProbability, roundSeconds } from './figures.ts'

export function detectedJson({ language, probability, languages, durationSeconds }: DetectedLanguage) {
  return {
    language: englishName(language),
    language_code: language,
    probability: roundProbability(probability),
    languages: languages.map((guess) => ({
      code: guess.language,
      name: englishName(guess.language),
      probability: roundProbability(guess.probability),
    })),
    ...(durationSeconds !== undefined && { duration: roundSeconds(durationSeconds) }),
  }
}
