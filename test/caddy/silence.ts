/** Requests whose answer lets wait for longer than any proxy's patience that we have heard of (a minute). */
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:http2'
import { request } from 'node:https'
import { setTimeout as passes } from 'node:timers/promises'
import { form } from '../http/parts.ts'
import { CADDIES, startCaddy } from './caddy.ts'
import { startStandIn } from './stand-in.ts'

const SILENCE_MS = 75_000
const PATH = '/v1/audio/transcriptions'

/**
 * How each was answered. They do nothing but wait, so whoever has something else to do begins with them.
 *
 * @param givenUp nobody wants to know any more: they are answered at once, and everything ends.
 */
export async function answersAfterSilence(givenUp: AbortSignal): Promise<Record<string, number | undefined>> {
  // Without signs of life from us: these are for proxies that cannot wait.
  await using server = await startStandIn({ EARLY_HEADERS_AFTER_SECONDS: '0' })
  server.transcriber.before = async () => {
    await passes(SILENCE_MS, undefined, { signal: givenUp })
  }
  const asked = CADDIES.map(async (program) => {
    await using caddy = await startCaddy(program, { UPSTREAMS: server.upstream })
    const [one, two] = await Promise.all([statusOverHttp1(caddy), statusOverHttp2(caddy)])
    return [
      [`${program.name}, HTTP/1.1`, one],
      [`${program.name}, HTTP/2`, two],
    ] as const
  })
  return Object.fromEntries((await Promise.all(asked)).flat())
}

interface Site {
  readonly url: string
  readonly root: string
}

async function wholeForm(): Promise<{ type: string; bytes: Buffer }> {
  const filled = new Response(form())
  return { type: filled.headers.get('content-type') ?? '', bytes: Buffer.from(await filled.arrayBuffer()) }
}

async function statusOverHttp1({ url, root }: Site): Promise<number | undefined> {
  const { type, bytes } = await wholeForm()
  const headers = { 'content-type': type, 'content-length': bytes.length }
  const asked = request(`${url}${PATH}`, { method: 'POST', ca: root, headers })
  asked.end(bytes)
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  answer.resume()
  return answer.statusCode
}

async function statusOverHttp2({ url, root }: Site): Promise<number | undefined> {
  const { type, bytes } = await wholeForm()
  const session = connect(url, { ca: root })
  try {
    const stream = session.request({ ':method': 'POST', ':path': PATH, 'content-type': type })
    stream.end(bytes)
    const [head] = (await once(stream, 'response')) as [{ ':status'?: number }]
    return head[':status']
  } finally {
    session.destroy()
  }
}
