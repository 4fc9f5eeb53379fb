/** A server that answers with what receive() made of the request, and clients that write raw bytes to its socket. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import type { Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serve } from '@hono/node-server'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { Failure } from '../../src/failure.ts'
import { DiskRoom } from '../../src/upload/disk-room.ts'
import { receive } from '../../src/upload/receive.ts'

export interface Received {
  readonly status: number
  readonly code?: string
  readonly message?: string
  readonly param?: string | null
  readonly fields?: Readonly<Record<string, readonly string[]>>
  readonly name?: string
  readonly content?: string
  readonly sha256?: string
}

type Receiver = Awaited<ReturnType<typeof startReceiver>>

/** `nextOutcome` resolves also with those that no client is left to read. */
export async function startReceiver({
  maxBodyBytes = 1_000_000,
  idleMs = 60_000,
  disk = new DiskRoom({ reserveBytes: 0, freeBytes: async () => Number.POSITIVE_INFINITY }),
} = {}) {
  const limits = { maxBodyBytes, idleMs, disk }
  const spoolDir = await mkdtemp(join(tmpdir(), 'hviske-upload-'))
  let saw: (outcome: Received) => void = () => {}

  const answer = async (request: Request): Promise<Received> => {
    try {
      await using upload = await receive(request, spoolDir, limits)
      const { path, name, sha256 } = upload.file
      const content = (await readFile(path)).toString('latin1')
      const fields = Object.fromEntries(upload.fields)
      return { status: 200, fields, ...(name && { name }), content, sha256 }
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      return { status: error.status, code: error.code, message: error.message, param: error.param }
    }
  }
  const server = serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: async (request: Request) => {
      const outcome = await answer(request)
      saw(outcome)
      return Response.json(outcome, { status: outcome.status })
    },
  }) as Server
  if (!server.listening) await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo

  return {
    answer,
    url: `http://127.0.0.1:${port}`,
    leftovers: () => readdir(spoolDir, { recursive: true }),
    nextOutcome: () => new Promise<Received>((resolve) => (saw = resolve)),
    connect: () => connect(port, '127.0.0.1').on('error', () => {}),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await rm(spoolDir, { recursive: true, force: true })
    },
  }
}

/** One receiver for the tests of a file. A test that leaves something on disk fails. */
export function sharedReceiver(): () => Receiver {
  let receiver: Receiver | undefined
  beforeAll(async () => {
    receiver = await startReceiver()
  })
  afterEach(async () => {
    expect(await receiver?.leftovers()).toEqual([])
  })
  afterAll(async () => {
    await receiver?.[Symbol.asyncDispose]()
  })
  return () => receiver ?? expect.unreachable('the tests have not begun')
}

export const BOUNDARY = 'b0undary'

/** One part of a form; `disposition` is what follows `form-data`. */
export function part(disposition: string, content: string, type?: string): string {
  const contentType = type === undefined ? '' : `Content-Type: ${type}\r\n`
  return `--${BOUNDARY}\r\nContent-Disposition: form-data; ${disposition}\r\n${contentType}\r\n${content}\r\n`
}

export const END = `--${BOUNDARY}--\r\n`
export const FILE = part('name="file"; filename="a.wav"', 'RIFF\u00ff\u0000data', 'audio/wav')

/** Each character of a string is a byte. */
export async function post(
  { url }: Receiver,
  body: string | Uint8Array,
  headers: Record<string, string> = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
): Promise<Received> {
  const bytes = typeof body === 'string' ? Buffer.from(body, 'latin1') : Buffer.from(body)
  const response = await fetch(url, { method: 'POST', body: bytes, headers })
  return (await response.json()) as Received
}

/** Headers of a request whose body comes in chunks, as openai-node sends it; `chunk` frames a piece of it. */
export function chunkedHead(contentType = `multipart/form-data; boundary=${BOUNDARY}`): string {
  return `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: ${contentType}\r\nTransfer-Encoding: chunked\r\n\r\n`
}

export function chunk(content: string): string {
  return `${content.length.toString(16)}\r\n${content}\r\n`
}

/** Reads so many JSON answers from the socket and then closes it. */
export async function answersOf(socket: Socket, count = 1): Promise<Received[]> {
  let text = ''
  for await (const bytes of socket.setEncoding('utf8')) {
    text += String(bytes)
    const bodies = [...text.matchAll(/\r\n\r\n(\{[^\r]*\})/g)].map(([, body]) => body ?? '')
    if (bodies.length === count) return bodies.map((body) => JSON.parse(body) as Received)
  }
  throw new Error(`the connection ended without an answer: ${text}`)
}
