import { expect, test } from 'vitest'
import { englishName, LANGUAGE_CODES, languageCode } from '../src/languages.ts'

test.each([
  ['da', 'da'],
  ['DA', 'da'],
  ['da-DK', 'da'],
  ['da_DK', 'da'],
  ['dan', 'da'],
  ['danish', 'da'],
  ['Danish', 'da'],
  ['dansk', 'da'],
  [' Dansk ', 'da'],
  ['en-US', 'en'],
  ['da_DK.UTF-8', 'da'],
  ['zh_CN', 'zh'],
  ['zh-tw', 'zh'],
  ['zh-Hant-TW', 'zh'],
  ['ger', 'de'],
  ['prs', 'fa'],
  ['fil', 'tl'],
  ['fil-PH', 'tl'],
  ['filipino', 'tl'],
  ['nb', 'no'],
  ['nb-NO', 'no'],
  ['nn', 'nn'],
  ['norsk bokmål', 'no'],
  ['Norwegian Nynorsk', 'nn'],
  ['engelsk', 'en'],
  ['tysk', 'de'],
  ['English (US)', 'en'],
  ['Chinese (Simplified)', 'zh'],
  ['中文', 'zh'],
  ['burmese', 'my'],
  ['myanmar', 'my'],
  ['norsk', 'no'],
  ['deutsch', 'de'],
  ['íslenska', 'is'],
  ['flemish', 'nl'],
  ['haitian creole', 'ht'],
  ['yue', 'yue'],
])('%s means %s', (written, code) => {
  expect(languageCode(written)).toBe(code)
})

test.each(['', 'xx', 'klingon', 'auto', 'dax', '中', '()', '(da)', 'constructor', '__proto__', 'toString'])(
  '%s means no language',
  (written) => {
    expect(languageCode(written)).toBeUndefined()
  },
)

test('there are the hundred languages of Whisper, each found under its code and its name', () => {
  expect(LANGUAGE_CODES).toHaveLength(100)
  for (const code of LANGUAGE_CODES) {
    expect(languageCode(code)).toBe(code)
    expect(languageCode(englishName(code))).toBe(code)
  }
})

test('a code that Whisper does not have is told as it is', () => {
  expect(englishName('kl')).toBe('kl')
})
