/** W3C's own parser brings no types; these are of what we use. */
declare module 'webvtt-parser' {
  export class WebVTTParser {
    parse(
      text: string,
      mode?: 'metadata' | 'chapters',
    ): {
      readonly cues: readonly {
        readonly startTime: number
        readonly endTime: number
        readonly text: string
      }[]
      readonly errors: readonly { readonly message: string; readonly line: number }[]
    }
  }
}
