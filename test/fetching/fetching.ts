/** Fetching as tests do it: into a directory of their own, from this machine, with what they change of the limits. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { type AddressInfo, connect, createServer as createPlainServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'vitest'
import { Failure } from '../../src/failure.ts'
import { type FetchLimits, fetchLimitsOf } from '../../src/fetching/fetch-limits.ts'
import { fetchRecording } from '../../src/fetching/fetch-recording.ts'
import { diskRoomOf } from '../../src/upload/disk-room.ts'

const LOOPBACK = ['127.0.0.0/8']

export async function startFetching(
  changes: Partial<FetchLimits> & { allowedNetworks?: readonly string[] } = {},
) {
  const { allowedNetworks = LOOPBACK, ...others } = changes
  const directory = await mkdtemp(join(tmpdir(), 'hviske-fetch-'))
  const path = join(directory, 'fetched')
  const usual = fetchLimitsOf({
    allowedNetworks,
    ports: [80, 443],
    maxBytes: 100 * 1024 ** 2,
    disk: diskRoomOf(directory, 0),
    totalSeconds: 20,
  })
  const limits = { ...usual, ...others }
  const fetch = (url: string, signal = new AbortController().signal) =>
    fetchRecording(url, path, limits, signal)
  return {
    directory,
    path,
    limits,
    fetch,
    leftovers: async () => (await readdir(directory)).filter((name) => name === 'fetched'),
    refusal: async (url: string): Promise<Failure> => {
      const error = await fetch(url).then(
        () => undefined,
        (refused: unknown) => refused,
      )
      if (error instanceof Failure) return error
      throw new Error('it was not refused', { cause: error })
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  }
}

export async function closed(sockets: readonly { readonly destroyed: boolean }[]): Promise<void> {
  expect(sockets.length).toBeGreaterThan(0)
  await expect.poll(() => sockets.every(({ destroyed }) => destroyed)).toBe(true)
}

/** Bytes that are sent to whoever connects, whatever is asked. */
export async function startRaw(answer: string) {
  const server = createPlainServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end(answer))
  })
  return listening(server, '127.0.0.1')
}

/** Another address of this machine, behind which the same server answers. */
export async function startOn(address: string, port: number) {
  const server = createPlainServer((socket) => {
    const inner = connect(port, '127.0.0.1')
    for (const end of [socket, inner]) end.on('error', () => {})
    socket.pipe(inner).pipe(socket)
  })
  return listening(server, address)
}

async function listening(server: ReturnType<typeof createPlainServer>, address: string) {
  server.listen(0, address)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `http://${address}:${port}`,
    async [Symbol.asyncDispose]() {
      server.close()
    },
  }
}

export async function selfSigned(directory: string): Promise<[key: string, certificate: string]> {
  const [key, certificate] = [join(directory, 'key.pem'), join(directory, 'certificate.pem')]
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  const made = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '1',
  ]
  await promisify(execFile)('openssl', [...made, ...subject, '-keyout', key, '-out', certificate])
  return [await readFile(key, 'utf8'), await readFile(certificate, 'utf8')]
}
