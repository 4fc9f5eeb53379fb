/** Node and ffmpeg: whether they are there, new enough, and how a stranger's file is shut in. */
import { ISOLATION_MEANINGS } from '../audio/isolation.ts'
import { type Finding, fail, ok, reasonOf, warn } from './finding.ts'
import type { World } from './world.ts'

/** The first that runs TypeScript without a flag and holds node:sqlite: what package.json installs is newer. */
const OLDEST_NODE = 24

export async function checkNode(version: string): Promise<Finding> {
  const isNewEnough = Number(version.split('.')[0]) >= OLDEST_NODE
  if (isNewEnough) return ok('node', `Node ${version}`)
  return fail('node', `Node ${version} is too old: ${OLDEST_NODE} is needed`, 'npm ci')
}

export async function checkFfmpeg({ ffmpeg }: Pick<World, 'ffmpeg'>): Promise<Finding> {
  try {
    const { version, path, demuxers, decoders } = await ffmpeg()
    const lists = `only ${demuxers.length} containers and ${decoders.length} audio decoders are allowed to it`
    return ok('ffmpeg', `ffmpeg ${version} (${path}); ${lists}`)
  } catch (error) {
    return fail('ffmpeg', reasonOf(error), 'apt install ffmpeg, or set FFMPEG_PATH')
  }
}

export async function checkIsolation({ ffmpeg }: Pick<World, 'ffmpeg'>): Promise<Finding> {
  try {
    const { isolation } = await ffmpeg()
    const says = `${isolation}: ${ISOLATION_MEANINGS[isolation]}`
    return isolation === 'none'
      ? warn('isolation', says, 'apt install util-linux bubblewrap')
      : ok('isolation', says)
  } catch {
    return fail('isolation', 'there is no ffmpeg to shut in', 'mend ffmpeg first')
  }
}
