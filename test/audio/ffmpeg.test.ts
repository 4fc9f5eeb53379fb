import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, onTestFinished, test } from 'vitest'
import { findFfmpeg, NO_FFMPEG } from '../../src/audio/ffmpeg.ts'
import { FFMPEG } from './recordings.ts'

async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'hviske-ffmpeg-'))
  onTestFinished(() => rm(path, { recursive: true }))
  return path
}

async function program(path: string, script: string): Promise<string> {
  await writeFile(path, `#!/bin/sh\n${script}\n`)
  await chmod(path, 0o755)
  return path
}

/** Finds in a process whose PATH holds nothing but `sh`'s builtins, as on a bare machine. */
async function findWithout(pythonPath: string, path: string): Promise<string> {
  const module = new URL('../../src/audio/ffmpeg.ts', import.meta.url).href
  const script = `
    const { findFfmpeg } = await import(${JSON.stringify(module)})
    const found = await findFfmpeg({ ffmpegPath: undefined, pythonPath: ${JSON.stringify(pythonPath)} }).catch((e) => e)
    console.log(found.path ?? found.message)`
  const { stdout } = await execa(process.execPath, ['--input-type=module', '-e', script], {
    env: { PATH: path, FFMPEG_BIN: '/nowhere' }, // the latter is ffmpeg-static's, which may be installed here
    extendEnv: false,
  })
  return stdout
}

test('an ffmpeg is found here, with audio decoders only and no container that names other files', async () => {
  const ffmpeg = await findFfmpeg({ ffmpegPath: undefined, pythonPath: '.venv/bin/python' })

  expect(ffmpeg.version).toMatch(/\d/)
  expect(ffmpeg.decoders).toEqual(
    expect.arrayContaining(['mp3', 'aac', 'flac', 'opus', 'vorbis', 'pcm_s16le']),
  )
  expect(ffmpeg.decoders).not.toContain('h264')
  expect(ffmpeg.demuxers).toEqual(
    expect.arrayContaining(['wav', 'mp3', 'matroska,webm', 'mov,mp4,m4a,3gp,3g2,mj2']),
  )
  for (const dangerous of ['hls', 'concat', 'dash', 'image2', 'lavfi', 'tty', 'sdp']) {
    expect(ffmpeg.demuxers).not.toContain(dangerous)
  }
})

test.each([
  ['does not exist', async (_at: string) => {}],
  ['is not an ffmpeg', async (at: string) => void (await program(at, 'echo hello'))],
  [
    'lists no formats',
    async (at: string) =>
      void (await program(at, 'echo " -codec_whitelist -format_whitelist -protocol_whitelist -max_alloc"')),
  ],
  ['fails', async (at: string) => void (await program(at, 'exit 1'))],
])('an FFMPEG_PATH that %s is named, and no other is taken instead', async (_what, make) => {
  const ffmpegPath = join(await directory(), 'my-ffmpeg')
  await make(ffmpegPath)

  await expect(findFfmpeg({ ffmpegPath, pythonPath: '/nowhere/bin/python' })).rejects.toThrow(
    `FFMPEG_PATH=${ffmpegPath} cannot be used`,
  )
})

test('where the system has none, the one inside the virtual environment is taken', async () => {
  const venv = await directory()
  const binaries = join(venv, 'lib/python3.12/site-packages/imageio_ffmpeg/binaries')
  await mkdir(binaries, { recursive: true })
  const { stdout: real } = await execa('sh', ['-c', `command -v ${FFMPEG.path}`])
  const carried = await program(join(binaries, 'ffmpeg-linux-x86_64-v7.0.2'), `exec ${real} "$@"`)

  expect(await findWithout(join(venv, 'bin/python'), venv)).toBe(carried)
})

test('where there is none at all, the message says what to do', async () => {
  const empty = await directory()

  expect(await findWithout(join(empty, 'bin/python'), empty)).toBe(NO_FFMPEG)
})
