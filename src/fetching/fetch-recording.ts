/**
 * A URL becomes a file, without this server being led to where only it can go. What is in the file, and for whom it is
 * fetched, is decided elsewhere.
 */
import { Agent, type Dispatcher, request } from 'undici'
import { Failure } from '../failure.ts'
import { until } from '../until.ts'
import { displayName, fileNameIn } from '../upload/part-header.ts'
import { chunksInTime } from './chunks-in-time.ts'
import { allowedAddresses, checkingConnector } from './checking-connector.ts'
import type { FetchLimits } from './fetch-limits.ts'
import { invalidUrl, notAllowed, unreachable } from './refusals.ts'
import { storeRecording } from './stored-recording.ts'

const MAX_URL_CHARACTERS = 8192
const MAX_HOPS = 5
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])
const HEADERS = { 'user-agent': 'hviske-api', accept: '*/*', 'accept-encoding': 'identity' } as const

export interface FetchedRecording {
  readonly path: string
  /** What the other side, or the URL, calls it: metadata, never a path. */
  readonly name: string | undefined
  readonly sizeBytes: number
  readonly sha256: string
}

/**
 * @param path of a file that is not there yet; when this throws, it is not there again.
 * @throws Failure url_not_allowed, url_unreachable, invalid_value, file_too_large, empty_file, insufficient_storage;
 * the signal's reason
 */
export async function fetchRecording(
  url: string,
  path: string,
  limits: FetchLimits,
  signal: AbortSignal,
): Promise<FetchedRecording> {
  const first = parsedUrl(url)
  const tooLate = AbortSignal.timeout(limits.totalMs)
  const ended = AbortSignal.any([signal, tooLate])
  const agent = agentOf(limits, ended)
  try {
    return await download(first, path, { limits, agent, signal: ended })
  } catch (error) {
    signal.throwIfAborted()
    if (tooLate.aborted) throw unreachable(`it took longer than ${limits.totalMs / 1000} seconds`, error)
    throw error instanceof Failure ? error : worded(error)
  } finally {
    await agent.destroy()
  }
}

/**
 * The same refusals before anything is fetched, for what is fetched later. Whether it can be reached then nobody knows now.
 *
 * @throws Failure url_not_allowed, invalid_value; the signal's reason
 */
export async function requireFetchable(url: string, limits: FetchLimits, signal: AbortSignal): Promise<void> {
  const parsed = parsedUrl(url)
  checkUrl(parsed)
  const within = AbortSignal.any([signal, AbortSignal.timeout(limits.connectMs)])
  try {
    await until(allowedAddresses(parsed, limits), within)
  } catch (error) {
    signal.throwIfAborted()
    const isUnknown = within.aborted || (error instanceof Failure && error.code === 'url_unreachable')
    if (!isUnknown) throw error
  }
}

/** Of this one alone: its connections end with it. It reads no proxy from the environment. */
function agentOf(limits: FetchLimits, signal: AbortSignal): Agent {
  return new Agent({
    connect: checkingConnector(limits, signal),
    headersTimeout: limits.headersMs,
    bodyTimeout: 0, // chunksInTime has its own idea of it
    pipelining: 0,
  })
}

interface Fetching {
  readonly limits: FetchLimits
  readonly agent: Dispatcher
  readonly signal: AbortSignal
}

async function download(first: URL, path: string, fetching: Fetching): Promise<FetchedRecording> {
  const { url, answer } = await follow(first, fetching)
  const { limits, signal } = fetching
  const { headers, body } = answer
  const length = Number(headers['content-length'])
  const announcedBytes = Number.isSafeInteger(length) ? length : undefined
  const stream = { chunks: chunksInTime(body, limits.idleMs, signal), announcedBytes }
  const stored = await storeRecording(stream, path, limits)
  return { path, name: nameOf(headers['content-disposition'], url), ...stored }
}

/** Every hop is checked like the first: by its URL here, by its address where the connection is made. */
async function follow(first: URL, { agent, signal }: Fetching) {
  let url = first
  for (let hops = 0; hops <= MAX_HOPS; hops += 1) {
    checkUrl(url)
    const answer = await request(url, { dispatcher: agent, headers: HEADERS, signal })
    const { statusCode, headers, body } = answer
    if (statusCode === 200) return { url, answer: checkEncoding(answer) }
    body.on('error', () => {}).destroy()
    const location = headers['location']
    if (!REDIRECTS.has(statusCode)) throw unreachable(`the answer was ${statusCode}`)
    if (typeof location !== 'string')
      throw unreachable(`the answer was ${statusCode}, and did not say where to go`)
    url = parsedUrl(location, url)
  }
  throw unreachable(`it was passed on more than ${MAX_HOPS} times`)
}

/** Unpacked it may be a thousand times as large; nobody was asked to pack it. */
function checkEncoding(answer: Dispatcher.ResponseData): Dispatcher.ResponseData {
  const encoding = answer.headers['content-encoding'] ?? 'identity'
  if (encoding === 'identity' || encoding === '') return answer
  answer.body.on('error', () => {}).destroy()
  throw unreachable('the answer was compressed, which was not asked for')
}

/** @throws Failure invalid_value, or of a redirect url_unreachable */
function parsedUrl(text: string, base?: URL): URL {
  const isTooLong = text.length > MAX_URL_CHARACTERS
  const url = isTooLong ? null : URL.parse(text, base?.href)
  if (url !== null) return url
  if (base !== undefined) throw unreachable('it was passed on to what is not a URL')
  throw invalidUrl(isTooLong ? `has more than ${MAX_URL_CHARACTERS} characters` : 'is not a URL')
}

/** @throws Failure url_not_allowed */
function checkUrl(url: URL): void {
  if (!['http:', 'https:'].includes(url.protocol)) throw notAllowed('only http and https are')
  if (url.username !== '' || url.password !== '') throw notAllowed('it holds a user name or a password')
  url.hash = ''
}

function nameOf(disposition: string | string[] | undefined, url: URL): string | undefined {
  const given = disposition === undefined ? undefined : fileNameIn([disposition].flat().at(-1) ?? '')
  return given ?? displayName(decoded(url.pathname.split('/').at(-1) ?? ''))
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** In our words: those of libraries and of the system are for the log. Bugs stay what they are. */
function worded(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'UND_ERR_HEADERS_TIMEOUT') return unreachable('no answer came in time', error)
  const isNoHttp = error instanceof Error && error.name === 'HTTPParserError' // not always with a code
  const isTheirs = isNoHttp || /^(UND_ERR|ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|ERR_TLS|ERR_SSL)/.test(code)
  return isTheirs ? unreachable('the connection broke off or what came was not HTTP', error) : error
}
