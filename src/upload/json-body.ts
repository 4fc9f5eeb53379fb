/**
 * A JSON body, as Open WebUI sends it, becomes what a form would have held: its audio goes to disk while the rest of the body
 * is still coming, everything else becomes fields. Nothing but those is kept in memory.
 */
import { none } from 'stream-chain/defs.js'
import { jsonParser, type Token, type TokenSource } from 'stream-json/core/parser.js'
import { Base64Reader } from './base64.ts'
import type { BodyContents } from './form-body.ts'
import { AUDIO, JsonMembers } from './json-members.ts'
import { emptyFile, malformedJson, missingFile } from './refusals.ts'
import type { SpooledFile } from './spooled-file.ts'

/** @throws Failure for everything that may be wrong with such a body, but that it has no audio. */
export async function readJson(chunks: AsyncIterable<Uint8Array>, file: SpooledFile): Promise<BodyContents> {
  const members = new JsonMembers()
  const audio = new Base64Reader(AUDIO)
  for await (const tokens of tokensOf(chunks)) {
    for (const token of tokens) members.take(token)
    const bytes = audio.read(members.takeAudio())
    if (bytes.length > 0) await file.write(bytes)
  }
  await file.write(audio.end())

  const lack = !members.hasAudio ? missingFile(AUDIO) : file.sizeBytes === 0 ? emptyFile(AUDIO) : undefined
  return { fields: members.fields, name: undefined, lack }
}

/** As many at once as are in a chunk. @throws Failure invalid_json */
async function* tokensOf(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<readonly Token[], void, undefined> {
  const parse = jsonTokens()
  const decoder = new TextDecoder('utf-8', { fatal: true })
  for await (const chunk of chunks) yield readable(() => parse(decoder.decode(chunk, { stream: true })))
  yield readable(() => [...parse(decoder.decode()), ...parse(none)], 'it ends too early')
}

/** @returns a function that keeps what it cannot read yet for the next call; `none` is the last one. */
function jsonTokens() {
  // Packed, a string would be kept until its end. Its type leaves out `none`, its documentation does not.
  const parse = jsonParser({ packValues: false }) as (text: string | typeof none) => ReturnType<TokenSource>
  return (text: string | typeof none): readonly Token[] => {
    const tokens = parse(text)
    return tokens === none ? [] : tokens.values
  }
}

/** @param what is wrong; without it, the words of whoever noticed. @throws Failure for JSON or UTF-8 that is damaged. */
function readable(tokens: () => readonly Token[], what?: string): readonly Token[] {
  try {
    return tokens()
  } catch (cause) {
    const noticed = cause instanceof Error ? cause.message : String(cause)
    throw malformedJson(what ?? noticed.replace(/^Parser (cannot parse input: |has )/, ''), cause)
  }
}
