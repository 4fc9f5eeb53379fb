/** Where Redis is, from the URL of the settings. Its password goes to the connection and into no message. */
import type { RedisOptions } from 'ioredis'

const USUAL_PORT = 6379

/** Before the name of every key. */
export const USUAL_PREFIX = 'hviske'

export interface RedisAddress {
  /** For people: host, port and database, nothing secret. */
  readonly name: string
  readonly options: RedisOptions
}

/** @throws Error that does not repeat the URL */
export function redisAddress(text: string): RedisAddress {
  const url = parsed(text)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const port = url.port === '' ? USUAL_PORT : Number(url.port)
  const database = url.pathname.slice(1)
  if (!/^\d*$/.test(database)) throw new Error('the path of the queue’s URL must be the number of a database')
  return {
    name: `${url.hostname}:${port}${database === '' ? '' : `/${database}`}`,
    options: {
      host,
      port,
      ...(url.username === '' ? {} : { username: decodeURIComponent(url.username) }),
      ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
      ...(database === '' ? {} : { db: Number(database) }),
      ...(url.protocol === 'rediss:' ? { tls: {} } : {}),
    },
  }
}

function parsed(text: string): URL {
  const url = URL.parse(text)
  // The parser's own error would quote the text, and with it the password.
  if (url === null || !['redis:', 'rediss:'].includes(url.protocol) || url.hostname === '') {
    throw new Error('the URL of the queue must be redis://HOST:PORT or rediss://HOST:PORT')
  }
  return url
}
