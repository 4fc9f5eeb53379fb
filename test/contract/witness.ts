/**
 * Stands between a client and the server, passes every byte on as it comes, and remembers: what each client really sends,
 * and whether each answer is one that OpenAI's schemas allow. It changes nothing and decides nothing.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Answer, faultsOfAnswer } from './openai-schemas.ts'

export interface Testimony extends Answer {
  readonly method: string
  /** Path and query as the client wrote them. */
  readonly url: string
  readonly requestHeaders: IncomingMessage['headers']
  readonly responseHeaders: IncomingMessage['headers']
  /** The text parts of a multipart body, in their order. */
  readonly requestFields: readonly (readonly [name: string, value: string])[]
}

export interface Witness extends AsyncDisposable {
  readonly url: string
  /** Everything since the last time that this was asked; call it when the clients have their answers. */
  testimonies(): Testimony[]
  /** What was wrong with the answers by OpenAI's schemas, of all that were seen. */
  readonly faults: readonly string[]
}

export async function startWitness(serverUrl: string): Promise<Witness> {
  const seen: Testimony[] = []
  const faults: string[] = []
  const note = (testimony: Testimony) => {
    seen.push(testimony)
    // Jobs are our own.
    const isOpenAis = testimony.path.startsWith('/v1/') && !testimony.path.startsWith('/v1/jobs')
    if (isOpenAis) faults.push(...faultsOfAnswer(testimony))
    if (testimony.responseHeaders['x-request-id'] === undefined) faults.push(`${testimony.url} has no id`)
  }
  const server = createServer((asked, answer) => passOn(serverUrl, asked, answer, note))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    testimonies: () => seen.splice(0),
    faults,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function passOn(
  serverUrl: string,
  asked: IncomingMessage,
  answer: ServerResponse,
  note: (testimony: Testimony) => void,
): void {
  const { method = '', url = '', rawHeaders } = asked
  const onward = request(new URL(serverUrl), { method, path: url, headers: rawHeaders })
  const requestBytes: Buffer[] = []
  asked.on('data', (chunk: Buffer) => requestBytes.push(chunk))
  asked.pipe(onward)
  answer.once('close', () => onward.destroy()) // the client has its answer, or has gone
  onward.on('error', () => answer.destroy())
  onward.on('response', (response) => {
    const responseBytes: Buffer[] = []
    answer.writeHead(response.statusCode ?? 0, response.rawHeaders)
    response.on('data', (chunk: Buffer) => {
      responseBytes.push(chunk)
      answer.write(chunk)
    })
    response.on('error', () => answer.destroy())
    response.on('end', () => {
      note({
        method,
        url,
        path: decodeURIComponent(new URL(url, serverUrl).pathname),
        requestHeaders: asked.headers,
        requestFields: textParts(Buffer.concat(requestBytes).toString('utf8')),
        status: response.statusCode ?? 0,
        contentType: response.headers['content-type'] ?? '',
        responseHeaders: response.headers,
        body: Buffer.concat(responseBytes).toString('utf8'),
      })
      answer.end() // after the note: who has its answer finds it written down
    })
  })
}

/** Parts with a filename are files, and not looked at. */
function textParts(body: string): [string, string][] {
  const parts = body.matchAll(/form-data; name="([^"]*)"\r\n(?:content-[^\r\n]*\r\n)*\r\n(.*?)\r\n--/gis)
  return [...parts].map(([, name = '', value = '']) => [name, value])
}
