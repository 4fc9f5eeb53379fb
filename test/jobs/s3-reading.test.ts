// What breaks off in the middle of an object goes on there, as long as it is the same object.
import { expect, test } from 'vitest'
import { s3ClientOf } from '../../src/jobs/s3-client.ts'
import { readObject } from '../../src/jobs/s3-reading.ts'
import { startWeb } from '../fetching/web-server.ts'

const CONTENT = 'what a long recording that is'

test('an answer that breaks off is gone on with where it was, of the same object', async () => {
  await using store = await startStore({ breaksAfter: 10, etags: ['"one"'] })

  expect(await store.read()).toBe(CONTENT)

  expect(store.asked.map(({ headers }) => headers.range)).toEqual([undefined, 'bytes=10-', 'bytes=20-'])
  expect(store.asked.map(({ headers }) => headers['if-match'])).toEqual([undefined, '"one"', '"one"'])
})

test('an object that is another one meanwhile is not put together with the first', async () => {
  await using store = await startStore({ breaksAfter: 10, etags: ['"one"', '"two"'] })

  await expect(store.read()).rejects.toMatchObject({ $metadata: { httpStatusCode: 412 } })
})

test('a store that breaks off again and again without a byte is given up', async () => {
  await using store = await startStore({ breaksAfter: 0, etags: ['"one"'] })

  await expect(store.read()).rejects.toThrow('aborted')
  expect(store.asked).toHaveLength(3)
})

interface Store {
  readonly breaksAfter: number
  /** Of the object at each request; the last one stays. */
  readonly etags: readonly string[]
}

async function startStore({ breaksAfter, etags }: Store) {
  const web = await startWeb((request, response) => {
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const etag = etags[Math.min(web.asked.length, etags.length) - 1] ?? ''
    if (![undefined, etag].includes(request.headers['if-match'])) return void response.writeHead(412).end()
    const rest = CONTENT.slice(from)
    response.writeHead(from === 0 ? 200 : 206, { 'content-length': rest.length, etag })
    if (rest.length <= breaksAfter) response.end(rest)
    else response.write(rest.slice(0, breaksAfter), () => setImmediate(() => response.destroy()))
    response.flushHeaders()
  })
  const settings = { accessKeyId: 'a', secretAccessKey: 'b', bucket: 'c', endpointUrl: web.url }
  const client = s3ClientOf(settings)
  return {
    asked: web.asked,
    read: async () => {
      const chunks = await Array.fromAsync(readObject(client, { Bucket: 'c', Key: 'k' }))
      return Buffer.concat(chunks).toString()
    },
    async [Symbol.asyncDispose]() {
      client.destroy()
      await web[Symbol.asyncDispose]()
    },
  }
}
