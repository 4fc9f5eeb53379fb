/** What cannot be right, as a request, and what may be said to it. How it is sent is decided elsewhere. */
import { gzipSync } from 'node:zlib'
import type { FailureCode } from '../../src/failure.ts'
import { wav } from '../audio/hostile-files.ts'
import type { Chance } from './chance.ts'
import { type Body, type Head, multipart } from './request-bytes.ts'

export interface Wrong {
  readonly head?: Partial<Head>
  readonly body?: Body
  /** Instead of all that. */
  readonly bytes?: Buffer
  readonly allowed: readonly (FailureCode | 'ok')[]
  readonly mayBeSeveral?: boolean
  readonly leavesAfterMs?: number
}

export const SPEECH = '/v1/audio/transcriptions'
const GOOD = wav({ samples: 32_000 })
const NO_FIELDS = { boundary: 'x', fields: {} }
const form = (content: Buffer, fields: Record<string, string> = {}) =>
  multipart({ boundary: 'x', fields, file: { name: 'a.m4a', content } })
const file = (content: Buffer | string, ...allowed: FailureCode[]): Wrong => ({
  body: form(Buffer.from(content)),
  allowed,
})
const raw = (content: string, contentType: string, ...allowed: FailureCode[]): Wrong => ({
  body: { contentType, content: Buffer.from(content) },
  allowed,
})
const PART = '--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nRIFF'
const FORM = 'multipart/form-data; boundary=x'

/** What is sent, and what may be said to it. */
export const WRONGS: Readonly<Record<string, (chance: Chance) => Wrong>> = {
  'a playlist': () => file('#EXTM3U\n#EXTINF:9,\nsecret.ts\n#EXT-X-ENDLIST\n', 'invalid_audio'),
  'an ffconcat script': () => file('ffconcat version 1.0\nfile /etc/passwd\n', 'invalid_audio'),
  'a web page': () => file('<!doctype html><title>502 Bad Gateway</title>', 'invalid_audio'),
  garbage: (chance) =>
    file(
      Buffer.from(Array.from({ length: chance.between(100, 20_000) }, () => chance.between(0, 255))),
      'invalid_audio',
      'audio_too_short',
      'no_audio_track',
    ),
  'an archive': () => file(gzipSync(GOOD), 'invalid_audio'),
  'a header without samples': () => file(wav({ samples: 0 }), 'audio_too_short'),
  'one sample a second': () => file(wav({ rate: 1, samples: 100_000 }), 'audio_too_long'),
  '65535 channels': () => file(wav({ channels: 65_535 }), 'invalid_audio'),
  'zero bytes': () => file('', 'empty_file'),
  'no file': () => ({
    body: multipart({ boundary: 'x', fields: { language: 'da' } }),
    allowed: ['missing_file'],
  }),
  'an empty form': () => ({ body: multipart(NO_FIELDS), allowed: ['missing_file'] }),
  'a boundary of 300': () =>
    raw('x', `multipart/form-data; boundary=${'b'.repeat(300)}`, 'invalid_multipart'),
  'no boundary': () => raw('x', 'multipart/form-data', 'invalid_multipart'),
  'another boundary': () => raw(PART, 'multipart/form-data; boundary=y', 'invalid_multipart', 'missing_file'),
  'a truncated form': () => raw(PART, FORM, 'invalid_multipart'),
  'a flood of parts': () =>
    raw(
      '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n'.repeat(5000) + '--x--\r\n',
      FORM,
      'invalid_multipart',
      'missing_file',
      'invalid_value',
    ),
  'broken json': () =>
    raw('{"input_audio": {"data": "AAAA"', 'application/json', 'invalid_json', 'missing_file'),
  'no base64': () =>
    raw(
      '{"input_audio": {"data": "?!"}}',
      'application/json',
      'invalid_value',
      'invalid_json',
      'invalid_audio',
    ),
  'plain text': () => raw('hello', 'text/plain', 'unsupported_media_type'),
  'a gzip body': () => ({
    head: { headers: { 'content-encoding': 'gzip' } },
    body: { contentType: FORM, content: gzipSync(form(GOOD).content) },
    allowed: ['unsupported_media_type'],
  }),
  'a bad field': () => ({ body: form(GOOD, { temperature: 'hot' }), allowed: ['invalid_value'] }),
  'a bad language': () => ({ body: form(GOOD, { language: 'klingon' }), allowed: ['invalid_language'] }),
  'a bad format': () => ({ body: form(GOOD, { response_format: 'docx' }), allowed: ['invalid_value'] }),
  'another model': () => ({ body: form(GOOD, { model: 'gpt-5' }), allowed: ['model_not_found'] }),
  'a wrong key': () => ({
    head: { headers: { authorization: 'Bearer sk-wrong' } },
    body: form(GOOD),
    allowed: ['invalid_api_key'],
  }),
  'no key': () => ({
    head: { headers: { authorization: '' } },
    body: form(GOOD),
    allowed: ['invalid_api_key'],
  }),
  'another path': () => ({ head: { path: '/v1/audio/speech' }, body: form(GOOD), allowed: ['not_found'] }),
  'a path that climbs': () => ({
    head: { method: 'GET', path: '/docs/../../../etc/passwd' },
    allowed: ['not_found'],
  }),
  'another method': () => ({ head: { method: 'GET' }, allowed: ['method_not_allowed'] }),
  'too large': () => ({
    head: { headers: { 'content-length': '99999999' } },
    body: form(GOOD),
    allowed: ['file_too_large'],
    leavesAfterMs: 2000,
  }),
  'a length too long': () => ({
    head: { headers: { 'content-length': '999999' } },
    body: form(GOOD),
    allowed: [],
    leavesAfterMs: 1500,
  }),
  'a length too short': () => ({
    head: { headers: { 'content-length': '1000' } },
    body: form(GOOD),
    allowed: ['invalid_multipart', 'malformed_request'],
    mayBeSeveral: true,
  }),
  'two lengths': () => ({
    bytes: Buffer.from(
      `POST ${SPEECH} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef`,
    ),
    allowed: ['malformed_request'],
  }),
  'a chunk without a size': () => ({
    bytes: Buffer.from(
      `POST ${SPEECH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n`,
    ),
    allowed: ['malformed_request', 'invalid_api_key'],
    mayBeSeveral: true,
  }),
  'no http': () => ({ bytes: Buffer.from('\0\0\0\0hello\r\n\r\n'), allowed: ['malformed_request'] }),
  'a head of 40 kB': () => ({
    head: { headers: { 'x-long': 'x'.repeat(40_000) } },
    body: form(GOOD),
    allowed: ['headers_too_large'],
  }),
  'a name that climbs': () => ({
    body: multipart({
      boundary: 'x',
      fields: {},
      file: { name: '../../../../tmp/chaos-was-here', content: GOOD },
    }),
    allowed: ['ok'],
  }),
}
