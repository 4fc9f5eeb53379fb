/**
 * The languages Whisper knows: code ↔ English name, and what people write when they mean one of them.
 * Whether the loaded model speaks a language is the engine's business. This file imports nothing.
 */

/** Code → lower-case English name, in Whisper's own order and spelling (openai/whisper, tokenizer.py). */
const LANGUAGE_NAMES: Readonly<Record<string, string>> = {
  en: 'english',
  zh: 'chinese',
  de: 'german',
  es: 'spanish',
  ru: 'russian',
  ko: 'korean',
  fr: 'french',
  ja: 'japanese',
  pt: 'portuguese',
  tr: 'turkish',
  pl: 'polish',
  ca: 'catalan',
  nl: 'dutch',
  ar: 'arabic',
  sv: 'swedish',
  it: 'italian',
  id: 'indonesian',
  hi: 'hindi',
  fi: 'finnish',
  vi: 'vietnamese',
  he: 'hebrew',
  uk: 'ukrainian',
  el: 'greek',
  ms: 'malay',
  cs: 'czech',
  ro: 'romanian',
  da: 'danish',
  hu: 'hungarian',
  ta: 'tamil',
  no: 'norwegian',
  th: 'thai',
  ur: 'urdu',
  hr: 'croatian',
  bg: 'bulgarian',
  lt: 'lithuanian',
  la: 'latin',
  mi: 'maori',
  ml: 'malayalam',
  cy: 'welsh',
  sk: 'slovak',
  te: 'telugu',
  fa: 'persian',
  lv: 'latvian',
  bn: 'bengali',
  sr: 'serbian',
  az: 'azerbaijani',
  sl: 'slovenian',
  kn: 'kannada',
  et: 'estonian',
  mk: 'macedonian',
  br: 'breton',
  eu: 'basque',
  is: 'icelandic',
  hy: 'armenian',
  ne: 'nepali',
  mn: 'mongolian',
  bs: 'bosnian',
  kk: 'kazakh',
  sq: 'albanian',
  sw: 'swahili',
  gl: 'galician',
  mr: 'marathi',
  pa: 'punjabi',
  si: 'sinhala',
  km: 'khmer',
  sn: 'shona',
  yo: 'yoruba',
  so: 'somali',
  af: 'afrikaans',
  oc: 'occitan',
  ka: 'georgian',
  be: 'belarusian',
  tg: 'tajik',
  sd: 'sindhi',
  gu: 'gujarati',
  am: 'amharic',
  yi: 'yiddish',
  lo: 'lao',
  uz: 'uzbek',
  fo: 'faroese',
  ht: 'haitian creole',
  ps: 'pashto',
  tk: 'turkmen',
  nn: 'nynorsk',
  mt: 'maltese',
  sa: 'sanskrit',
  lb: 'luxembourgish',
  my: 'myanmar',
  bo: 'tibetan',
  tl: 'tagalog',
  mg: 'malagasy',
  as: 'assamese',
  tt: 'tatar',
  haw: 'hawaiian',
  ln: 'lingala',
  ha: 'hausa',
  ba: 'bashkir',
  jw: 'javanese',
  su: 'sundanese',
  yue: 'cantonese',
}

export const LANGUAGE_CODES: readonly string[] = Object.keys(LANGUAGE_NAMES)

/** Codes that mean one of Whisper's: Home Assistant sends `fil`, macOS `nb`, older systems `iw`, `in` and `ji`. */
const OTHER_CODES: Readonly<Record<string, string>> = {
  fil: 'tl',
  jv: 'jw',
  nb: 'no',
  iw: 'he',
  in: 'id',
  ji: 'yi',
  cmn: 'zh',
}

/** The second names that Whisper's own command line accepts. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  burmese: 'my',
  valencian: 'ca',
  flemish: 'nl',
  haitian: 'ht',
  letzeburgesch: 'lb',
  pushto: 'ps',
  panjabi: 'pa',
  moldavian: 'ro',
  moldovan: 'ro',
  sinhalese: 'si',
  castilian: 'es',
  mandarin: 'zh',
}

const NAMED_CODES = [...LANGUAGE_CODES.map((code) => [code, code] as const), ...Object.entries(OTHER_CODES)]

/** The later ones win: what Whisper calls a language before what others call it. */
const BY_NAME = new Map([
  ...NAMED_CODES.flatMap(([written, code]) =>
    // In Danish, in English, and as its speakers call it.
    ['da', 'en', written].flatMap((reader) => nameFor(reader, written)).map((name) => [name, code] as const),
  ),
  ...Object.entries(OTHER_NAMES),
  ...LANGUAGE_CODES.map((code) => [englishName(code), code] as const),
])

/** `da` → `danish`; a code that Whisper does not have stays as it is. */
export function englishName(code: string): string {
  return LANGUAGE_NAMES[code] ?? code
}

/**
 * Understands `da`, `dan`, `da-DK`, `da_DK.UTF-8`, `Danish`, `dansk` and `English (US)`. Undefined when no language of
 * Whisper's is meant.
 */
export function languageCode(written: string): string | undefined {
  const wanted = written.trim().toLowerCase().normalize('NFC')
  const name = wanted.replace(/\s*\(.*\)$/u, '')
  return BY_NAME.get(name) ?? codeOf(wanted.split(/[-_.]/, 1)[0] ?? '')
}

function codeOf(tag: string): string | undefined {
  if (Object.hasOwn(LANGUAGE_NAMES, tag)) return tag
  if (Object.hasOwn(OTHER_CODES, tag)) return OTHER_CODES[tag]
  if (!/^[a-z]{3}$/.test(tag)) return undefined
  // ISO 639-2/3 codes: the platform's table knows that `dan` is `da`, `ger` is `de`, and Dari (`prs`) is `fa-AF`.
  const [canonical = ''] = (Intl.getCanonicalLocales(tag)[0] ?? '').split('-', 1)
  return Object.hasOwn(LANGUAGE_NAMES, canonical) ? canonical : OTHER_CODES[canonical]
}

/** What readers of one language call another, from the platform's table; nothing where that has no name. */
function nameFor(reader: string, code: string): string[] {
  const name = new Intl.DisplayNames([reader], { type: 'language', fallback: 'none' }).of(code)
  return name === undefined ? [] : [name.toLowerCase().normalize('NFC')]
}
