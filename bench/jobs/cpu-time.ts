/** How much of the machine's processors this process and its descendants had, and how much everybody else. Linux' /proc. */
import { readdirSync, readFileSync } from 'node:fs'

const TICKS_A_SECOND = 100

/** Since it was called: in cores. */
export function watchCores(): () => { readonly ownCores: number; readonly othersCores: number } {
  const began = performance.now()
  const [own, all] = [ownTicks(), busyTicks()]
  return () => {
    const ticks = ((performance.now() - began) / 1000) * TICKS_A_SECOND
    const ownCores = (ownTicks() - own) / ticks
    const othersCores = Math.max(0, (busyTicks() - all) / ticks - ownCores)
    return { ownCores: hundredths(ownCores), othersCores: hundredths(othersCores) }
  }
}

function busyTicks(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = numbersOf(
    readFileSync('/proc/stat', 'utf8').split('\n')[0]?.replace(/^cpu +/, '') ?? '',
  )
  return user + nice + system + irq + softirq
}

/** Of those that live, and of their children that have ended. */
function ownTicks(): number {
  const processes = readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? statOf(Number(name)) : []))
  const ours = new Set([process.pid])
  for (let before = 0; before !== ours.size; ) {
    before = ours.size
    for (const { pid, parent } of processes) if (ours.has(parent)) ours.add(pid)
  }
  return processes.reduce((sum, { pid, ticks }) => sum + (ours.has(pid) ? ticks : 0), 0)
}

/** proc_pid_stat(5): after the name, which may hold anything, come state, parent … utime, stime, cutime, cstime. */
function statOf(pid: number): { pid: number; parent: number; ticks: number }[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
    return [{ pid, parent: Number(fields[1]), ticks }]
  } catch {
    return [] // it has just ended
  }
}

function numbersOf(line: string): number[] {
  return line.split(' ').map(Number)
}

function hundredths(value: number): number {
  return Math.round(value * 100) / 100
}
