/** A container of the built image: its user, its volumes, a root that cannot be written to. It is stopped as `docker stop` does. */
import { type ChildProcess } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DEBIAN, pythonMounts } from './base-images.ts'
import type { Image } from './build.ts'
import { type Ended, ended, IS_ROOT, type Mount, start } from './room.ts'

/** Where a container may write: the volumes of the image, and what `--tmpfs /tmp` gives. */
export interface Volumes {
  readonly mounts: readonly Mount[]
  /** Files in them, from the container's root. */
  files(): string[]
}

export function newVolumes({ volumes, user, room }: Image): Volumes {
  const directory = mkdtempSync(join(room.scratch, 'volumes-'))
  const mounts = [...volumes, '/tmp'].map((destination): Mount => {
    const source = join(directory, destination)
    mkdirSync(source)
    // As a new volume takes over the owner of the directory in the image.
    if (IS_ROOT) chownSync(source, user.uid, user.gid)
    return { mode: 'rw', source, destination }
  })
  const files = () =>
    readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name).slice(directory.length))
  return { mounts, files }
}

interface Wish {
  readonly image: Image
  readonly volumes: Volumes
  /** After the name of the image on the command line of `docker run`. */
  readonly command?: readonly string[]
  readonly entrypoint?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
}

function startContainer({
  image,
  volumes,
  command = image.cmd,
  entrypoint,
  environment,
}: Wish): ChildProcess {
  return start(image.room, {
    argv: [...(entrypoint ?? hereAs(image.entrypoint)), ...command],
    environment: { ...image.environment, ...environment },
    directory: image.directory,
    mounts: [...volumes.mounts, ...pythonMounts()],
    restricted: image.user,
  })
}

/** On this machine's own system, which has tini seldom, it lies where stand-ins lie. */
function hereAs([file = '', ...args]: readonly string[]): string[] {
  return DEBIAN !== undefined || existsSync(file)
    ? [file, ...args]
    : [file.replace('/usr/bin/', '/usr/local/bin/'), ...args]
}

/** `docker run --rm`. */
export function runContainer(wish: Wish): Promise<Ended> {
  return ended(startContainer(wish))
}

export interface RunningContainer {
  /** All lines that it has written. */
  readonly log: readonly string[]
  /** `docker stop`, with all the time in the world. */
  stop(): Promise<Ended>
}

/** Resolves when a line of its log matches. Rejects with all of them when it ends before that. */
export async function serve(wish: Wish, untilLine: RegExp): Promise<RunningContainer> {
  const child = startContainer(wish)
  const end = ended(child)
  const log: string[] = []
  const seen = new Promise<void>((resolve) => {
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => {
      log.push(line)
      if (untilLine.test(line)) resolve()
    })
  })
  await Promise.race([
    seen,
    end.then(({ exitCode }) => {
      throw new Error(`the container ended with ${exitCode}:\n${log.join('\n')}`)
    }),
  ])
  return {
    log,
    stop() {
      if (child.exitCode === null) process.kill(firstProcessOf(child), 'SIGTERM')
      return end
    },
  }
}

/** Process 1 of the container: unshare(1) waits for it, and would not pass a signal on. */
function firstProcessOf({ pid }: ChildProcess): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim())
}
