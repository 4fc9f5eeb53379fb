/**
 * What several processes of one machine agree on without trusting the wall clock: which boot this is, how long ago it was,
 * and who is still there. Where the kernel does not say, nobody is taken for dead before the lease has run out.
 */
import { readFileSync, readlinkSync } from 'node:fs'

/** A process number alone is given again to others; with the time of its start it is one process' own. */
export interface ProcessMark {
  /** Numbers mean something only among processes that see each other: in two containers, 1 is not the same. */
  readonly pidNamespace: string
  readonly pid: number
  readonly started: string
}

export interface Machine {
  /** Empty where the kernel does not say. */
  readonly bootId: string
  readonly thisProcess: ProcessMark
  /** The same for all processes; never goes back, and begins again with each boot. */
  monotonicMs(): number
  /** Only if it is certain. */
  isGone(mark: ProcessMark): boolean
}

export function thisMachine(): Machine {
  const pidNamespace = orEmpty(() => readlinkSync('/proc/self/ns/pid'))
  const { pid } = process
  return {
    bootId: orEmpty(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    thisProcess: { pidNamespace, pid, started: statOf(pid)?.started ?? '' },
    monotonicMs: () => Number(process.hrtime.bigint() / 1_000_000n), // CLOCK_MONOTONIC
    isGone: (mark) => pidNamespace !== '' && mark.pidNamespace === pidNamespace && isGone(mark),
  }
}

function isGone({ pid, started }: ProcessMark): boolean {
  if (!isThere(pid)) return true
  const stat = statOf(pid)
  // One that has died and that nobody has reaped is gone as well. /proc may be hidden from us: then nothing is certain.
  return stat !== undefined && started !== '' && (stat.started !== started || stat.isDead)
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0) // signal 0 only asks
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH')
  }
}

/** man 5 proc: after the name, which may hold anything, in parentheses, comes the state; the start is the 22nd field. */
function statOf(pid: number): { isDead: boolean; started: string } | undefined {
  const stat = orEmpty(() => readFileSync(`/proc/${pid}/stat`, 'utf8'))
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state = '', started] = [fields[0], fields[19]]
  return started === undefined ? undefined : { isDead: 'ZX'.includes(state), started }
}

function orEmpty(read: () => string): string {
  try {
    return read()
  } catch {
    return ''
  }
}
