/** A Hub on loopback with one model, for the real huggingface_hub: its API, its files, and a second address where large ones lie. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

export const MODEL = 'acme/tiny-da'
export const FIRST_COMMIT = `85fadab${'0'.repeat(33)}`
export const SECOND_COMMIT = `7d70b25${'1'.repeat(33)}`
export const SIGNATURE = 'X-Amz-Signature=not-to-be-printed'
export const TOKEN = 'hf_notToBePrinted'

const TINY_DA = join(import.meta.dirname, '..', '..', 'models', 'tiny-da')
const NAMES = [
  'config.json',
  'generation_config.json',
  'preprocessor_config.json',
  'processor_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'model.safetensors',
]
const CARD = '---\nlanguage: da\nlicense: openrail\nbase_model: openai/whisper-tiny\n---\nA model.\n'

export type Files = Readonly<Record<string, Buffer>>

/** What the server needs and, beside it, what nobody needs. */
export const tinyDa: Files = {
  ...Object.fromEntries(NAMES.map((name) => [name, readFileSync(join(TINY_DA, name))])),
  'README.md': Buffer.from(CARD),
  'pytorch_model.bin': Buffer.alloc(1000),
  'model.fp32-00001-of-00002.safetensors': Buffer.alloc(1000),
  'flax_model.msgpack': Buffer.alloc(1000),
  'trainer_state.json': Buffer.from('{}'),
  'checkpoint-10/config.json': Buffer.from('{}'),
}

export interface Asked {
  readonly path: string
  readonly range: string | undefined
  readonly authorization: string | undefined
}

/** How the next transfers of large files go, one each; after that all goes well. */
export type Fate =
  | { readonly kind: 'breaks' | 'stands still'; readonly afterBytes: number }
  | { readonly kind: 'damaged' }
  | { readonly kind: 'refused'; readonly status: number }
  | { readonly kind: 'ignores ranges' }

export class Hub {
  files: Files = tinyDa
  /** What `main` means now. */
  main = FIRST_COMMIT
  readonly commits = new Set([FIRST_COMMIT])
  needsToken = false
  readonly asked: Asked[] = []
  readonly fates: Fate[] = []
  bytesOfWeights = 0
  #whenStill: (() => void)[] = []
  readonly #api: Server = createServer((request, response) => this.#answer(request, response))
  readonly #store: Server = createServer((request, response) => this.#serve(request, response))

  static async start(): Promise<Hub> {
    const hub = new Hub()
    for (const server of [hub.#api, hub.#store])
      await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    return hub
  }

  get url(): string {
    return addressOf(this.#api)
  }

  /** When a transfer has come to where it stands still. */
  standsStill(): Promise<void> {
    return new Promise((resolve) => this.#whenStill.push(resolve))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of [this.#api, this.#store]) {
      server.closeAllConnections()
      await new Promise((closed) => server.close(closed))
    }
  }

  /** The requests for weights: where each began. */
  rangesOfWeights(): (string | undefined)[] {
    return this.asked.filter(({ path }) => path.startsWith('/store/')).map(({ range }) => range)
  }

  #note(request: IncomingMessage): string {
    const path = (request.url ?? '').split('?')[0] ?? ''
    const { range, authorization } = request.headers
    this.asked.push({ path, range, authorization })
    return path
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = this.#note(request)
    const [, revision] = new RegExp(`^/api/models/${MODEL}(?:/revision/(.+))?$`).exec(path) ?? []
    const [, commit = '', name = ''] = new RegExp(`^/${MODEL}/resolve/([^/]+)/(.+)$`).exec(path) ?? []
    if (!path.includes(MODEL)) return refuse(response, 404, 'RepoNotFound')
    if (this.needsToken && request.headers.authorization !== `Bearer ${TOKEN}`)
      return refuse(response, 401, 'GatedRepo')
    const at = revision === undefined || revision === 'main' ? this.main : revision
    if (name === '' && !this.commits.has(at)) return refuse(response, 404, 'RevisionNotFound')
    if (name === '') return this.#tell(response, at)
    const body = this.files[name]
    if (body === undefined || !this.commits.has(commit)) return refuse(response, 404, 'EntryNotFound')
    if (isLarge(name)) {
      const location = `${addressOf(this.#store)}/store/${name}?${SIGNATURE}`
      response.writeHead(302, { location, 'x-linked-etag': `"${sha256(body)}"` }).end()
      return
    }
    response.writeHead(200, { etag: `"${gitSha1(body)}"`, 'content-length': body.length }).end(body)
  }

  #tell(response: ServerResponse, sha: string): void {
    const siblings = Object.entries(this.files).map(([rfilename, body]) => ({
      rfilename,
      size: body.length,
      blobId: gitSha1(body),
      ...(isLarge(rfilename) ? { lfs: { sha256: sha256(body), size: body.length, pointerSize: 134 } } : {}),
    }))
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ id: MODEL, sha, siblings }))
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const name = this.#note(request).replace('/store/', '')
    const whole = this.files[name] ?? Buffer.alloc(0)
    const fate = this.fates.shift()
    if (fate?.kind === 'refused') return refuse(response, fate.status, 'Unwell')
    const begin =
      fate?.kind === 'ignores ranges'
        ? 0
        : Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const rest = Buffer.from(whole.subarray(begin))
    if (fate?.kind === 'damaged') rest[rest.length - 1] = (rest.at(-1) ?? 0) ^ 1
    const range = begin > 0 ? { 'content-range': `bytes ${begin}-${whole.length - 1}/${whole.length}` } : {}
    response.writeHead(begin > 0 ? 206 : 200, { 'content-length': rest.length, ...range })
    if (fate?.kind !== 'breaks' && fate?.kind !== 'stands still') {
      this.bytesOfWeights += rest.length
      response.end(rest)
      return
    }
    response.write(rest.subarray(0, fate.afterBytes), () => {
      if (fate.kind === 'breaks') response.destroy()
      for (const tell of this.#whenStill.splice(0)) tell()
    })
  }
}

const isLarge = (name: string) => /\.(safetensors|bin|msgpack)$/.test(name)
const sha256 = (body: Buffer) => createHash('sha256').update(body).digest('hex')
const gitSha1 = (body: Buffer) =>
  createHash('sha1').update(`blob ${body.length}\0`).update(body).digest('hex')

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'x-error-code': code, 'x-error-message': code, 'content-length': 0 }).end()
}
