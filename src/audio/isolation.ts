/**
 * How ffmpeg is shut in: the command line that goes before it. It decides what a stranger's file can reach and use up when
 * it has taken ffmpeg over; what works on this machine is found out in `trial.ts`, what ffmpeg is asked for in `run-ffmpeg.ts`.
 */
import type { FfmpegJob } from './run-ffmpeg.ts'

/** Strongest first. Each holds all that the later ones hold. */
export const ISOLATION_LEVELS = ['bubblewrap', 'namespaces', 'limits', 'none'] as const
export type IsolationLevel = (typeof ISOLATION_LEVELS)[number]

const MIB = 1024 ** 2
/** Of threads and processes. ffmpeg 7 has about ten with `-threads 1`. */
const MAX_PROCESSES = 64
/** Below Node's event loop, which everybody waits for; not so far below that a clip waits for the engine's other work. */
const NICENESS = 5

const LIMITS =
  'processor seconds, memory, file size and open files are limited, it yields to the server and ends with it'
const NAMESPACES = `${LIMITS}; no network, at most ${MAX_PROCESSES} threads`

/** For the operator: what holds at each level, in one line. */
export const ISOLATION_MEANINGS: Readonly<Record<IsolationLevel, string>> = {
  bubblewrap: `${NAMESPACES}; it sees the one file and the system's programs, and nothing else`,
  namespaces: `${NAMESPACES}; it could read other files of this user (install bubblewrap to hide them)`,
  limits: `${LIMITS}; the network and other files of this user are within its reach (neither bubblewrap nor unshare works here)`,
  none: 'only its own options hold it back (prlimit and setpriv of util-linux do not work here)',
}

/** What to put before the command. All of it but bubblewrap replaces itself, so that the process that we start is ffmpeg. */
export function enclosure(level: IsolationLevel, ffmpegPath: string, job: FfmpegJob): string[] {
  // After `unshare`, which makes the kernel forget it. bubblewrap has its own way.
  const diesWithUs = ['setpriv', '--pdeathsig', 'KILL', '--']
  // Counted in the new user namespace only; in the server's own it would count the server and the engine as well.
  const fewProcesses = ['prlimit', `--nproc=${MAX_PROCESSES}`, '--']
  switch (level) {
    case 'bubblewrap':
      return [...limits(job), ...bubblewrap(ffmpegPath, job), ...fewProcesses]
    case 'namespaces':
      return [...limits(job), 'unshare', '--user', '--net', '--ipc', '--', ...diesWithUs, ...fewProcesses]
    case 'limits':
      return [...limits(job), ...diesWithUs]
    case 'none':
      return []
    default:
      return level satisfies never
  }
}

/** What the programs that shut ffmpeg in say when they cannot: what worked at the start need not work for ever. */
export const ENCLOSURE_FAILED = /^(?:bwrap|unshare|prlimit|setpriv): /m

/** One core decodes several hundred times faster than real time; ten times is somebody's trap. */
export function processorSeconds(maxSeconds: number): number {
  return 60 + Math.ceil(maxSeconds / 10)
}

function limits({ maxSeconds }: FfmpegJob): string[] {
  return [
    ['nice', '-n', String(NICENESS), 'prlimit', `--as=${2048 * MIB}`],
    [`--cpu=${processorSeconds(maxSeconds)}`, `--fsize=${32_000 * (maxSeconds + 1) + MIB}`],
    ['--core=0', '--nofile=64', '--'],
  ].flat()
}

/** Not `--new-session`: it would leave the process group that we kill. There is no terminal that it could talk to. */
function bubblewrap(ffmpegPath: string, { inputPath, outputPath }: FfmpegJob): string[] {
  const system = ['/usr', '/lib', '/lib64', '/bin', '/etc/ld.so.cache', '/etc/alternatives']
  // One that is found by its name lies in a directory of the system.
  const readable = ffmpegPath.includes('/') ? [...system, ffmpegPath] : system
  return [
    ['bwrap', '--unshare-all', '--die-with-parent', '--cap-drop', 'ALL'],
    ['--clearenv', '--setenv', 'PATH', '/usr/local/bin:/usr/bin:/bin'],
    readable.flatMap((path) => ['--ro-bind-try', path, path]),
    ['--ro-bind', inputPath, inputPath, '--bind', outputPath, outputPath, '--'],
  ].flat()
}
