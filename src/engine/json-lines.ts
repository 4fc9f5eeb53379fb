/** Splits a byte stream into parsed JSON lines. It knows lines and JSON, not what a message means. */

/** A line longer than this is a bug of whoever wrote it, not a message (PROTOCOL.md). */
const MAX_LINE_LENGTH = 16 * 1024 * 1024

/**
 * Yields one parsed value per line. A line may arrive in any number of chunks, a character too.
 * What follows the last line break is dropped: only a writer that died in mid-line leaves that, and its exit says more.
 *
 * @throws RangeError when a line is longer than `maxLineLength` characters; SyntaxError when one is not JSON;
 *   TypeError when the bytes are not UTF-8.
 */
export async function* readJsonLines(
  bytes: AsyncIterable<Uint8Array>,
  maxLineLength = MAX_LINE_LENGTH,
): AsyncGenerator<unknown> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let pending = ''
  for await (const chunk of bytes) {
    // Only the new chunk is searched for line breaks: searching all of `pending` again costs seconds on a 16 MiB line.
    const [continued = '', ...started] = decoder.decode(chunk, { stream: true }).split('\n')
    const lines = [pending + continued, ...started]
    pending = lines.pop() ?? ''
    for (const line of [...lines, pending]) {
      if (line.length > maxLineLength) throw new RangeError(`a line exceeds ${maxLineLength} characters`)
    }
    for (const line of lines) yield JSON.parse(line)
  }
}

/** One value as the line that `readJsonLines` reads back. */
export function formatJsonLine(value: unknown): string {
  return `${JSON.stringify(value)}\n`
}
