/** The text fields of a body while they are collected, whatever kind of body it is. Every limit is a refusal, never a silent cut. */
import { Failure } from '../failure.ts'
import { invalidField } from './refusals.ts'

/** Field name → values in the order they came. A Map, so that a field named `__proto__` is only a field. */
export type Fields = ReadonlyMap<string, readonly string[]>

const MAX_FIELDS = 256
export const MAX_FIELD_BYTES = 1024 * 1024
/** Names and values together: what the fields of one request may hold in memory. */
const MAX_TEXT_BYTES = 8 * MAX_FIELD_BYTES

export class CollectedFields {
  readonly #values = new Map<string, string[]>()
  readonly #tooMuch: 'invalid_multipart' | 'invalid_json'
  #count = 0
  #textBytes = 0

  /** @param tooMuch the failure of a body of this kind that holds too much. */
  constructor(tooMuch: 'invalid_multipart' | 'invalid_json') {
    this.#tooMuch = tooMuch
  }

  get all(): Fields {
    return this.#values
  }

  /** @throws Failure */
  add(name: string, value: string): void {
    const valueBytes = Buffer.byteLength(value)
    if (valueBytes > MAX_FIELD_BYTES) throw fieldTooLong(name)
    this.#count += 1
    this.#textBytes += Buffer.byteLength(name) + valueBytes
    if (this.#count > MAX_FIELDS) throw this.#refusal(`${MAX_FIELDS} fields`)
    if (this.#textBytes > MAX_TEXT_BYTES) throw this.#refusal(`${MAX_TEXT_BYTES} bytes of text`)
    const values = this.#values.get(name)
    if (values === undefined) this.#values.set(name, [value])
    else values.push(value)
  }

  #refusal(allowed: string): Failure {
    return new Failure(this.#tooMuch, `The request holds more than ${allowed} beside the file.`)
  }
}

export function fieldTooLong(name: string): Failure {
  return invalidField(name, `is longer than ${MAX_FIELD_BYTES} bytes`)
}
