// Files that are made to be swallowed the wrong way, and files that only look so. Made by hand or with ffmpeg itself, all small.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { picture, tone, type Workbench } from './recordings.ts'

type Make = (bench: Workbench) => Promise<string>

/** Writes a file of these bytes. */
const bytes =
  (name: string, content: string | Uint8Array): Make =>
  async ({ directory }) => {
    const path = join(directory, name)
    await writeFile(path, content)
    return path
  }

/** Makes a file with ffmpeg and then changes its bytes. */
const made =
  (args: readonly string[], change: (content: Buffer) => Uint8Array = (content) => content): Make =>
  async (bench) => {
    const path = await bench.make(...args)
    await writeFile(path, change(await readFile(path)))
    return path
  }

export interface WavClaims {
  readonly samples?: number
  readonly rate?: number
  readonly channels?: number
  readonly bits?: number
  readonly format?: number
  readonly claimedBytes?: number
}

/** A WAV of samples, whatever its header claims. */
export function wav(claims: WavClaims = {}): Buffer {
  const { samples = 16_000, rate = 16_000, channels = 1, bits = 16, format = 1 } = claims
  const { claimedBytes = samples * 2 } = claims
  const content = Buffer.alloc(44 + samples * 2, 1)
  content.write('RIFF', 0, 'latin1')
  content.writeUInt32LE((36 + claimedBytes) >>> 0, 4)
  content.write('WAVEfmt ', 8, 'latin1')
  content.writeUInt32LE(16, 16)
  content.writeUInt16LE(format, 20)
  content.writeUInt16LE(channels, 22)
  content.writeUInt32LE(rate, 24)
  content.writeUInt32LE((rate * channels * (bits / 8)) >>> 0, 28)
  content.writeUInt16LE((channels * (bits / 8)) & 0xffff, 32)
  content.writeUInt16LE(bits, 34)
  content.write('data', 36, 'latin1')
  content.writeUInt32LE(claimedBytes >>> 0, 40)
  return content
}

/** Two seconds of tone with a jump of the timestamps after the first. */
const jump = (seconds: number) => [
  ...tone(2),
  '-af',
  `asetpts='PTS+if(gte(T,1),${seconds}/TB,0)'`,
  '-c:a',
  'libopus',
]
const twice = (content: Buffer) => Buffer.concat([content, content])
const junk = (length: number) => Buffer.from(Array.from({ length }, (_, i) => (i * 7919 + (i >> 3)) % 251))
const SRT = '1\n00:00:00,000 --> 00:00:01,000\nHej.\n'

/** What each is refused with. */
export const HOSTILE: readonly (readonly [what: string, make: Make, code: string])[] = [
  [
    'an HLS playlist',
    bytes('a.m4a', '#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nsecret.ts\n#EXT-X-ENDLIST\n'),
    'invalid_audio',
  ],
  [
    'an HLS playlist of a server',
    bytes('a.mp3', '#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n'),
    'invalid_audio',
  ],
  ['an ffconcat script', bytes('a.m4a', 'ffconcat version 1.0\nfile secret.ts\n'), 'invalid_audio'],
  ['ffmpeg metadata', bytes('a.m4a', ';FFMETADATA1\ntitle=x\n'), 'invalid_audio'],
  [
    'a description of a session (SDP)',
    bytes('a.wav', 'v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n'),
    'invalid_audio',
  ],
  [
    'a DASH manifest',
    bytes(
      'a.mp4',
      '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>secret.ts</BaseURL></MPD>',
    ),
    'invalid_audio',
  ],
  [
    'a page of a web server',
    bytes('a.mp3', '<!doctype html><title>502 Bad Gateway</title>'),
    'invalid_audio',
  ],
  ['an archive', bytes('a.wav', gzipSync(wav())), 'invalid_audio'],
  ['44 bytes of header', bytes('a.wav', wav({ samples: 0 })), 'audio_too_short'],
  ['a header without its data', bytes('a.wav', wav().subarray(0, 36)), 'invalid_audio'],
  ['a WAV that denies most of its samples', bytes('a.wav', wav({ claimedBytes: 4 })), 'audio_too_short'],
  ['one sample a second', bytes('a.wav', wav({ rate: 1, samples: 500_000 })), 'audio_too_long'],
  ['no samples a second', bytes('a.wav', wav({ rate: 0 })), 'invalid_audio'],
  ['four billion samples a second', bytes('a.wav', wav({ rate: 0xffff_ffff })), 'invalid_audio'],
  ['no channels', bytes('a.wav', wav({ channels: 0 })), 'invalid_audio'],
  ['65535 channels', bytes('a.wav', wav({ channels: 65_535 })), 'invalid_audio'],
  ['64 channels that nobody can mix', bytes('a.wav', wav({ channels: 64 })), 'invalid_audio'],
  ['samples of no bits', bytes('a.wav', wav({ bits: 0 })), 'invalid_audio'],
  ['a codec that does not exist', bytes('a.wav', wav({ format: 0x1234 })), 'invalid_audio'],
  [
    'an mp4 whose index was cut off',
    made([...tone(2), 'a.m4a'], (all) => all.subarray(0, 9000)),
    'invalid_audio',
  ],
  [
    'an encrypted mp4',
    made(
      [
        [...tone(2), '-c:a', 'aac', '-encryption_scheme', 'cenc-aes-ctr'],
        ['-encryption_key', '76a6c65c5ea762046bd749a2e632ccbb'],
        ['-encryption_kid', 'a7e61c373e219033c21091fa607bf3b8', 'a.mp4'],
      ].flat(),
    ),
    'invalid_audio',
  ],
  [
    'more than 64 tracks',
    made([
      ...tone(0.2),
      ...Array.from({ length: 65 }, () => ['-map', '0:a']).flat(),
      '-c:a',
      'pcm_s16le',
      'a.mkv',
    ]),
    'invalid_audio',
  ],
  ['an animated picture', made([...picture(1), '-f', 'gif', 'a.mp3']), 'invalid_audio'],
  ['subtitles', bytes('a.mp3', SRT), 'invalid_audio'],
  [
    'a video of nothing but subtitles',
    async (bench) => bench.make('-i', await bytes('a.srt', SRT)(bench), '-c:s', 'srt', 'a.mkv'),
    'no_audio_track',
  ],
  ['a video without sound', made([...picture(1), 'a.mp4']), 'no_audio_track'],
]

/** How many seconds each is. */
export const STRANGE: readonly (readonly [what: string, make: Make, seconds: number])[] = [
  ['a WAV that claims four gigabytes', bytes('a.wav', wav({ claimedBytes: 0xffff_fff0 })), 1],
  ['a truncated WAV', bytes('a.wav', wav().subarray(0, 44 + 16_000)), 0.5],
  ['junk before an ADTS stream', made([...tone(2), 'a.aac'], (all) => Buffer.concat([junk(5000), all])), 2],
  ['a W64', made([...tone(2), 'a.w64']), 2],
  ['an RF64', made([...tone(2), '-rf64', 'always', 'a.wav']), 2],
  ['a flac with damaged frames', made([...tone(2), 'a.flac'], damaged), 2],
  ['an mp4 with its index at the end', made([...tone(2), 'a.m4a']), 2],
  ['100 kB of comments', made([...tone(2), '-metadata', `comment=${'x'.repeat(100_000)}`, 'a.mp3']), 2],
  [
    'a picture and an attachment beside the sound',
    async (bench) => {
      const text = await bytes('a.txt', 'not audio')(bench)
      const streams = ['-map', '0:a', '-map', '1:v', '-attach', text, '-metadata:s:t', 'mimetype=text/plain']
      return bench.make(...tone(2), ...picture(2), ...streams, 'a.mkv')
    },
    2,
  ],
  [
    '64 tracks, of which the first counts',
    made([
      ...tone(0.5),
      ...Array.from({ length: 64 }, () => ['-map', '0:a']).flat(),
      '-c:a',
      'pcm_s16le',
      'a.mkv',
    ]),
    0.5,
  ],
  ['a chained Ogg', made([...tone(2), '-c:a', 'libvorbis', 'a.ogg'], twice), 4],
  ['a WebM behind a WebM', made([...tone(2), '-c:a', 'libopus', 'a.webm'], twice), 4],
  [
    'an mp3 that becomes stereo after more than a minute',
    async (bench) => {
      const mono = await readFile(await bench.make(...tone(62), '-ac', '1', '-b:a', '32k', 'mono.mp3'))
      const stereo = await readFile(await bench.make(...tone(2), '-ac', '2', 'stereo.mp3'))
      return bytes('a.mp3', Buffer.concat([mono, stereo]))(bench)
    },
    64,
  ],
  ['a pause of 50 minutes', made([...jump(3000), 'a.mkv']), 3002],
  ['a pause of 50 minutes in six channels', made([...jump(3000).slice(0, -2), '-ac', '6', 'a.mka']), 3002],
  ['timestamps that jump by six hours', made([...jump(20_000), 'a.mkv']), 2],
  ['timestamps that jump by four days', made([...jump(360_000), 'a.mkv']), 2],
  [
    'timestamps that begin on the fourth day',
    made(['-itsoffset', '360000', ...tone(2), ...picture(2), '-map', '0:a', '-map', '1:v', 'a.mkv']),
    2,
  ],
]

function damaged(content: Buffer): Buffer {
  for (let at = 9000; at < content.length; at += 997) content.writeUInt8(content.readUInt8(at) ^ 0x5a, at)
  return content
}
