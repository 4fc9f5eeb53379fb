import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { answersOf, chunk, chunkedHead, post, sharedReceiver, startReceiver } from './socket.ts'

const SOUND = 'RIFF\u00ff\u0000\u00fbdata'
const DATA = Buffer.from(SOUND, 'latin1').toString('base64')
const AUDIO = `"input_audio":{"data":"${DATA}","format":"wav"}`

const server = sharedReceiver()
/** Strings go out in UTF-8. */
const send = (body: string | Uint8Array, type = 'application/json') =>
  post(server(), typeof body === 'string' ? Buffer.from(body) : body, { 'content-type': type })

describe('a JSON body', () => {
  test('as Open WebUI sends it is a file and fields', async () => {
    const input_audio = { data: DATA, format: 'wav' }
    const answer = await send(JSON.stringify({ model: 'whisper-1', input_audio, language: 'da' }))

    expect(answer).toMatchObject({ status: 200, content: SOUND })
    expect(answer.fields).toEqual({ model: ['whisper-1'], 'input_audio[format]': ['wav'], language: ['da'] })
    expect(answer.sha256).toBe(createHash('sha256').update(SOUND, 'latin1').digest('hex'))
    expect(answer).not.toHaveProperty('name')
  })

  test.each([
    ['first', `{${AUDIO},"model":"m"}`],
    ['last', `{"model":"m",${AUDIO}}`],
    ['behind its format', `{"model":"m","input_audio":{"format":"wav","data":"${DATA}"}}`],
    [
      'with a name that is escaped',
      `{"model":"m","input\\u005faudio":{"d\\u0061ta":"${DATA}","format":"wav"}}`,
    ],
    ['with slashes that are escaped', `{"model":"m",${AUDIO.replaceAll('/', '\\/')}}`],
    ['between blanks', `\ufeff\r\n {"model" :\t"m" , ${AUDIO} }\n `],
  ])('may hold the audio %s', async (_where, body) => {
    expect(await send(body)).toMatchObject({ status: 200, fields: { model: ['m'] }, content: SOUND })
  })

  test.each(['application/json; charset=utf-8', 'Application/JSON', 'application/json ;charset="UTF-8"'])(
    'may be announced as %s',
    async (type) => {
      expect(await send(`{${AUDIO}}`, type)).toMatchObject({ status: 200, content: SOUND })
    },
  )

  test('becomes the fields that a form would have had', async () => {
    const { fields } = await send(
      `{${AUDIO},"stream":true,"guards":false,"temperature":0.20,"top":-1e-3,"prompt":"R\u00f8d\\n\\u00e6 \\ud83d\\ude00",
        "language":null,"languages":["da","en",null],"empty":[],"none":{},"blank":"",
        "include[]":["logprobs"],"nested":[["a"],["b"]],
        "chunking_strategy":{"type":"server_vad","threshold":0.5,"x":[1,{"y":true}]},"__proto__":{"x":"y"}}`,
    )

    expect(new Map(Object.entries(fields ?? {}))).toEqual(
      new Map(
        Object.entries({
          'input_audio[format]': ['wav'],
          stream: ['true'],
          guards: ['false'],
          temperature: ['0.20'],
          top: ['-1e-3'],
          prompt: ['R\u00f8d\n\u00e6 \u{1f600}'],
          'languages[]': ['da', 'en'],
          blank: [''],
          'include[]': ['logprobs'],
          'nested[]': ['a', 'b'],
          'chunking_strategy[type]': ['server_vad'],
          'chunking_strategy[threshold]': ['0.5'],
          'chunking_strategy[x][]': ['1'],
          'chunking_strategy[x][][y]': ['true'],
          '__proto__[x]': ['y'],
        }),
      ),
    )
  })

  test('arrives whole in chunks of one byte, without a length', async () => {
    const socket = server().connect()
    const body = `{"prompt":"R\\u00f8d","temperature":0.25,"stream":true,${AUDIO},"languages":["da",null]}`

    socket.write(chunkedHead('application/json') + body.replace(/./gs, chunk) + chunk(''), 'latin1')

    expect(await answersOf(socket)).toMatchObject([
      {
        status: 200,
        content: SOUND,
        fields: { prompt: ['R\u00f8d'], temperature: ['0.25'], stream: ['true'], 'languages[]': ['da'] },
      },
    ])
  })

  test('is read the same, wherever it is cut in two', async () => {
    const bytes = Buffer.from(`{"prompt":"\\ud83d\\ude00 \u{1f600}","x":[-1.5e2,true],${AUDIO}}`)

    for (let at = 0; at <= bytes.length; at++) {
      const request = new Request('http://localhost/', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: ReadableStream.from([bytes.subarray(0, at), bytes.subarray(at)]),
        duplex: 'half',
      })

      expect(await server().answer(request)).toMatchObject({
        content: SOUND,
        fields: { prompt: ['\u{1f600} \u{1f600}'], 'x[]': ['-1.5e2', 'true'] },
      })
    }
  })

  test.each([
    ['a data: URL', `data:audio/wav;base64,${DATA}`],
    ['lines', DATA.replace(/.{4}/g, '$&\\r\\n')],
    ['the alphabet for URLs, unpadded', Buffer.from(SOUND, 'latin1').toString('base64url')],
  ])('may spell its audio in %s', async (_how, data) => {
    expect(await send(`{"input_audio":{"data":"${data}"}}`)).toMatchObject({ status: 200, content: SOUND })
  })

  test.each([
    ['is missing', '{"model":"m"}', 'missing_file', 'input_audio.data', /form field "file".*"input_audio"/],
    ['is null', '{"input_audio":null}', 'missing_file', 'input_audio.data', /"file"/],
    ['holds null', '{"input_audio":{"data":null}}', 'missing_file', 'input_audio.data', /"file"/],
    [
      'is under a name with a dot',
      `{"input_audio.data":"${DATA}"}`,
      'missing_file',
      'input_audio.data',
      /"file"/,
    ],
    ['is deeper down', `{"x":{${AUDIO}}}`, 'missing_file', 'input_audio.data', /"file"/],
    ['is empty', '{"input_audio":{"data":""}}', 'empty_file', 'input_audio.data', /empty/],
    [
      'is an empty URL',
      '{"input_audio":{"data":"data:;base64,"}}',
      'empty_file',
      'input_audio.data',
      /empty/,
    ],
    ['is a string', `{"input_audio":"${DATA}"}`, 'invalid_value', 'input_audio', /object/],
    ['is a list', `{"input_audio":[{"data":"${DATA}"}]}`, 'invalid_value', 'input_audio', /object/],
    ['holds a number', '{"input_audio":{"data":17}}', 'invalid_value', 'input_audio.data', /string/],
    ['holds an object', '{"input_audio":{"data":{}}}', 'invalid_value', 'input_audio.data', /string/],
    ['holds a yes', '{"input_audio":{"data":true}}', 'invalid_value', 'input_audio.data', /string/],
    [
      'is no base64',
      '{"input_audio":{"data":"RIFF....WAVE"}}',
      'invalid_value',
      'input_audio.data',
      /base64.*"\."/,
    ],
    ['is cut', '{"input_audio":{"data":"QUJDR"}}', 'invalid_value', 'input_audio.data', /base64/],
    ['is there twice', `{${AUDIO},${AUDIO}}`, 'invalid_value', 'input_audio.data', /more than once/],
  ])('is refused when its audio %s', async (_how, body, code, param, message) => {
    const answer = await send(body)

    expect(answer).toMatchObject({ status: 400, code, param })
    expect(answer.message).toMatch(message)
  })

  test.each([
    ['is empty', ''],
    ['is blank', ' \n'],
    ['is a list', `[{${AUDIO}}]`],
    ['is a string', `"${DATA}"`],
    ['is null', 'null'],
    ['is a number', '17'],
    ['goes on behind its end', `{${AUDIO}} {}`],
    ['lacks its end', `{${AUDIO}`],
    ['ends in the audio', `{"input_audio":{"data":"${DATA}`],
    ['ends in a number', `{"temperature":0.`],
    ['holds a comma too much', `{${AUDIO},}`],
    ['holds a comment', `{${AUDIO}/* hej */}`],
    ['holds single quotes', `{'model':'m',${AUDIO}}`],
    ['holds a line break in a string', `{"prompt":"a\nb",${AUDIO}}`],
    ['holds an unknown word', `{"prompt":None,${AUDIO}}`],
    ['is not UTF-8', Buffer.from(`{"prompt":"R\u00f8d",${AUDIO}}`, 'latin1')],
    ['is nested too deep', `{"x":${'['.repeat(8)}1${']'.repeat(8)},${AUDIO}}`],
    ['is nested far too deep', `{"x":${'['.repeat(500_000)}`],
    ['holds too many fields', `{"keywords":[${'"k",'.repeat(256)}"k"],${AUDIO}}`],
    ['holds too many nothings', `{"x":[${'null,'.repeat(1024)}null],${AUDIO}}`],
    ['holds a name that is too long', `{"${'n'.repeat(300)}":1,${AUDIO}}`],
    ['is a form after all', '--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--b--\r\n'],
  ])('that %s is refused', async (_how, body) => {
    expect(await send(body)).toMatchObject({ status: 400, code: 'invalid_json' })
  })

  test.each([
    ['lacks its end', `{${AUDIO}`, 'it ends too early'],
    ['lacks a comma', `{"model":"m" ${AUDIO}}`, "expected ','"],
    ['is a list', `[]`, 'it is not an object'],
    ['is not UTF-8', Buffer.from([0x7b, 0xff]), 'utf-8'],
  ])('that %s is refused in words that help', async (_how, body, words) => {
    expect((await send(body)).message).toContain(words)
  })

  test.each([
    ['text', `"${'p'.repeat(2_000_000)}"`],
    ['digits', '1'.repeat(2_000_000)],
  ])('with a field of 2 MB of %s is refused by its name', async (_what, value) => {
    await using roomy = await startReceiver({ maxBodyBytes: 5_000_000, idleMs: 60_000 })
    const body = `{"x":{"prompt":${value}},${AUDIO}}`
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(roomy.url, { method: 'POST', body, headers })

    expect(await response.json()).toMatchObject({ status: 400, code: 'invalid_value', param: 'x[prompt]' })
    expect(await roomy.leftovers()).toEqual([])
  })

  test('that says it is too long is refused', async () => {
    expect(await send(`{"x":"${'x'.repeat(1_000_000)}"}`)).toMatchObject({
      status: 413,
      code: 'file_too_large',
    })
  })

  test('that outgrows the limit on the way is refused, and the next request on the connection is not', async () => {
    const socket = server().connect()
    const answers = answersOf(socket, 2)

    socket.write(chunkedHead('application/json') + chunk('{"input_audio":{"data":"'))
    for (let sent = 0; sent < 30; sent++) socket.write(chunk('A'.repeat(100_000)))
    socket.write(chunk('"}}') + chunk(''))
    socket.write(chunkedHead('application/json') + chunk(`{${AUDIO}}`) + chunk(''))

    expect(await answers).toMatchObject([{ status: 413, code: 'file_too_large' }, { status: 200 }])
  })

  test('of a client that hung up leaves nothing behind', async () => {
    const outcome = server().nextOutcome()
    const socket = server().connect()
    socket.write(chunkedHead('application/json') + chunk('{"input_audio":{"data":"QUJDQUJD'))
    await expect.poll(() => server().leftovers()).toHaveLength(2)

    socket.destroy()

    expect(await outcome).toMatchObject({ status: 499, code: 'client_closed_request' })
  })

  test('of which nothing more comes is refused after the idle time', async () => {
    await using impatient = await startReceiver({ maxBodyBytes: 1_000_000, idleMs: 50 })
    const socket = impatient.connect()

    socket.write(chunkedHead('application/json') + chunk('{"input_audio":{"data":"QUJDQUJD'))

    expect(await answersOf(socket)).toMatchObject([{ status: 408, code: 'request_timeout' }])
    expect(await impatient.leftovers()).toEqual([])
  })
})
