/** Base64 becomes bytes while it comes in, in every spelling that clients use. What is not base64 is refused, not skipped. */
import { invalidField } from './refusals.ts'

/** Room for a type with parameters, as in `data:audio/webm;codecs=opus;base64,`. */
const MAX_DATA_URL_HEAD = 256
/** Of the standard alphabet and the URL-safe one (RFC 4648 §4 and §5); Buffer decodes both. */
const ONLY_DIGITS = /^[\w+/-]*$/

export class Base64Reader {
  readonly #param: string
  #head = ''
  #isPastHead = false
  /** Up to three digits that are not a whole number of bytes yet. */
  #digits = ''
  #paddingLength = 0

  /** @param param what the field is called when it is refused. */
  constructor(param: string) {
    this.#param = param
  }

  /** The text may be cut anywhere. @throws Failure invalid_value */
  read(text: string): Buffer {
    return this.#decode(this.#isPastHead ? text : this.#skipHead(text))
  }

  /** @returns what the last digits hold. @throws Failure invalid_value */
  end(): Buffer {
    const first = this.#isPastHead ? Buffer.alloc(0) : this.#decode(this.#head) // a text this short has no head
    const isWhole = this.#digits.length !== 1 && (this.#paddingLength === 0 || this.#digits.length > 1)
    if (!isWhole || this.#paddingLength > 2) throw this.#refusal('it ends too early')
    return Buffer.concat([first, Buffer.from(this.#digits, 'base64')])
  }

  /** @returns what follows the head of a data: URL, as far as it has come; everything when there is no such head. */
  #skipHead(text: string): string {
    const head = (this.#head + text).trimStart()
    this.#head = head
    const mayBeUrl = 'data:'.startsWith(head.slice(0, 5).toLowerCase())
    const end = mayBeUrl ? head.indexOf(',') + 1 : 0
    if (mayBeUrl && end === 0 && head.length <= MAX_DATA_URL_HEAD) return ''
    if (mayBeUrl && !/;\s*base64\s*,$/i.test(head.slice(0, end)))
      throw this.#refusal('it is another kind of URL')
    this.#isPastHead = true
    return head.slice(end)
  }

  #decode(text: string): Buffer {
    const digits = this.#digits + this.#digitsIn(text)
    const wholeLength = digits.length - (digits.length % 4)
    this.#digits = digits.slice(wholeLength)
    return Buffer.from(digits.slice(0, wholeLength), 'base64')
  }

  /** Line breaks are common (MIME wraps at 76 digits), and missing padding is too. */
  #digitsIn(text: string): string {
    if (this.#paddingLength === 0 && ONLY_DIGITS.test(text)) return text
    const compact = text.replace(/\s+/g, '')
    const [, digits = '', padding = ''] = /^([\w+/-]*)(=*)$/.exec(compact) ?? [
      undefined,
      undefined,
      undefined,
    ]
    const foreign = /[^\w+/=-]/.exec(compact)
    if (foreign) throw this.#refusal(`it holds ${JSON.stringify(foreign[0])}`)
    if (digits.length + padding.length < compact.length || (this.#paddingLength > 0 && digits !== '')) {
      throw this.#refusal('it goes on after its padding')
    }
    this.#paddingLength += padding.length
    return digits
  }

  #refusal(why: string) {
    return invalidField(this.#param, `is not base64: ${why}`)
  }
}
