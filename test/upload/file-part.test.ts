import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { END, part, post, sharedReceiver } from './socket.ts'

const server = sharedReceiver()
const send = (body: string) => post(server(), body)

describe('a file', () => {
  test.each([
    ['filename="../../etc/passwd"', 'passwd'],
    ['filename="C:\\\\Windows\\\\a.wav"', 'a.wav'],
    ['filename="-"', '-'],
    [`filename="${'n'.repeat(1000)}"`, 'n'.repeat(255)],
  ])('with %s is called %s and stored under a name of ours', async (disposition, name) => {
    const answer = await send(part(`name="file"; ${disposition}`, 'sound') + END)

    expect(answer).toMatchObject({ status: 200, name, content: 'sound' })
  })

  test('keeps its name in UTF-8', async () => {
    const body = new FormData()
    body.append('file', new Blob(['sound']), 'møde på Ærø.wav')
    const response = await fetch(server().url, { method: 'POST', body })

    expect(await response.json()).toMatchObject({ name: 'møde på Ærø.wav' })
  })

  test.each([
    ['"', '"say %22hej%22.wav"', 'say "hej".wav'],
    ['UTF-8', '"m\u00c3\u00b8de.wav"', 'm\u00f8de.wav'],
    ['quotes', 'm.wav', 'm.wav'],
    ['an escape', '"a\\"b.wav"', 'a"b.wav'],
    ['a semicolon', '"a;b.wav"', 'a;b.wav'],
    ['percents', '"100%.wav"; filename*=UTF-8\'\'m%C3%B8de.wav', 'm\u00f8de.wav'],
    ['broken percents', '"100%.wav"; filename*=UTF-8\'\'m%C3', '100%.wav'],
    ['an unbroken path', '"C:\\fake\\a.wav"', 'a.wav'],
  ])('may have a name with %s in it', async (_what, filename, name) => {
    expect(await send(part(`name="file"; filename=${filename}`, 'sound') + END)).toMatchObject({ name })
  })

  test.each([
    ['', undefined],
    ['', 'text/plain; charset=utf-8'],
    ['', 'audio/webm;codecs=opus'],
    ['', 'application/octet-stream'],
    ['', 'audio/x; =broken'],
    ['; filename=""', undefined],
    ['; filename=".."', 'audio/wav'],
  ])('without a name is a file: %j of type %s', async (filename, type) => {
    const bytes = 'so\u00ff\u00fe\u0000\r\nund'
    const answer = await send(part(`name="file"${filename}`, bytes, type) + END)

    expect(answer).toMatchObject({ status: 200, fields: {}, content: bytes })
    expect(answer).not.toHaveProperty('name')
  })

  test('may be called file[], as PHP and its kin would', async () => {
    const answer = await send(part('name="file[]"; filename="a.wav"', 'sound') + END)

    expect(answer).toMatchObject({ status: 200, name: 'a.wav', content: 'sound' })
  })

  test('is known by the hash of its bytes, however they came', async () => {
    const sound = 'so\u00ff\u0000und'.repeat(20_000)
    const { sha256 } = await send(part('name="file"', sound) + END)

    expect(sha256).toBe(createHash('sha256').update(sound, 'latin1').digest('hex'))
  })

  test.each([
    ['of no bytes and no name', part('name="file"', ''), 'empty_file', /empty/],
    ['of no bytes', part('name="file"; filename="a.wav"', ''), 'empty_file', /empty/],
    [
      'under another name',
      part('name="audio"; filename="a.wav"', 'sound'),
      'missing_file',
      /"file".*"audio"/,
    ],
    [
      'under another name and without its own',
      part('name="data"', 'sound', 'application/octet-stream'),
      'missing_file',
      /"file".*"data"/,
    ],
    ['that is not there', part('name="model"', 'x'), 'missing_file', /"file".*"input_audio"/],
  ])('%s is refused', async (_what, body, code, message) => {
    const answer = await send(body + END)

    expect(answer).toMatchObject({ status: 400, code, param: 'file' })
    expect(answer.message).toMatch(message)
  })
})
