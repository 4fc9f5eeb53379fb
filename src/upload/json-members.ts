/** The members of a JSON object, token by token: the audio apart, everything else as the fields of a form. It does not know what they mean. */
import type { Token } from 'stream-json/core/parser.js'
import { CollectedFields, type Fields, fieldTooLong, MAX_FIELD_BYTES } from './fields.ts'
import { invalidField, malformedJson } from './refusals.ts'

/** Where Open WebUI puts the audio, and OpenAI's chat completions do. */
const CONTAINER_PATH = ['input_audio']
const AUDIO_PATH = ['input_audio', 'data']
export const AUDIO = AUDIO_PATH.join('.')
const MAX_DEPTH = 8
const MAX_NAME_CHARACTERS = 256
/** Also those that become no field: null, and everything that holds others. */
const MAX_VALUES = 1024

interface Level {
  readonly isList: boolean
  /** The member that is being read, in an object. */
  key: string
}

export class JsonMembers {
  readonly #fields = new CollectedFields('invalid_json')
  readonly #path: Level[] = []
  #values = 0
  /** What the pieces that come now belong to. */
  #reading: 'key' | 'value' | 'audio' = 'value'
  #text = ''
  #audio = ''
  #hasAudio = false

  get fields(): Fields {
    return this.#fields.all
  }

  get hasAudio(): boolean {
    return this.#hasAudio
  }

  /** @returns what has come of the audio since this was last asked, still in base64. */
  takeAudio(): string {
    const taken = this.#audio
    this.#audio = ''
    return taken
  }

  /** @throws Failure */
  take(token: Token): void {
    switch (token.name) {
      case 'startObject':
      case 'startArray':
        return this.#enter(token.name === 'startArray')
      case 'endObject':
      case 'endArray':
        this.#path.pop()
        return
      case 'startKey':
      case 'startString':
      case 'startNumber':
        return this.#start(token.name)
      case 'stringChunk':
      case 'numberChunk':
        return this.#goOn(token.value)
      case 'endKey':
      case 'endString':
      case 'endNumber':
        return this.#end()
      case 'trueValue':
      case 'falseValue':
        this.#expectValue('scalar')
        return this.#fields.add(this.#fieldName(), String(token.value))
      case 'nullValue':
        return this.#expectValue('null')
      case 'keyValue':
      case 'stringValue':
      case 'numberValue':
      case 'whitespace':
        return // not asked for: these are the packed forms of the above
      default:
        return token satisfies never
    }
  }

  #enter(isList: boolean): void {
    this.#expectValue(isList ? 'list' : 'object')
    this.#path.push({ isList, key: '' })
    if (this.#path.length > MAX_DEPTH) throw malformedJson(`it is nested deeper than ${MAX_DEPTH} levels`)
  }

  #start(name: 'startKey' | 'startString' | 'startNumber'): void {
    if (name !== 'startKey') this.#expectValue(name === 'startString' ? 'string' : 'scalar')
    this.#reading = name === 'startKey' ? 'key' : this.#isAt(AUDIO_PATH) ? 'audio' : 'value'
    if (this.#reading === 'audio') this.#beginAudio()
    this.#text = ''
  }

  #goOn(text: string): void {
    if (this.#reading === 'audio') {
      this.#audio += text
      return
    }
    this.#text += text
    if (this.#reading === 'key' && this.#text.length > MAX_NAME_CHARACTERS) {
      throw malformedJson(`the name of a member is longer than ${MAX_NAME_CHARACTERS} characters`)
    }
    if (this.#text.length > MAX_FIELD_BYTES) throw fieldTooLong(this.#fieldName())
  }

  #end(): void {
    const level = this.#path.at(-1)
    if (this.#reading === 'value') this.#fields.add(this.#fieldName(), this.#text)
    if (this.#reading === 'key' && level !== undefined) level.key = this.#text
  }

  #beginAudio(): void {
    if (this.#hasAudio) throw invalidField(AUDIO, 'is there more than once')
    this.#hasAudio = true
  }

  /** A value begins here. */
  #expectValue(kind: 'object' | 'list' | 'string' | 'null' | 'scalar'): void {
    this.#values += 1
    if (this.#values > MAX_VALUES) throw malformedJson(`it holds more than ${MAX_VALUES} values`)
    if (this.#path.length === 0 && kind !== 'object') throw malformedJson('it is not an object')
    if (kind === 'null') return // as good as absent
    if (this.#isAt(CONTAINER_PATH) && kind !== 'object') {
      throw invalidField('input_audio', 'must be an object: {"data": the file in base64, "format": "wav"}')
    }
    if (this.#isAt(AUDIO_PATH) && kind !== 'string')
      throw invalidField(AUDIO, 'must be a string: the file in base64')
  }

  #isAt(keys: readonly string[]): boolean {
    const isThere = (key: string, depth: number) => this.#path[depth]?.key === key
    return this.#path.length === keys.length && keys.every(isThere)
  }

  /** As OpenAI's SDKs would have called it in a form: `list[]`, `object[member]`. */
  #fieldName(): string {
    const steps = this.#path.map(({ isList, key }, depth) => (isList ? '[]' : depth === 0 ? key : `[${key}]`))
    return steps.join('').replace(/(\[\])+$/, '[]') // lists in lists are one list
  }
}
