/** The container, if this is one: who we are in it, whether it can be written to, and where what is compiled and fetched is kept. */
import { type Finding, fail, ok, reasonOf, warn } from './finding.ts'
import { isOffline } from './model.ts'
import type { Environment, World } from './world.ts'

/** Each a directory that must outlive the container. */
const CACHES = [
  'HF_HOME',
  'CUDA_CACHE_PATH',
  'TRITON_CACHE_DIR',
  'TORCHINDUCTOR_CACHE_DIR',
  'XDG_CACHE_HOME',
] as const

export async function checkContainer({
  readText,
  userId,
}: Pick<World, 'readText' | 'userId'>): Promise<Finding> {
  const isReadOnly = isRootReadOnly(await readText('/proc/self/mountinfo'))
  const says = `user ${userId()}, its own files ${isReadOnly ? 'cannot' : 'can'} be changed`
  if (userId() === 0) return warn('container', `${says}: it runs as root`, 'user: "1000:1000" in compose')
  if (!isReadOnly) return warn('container', says, 'read_only: true in compose')
  return ok('container', says)
}

/** `36 35 98:0 / / ro,noatime - overlay …`: the fifth is where, the sixth how. */
function isRootReadOnly(mountinfo: string): boolean {
  const root = mountinfo
    .split('\n')
    .map((line) => line.split(' '))
    .findLast((cells) => cells[4] === '/')
  return (root?.[5] ?? '').split(',').includes('ro')
}

/** Those that a variable names. The usual ones of the home directory are nobody's business; offline, models are only read. */
export function cachesOf(environment: Environment): readonly (readonly [string, string])[] {
  return CACHES.flatMap((name) => {
    const directory = environment[name]
    const isWritten = name !== 'HF_HOME' || !isOffline(environment)
    return directory && isWritten ? [[name, directory] as const] : []
  })
}

export async function checkCaches(
  environment: Environment,
  { tryWriting }: Pick<World, 'tryWriting'>,
): Promise<Finding> {
  const caches = cachesOf(environment)
  if (caches.length === 0) {
    const says = 'no variable says where they are: what is fetched and compiled goes with the container'
    return warn('caches', says, 'HF_HOME and CUDA_CACHE_PATH on volumes, as in compose.yaml')
  }
  const problems = await Promise.all(
    caches.map(([name, directory]) =>
      tryWriting(directory).then(
        () => [],
        (error: unknown) => [{ name, directory, says: `${name}=${directory}: ${reasonOf(error)}` }],
      ),
    ),
  )
  const bad = problems.flat()
  const [first] = bad
  if (first === undefined)
    return ok('caches', `can be written to: ${caches.map(([, path]) => path).join(', ')}`)
  // Without the others everything works, and is compiled anew at every start.
  const judge = bad.some(({ name }) => name === 'HF_HOME') ? fail : warn
  const mend = `sudo chown -R "$(id -u)" ${first.directory}`
  return judge('caches', bad.map(({ says }) => says).join('; '), mend)
}
