/** Carries out the Dockerfile, stage by stage, as `docker build` would: what is copied, what is run, what a container is told. */
import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { cacheMounts, DEBIAN, PARTS, pythonMounts, standIn, WHEELS } from './base-images.ts'
import { contextFiles, filesOf, ROOT } from './build-context.ts'
import {
  assignments,
  type Instruction,
  listOf,
  only,
  parseDockerfile,
  type Stage,
  words,
} from './dockerfile.ts'
import { ended, type Room, start } from './room.ts'

export interface Image {
  readonly room: Room
  readonly environment: Readonly<Record<string, string>>
  readonly directory: string
  readonly user: { readonly uid: number; readonly gid: number }
  readonly entrypoint: readonly string[]
  readonly cmd: readonly string[]
  readonly healthcheck: readonly string[]
  readonly volumes: readonly string[]
}

/** setup-image.mjs has run it already, in the Debian that all stages lie on: with a network, which the tests have not. */
const RUN_BEFORE = 'deploy/image/install-system.sh'
/** As it is without a word of ENV. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

interface Built {
  readonly room: Room
  readonly environment: Record<string, string>
  directory: string
}

export async function buildImage(scratch: string): Promise<Image> {
  const { stages } = parseDockerfile(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'))
  const built = new Map<string, Built>()
  for (const stage of stages) built.set(stage.name ?? '', await buildStage(stage, scratch, built))
  const last = stages.at(-1)
  const result = built.get('')
  if (result === undefined) throw new Error('the last stage has a name')
  const [uid, gid] = only(last, 'USER').text.split(':').map(Number)
  return {
    ...result,
    user: { uid: uid ?? 0, gid: gid ?? 0 },
    entrypoint: listOf(only(last, 'ENTRYPOINT')),
    cmd: listOf(only(last, 'CMD')),
    healthcheck: listOf(only(last, 'HEALTHCHECK')),
    volumes: listOf(only(last, 'VOLUME')),
  }
}

async function buildStage(stage: Stage, scratch: string, before: Map<string, Built>): Promise<Built> {
  const name = stage.name ?? 'last'
  const [layer, upper] = [join(scratch, `${name}-base`), join(scratch, name)]
  for (const directory of [layer, upper, `${upper}.room`]) mkdirSync(directory)
  standIn(stage.from, layer)
  if (DEBIAN === undefined) copyDirectory(layer, upper)
  const layers = DEBIAN === undefined ? [] : [layer, DEBIAN]
  const built: Built = { room: { scratch, layers, upper }, environment: { PATH }, directory: '/' }
  const args: Record<string, string> = {}
  for (const instruction of stage.instructions) {
    const { name: kind, text } = instruction
    if (kind === 'ARG')
      Object.assign(args, { ...assignments(text), ...('TORCH' in assignments(text) && torch()) })
    else if (kind === 'ENV') Object.assign(built.environment, assignments(text))
    else if (kind === 'WORKDIR') mkdirSync(join(upper, (built.directory = text)), { recursive: true })
    else if (kind === 'COPY') copy(instruction, built, before)
    else if (kind === 'RUN' && text !== RUN_BEFORE) await run(instruction, built, args)
  }
  return built
}

/** The one that pip has found for this machine: a wheel for CUDA brings NVIDIA's libraries with it. */
function torch(): { TORCH: string } {
  const isForCuda = readdirSync(join(PARTS, 'wheels')).some((wheel) => wheel.startsWith('nvidia_'))
  return { TORCH: isForCuda ? 'cu130' : 'cpu' }
}

async function run(
  { text }: Instruction,
  { room, environment, directory }: Built,
  args: Record<string, string>,
) {
  const offline = {
    NPM_CONFIG_PREFER_OFFLINE: 'true',
    PIP_NO_INDEX: '1',
    PIP_FIND_LINKS: WHEELS,
    UV_OFFLINE: '1',
    UV_FIND_LINKS: WHEELS,
    UV_NO_CACHE: '1',
  }
  const { exitCode, stdout, stderr } = await ended(
    start(room, {
      argv: ['/bin/sh', '-c', text],
      environment: { ...offline, ...args, ...environment },
      directory,
      mounts: [...cacheMounts(), ...pythonMounts()],
    }),
  )
  if (exitCode !== 0) throw new Error(`RUN ${text} ended with ${exitCode}:\n${stdout}${stderr}`)
}

/** @throws Error when a source is not there, or .dockerignore keeps it out */
function copy({ text, flags }: Instruction, { room, directory }: Built, before: Map<string, Built>): void {
  const sources = words(text)
  const destination = sources.pop() ?? ''
  const place = join(room.upper, resolve(directory, destination))
  const from = before.get(flags['from'] ?? '')?.room
  for (const source of sources) {
    if (from !== undefined)
      copyFromStage(source, from, destination.endsWith('/') ? join(place, basename(source)) : place)
    else copyFromContext(source, destination.endsWith('/') ? join(place, basename(source)) : place)
  }
}

function copyFromContext(source: string, place: string): void {
  const files = filesOf(source, contextFiles())
  if (files.length === 0) throw new Error(`COPY ${source}: not found, or kept out by .dockerignore`)
  // Of a directory its contents are copied, whatever the destination is called.
  const isFile = files[0] === source
  for (const file of files) {
    const target = isFile ? place : join(place, relative(source, file))
    mkdirSync(dirname(target), { recursive: true })
    copyFileSync(join(ROOT, file), target)
  }
}

function copyFromStage(source: string, { upper, layers }: Room, place: string): void {
  const found = [upper, ...layers].map((layer) => join(layer, source)).find(existsSync)
  if (found === undefined) throw new Error(`COPY --from: ${source} not found`)
  mkdirSync(dirname(place), { recursive: true })
  if (statSync(found).isDirectory()) copyDirectory(found, place)
  else copyFileSync(found, place)
}

/** Links to the same files: what a later stage has of an earlier one is not changed, neither here nor there. */
function copyDirectory(from: string, to: string): void {
  mkdirSync(to, { recursive: true })
  execFileSync('cp', ['-al', `${from}/.`, to])
}
