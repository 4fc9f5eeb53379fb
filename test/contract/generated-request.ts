/** What a generated request is: plain data until it is sent, so that a failing one can be read and sent again. */
import fc from 'fast-check'
import type { Schema } from './generated-values.ts'

export interface Operation {
  readonly requestBody?: { readonly content: Record<string, { readonly schema: Schema }> }
  readonly responses: Record<string, { readonly content?: Record<string, unknown> }>
}
export interface OpenApi {
  readonly paths: Record<string, Record<string, Operation>>
  readonly components: { readonly schemas: Record<string, Schema> }
}

export type Recording = 'speech' | 'garbage' | 'empty' | 'large'

/** `recording` stands for bytes that are put in when the request is sent. */
export interface GeneratedPart {
  readonly name: string
  readonly filename?: string
  readonly type?: string
  readonly value?: string
  readonly recording?: Recording
}

export interface GeneratedRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** In JSON, a string `recording:speech` stands for the bytes in base64. */
  readonly body?: { readonly parts: readonly GeneratedPart[] } | { readonly text: string }
  /** Without a Content-Length. */
  readonly isChunked: boolean
  /** The answer must be 200, or 202. */
  readonly isValid: boolean
}

export const BOUNDARY = 'generated-boundary'
export const RECORDING_MARK = 'recording:'

export const pick = <T>(...values: readonly T[]) => fc.constantFrom(...values)
export const mostly = <T>(usual: fc.Arbitrary<T>, other: fc.Arbitrary<T>, weight = 9) =>
  fc.oneof({ weight, arbitrary: usual }, { weight: 1, arbitrary: other })
