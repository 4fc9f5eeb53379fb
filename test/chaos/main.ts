/**
 * Random clients on the real server while everything around it breaks, until the time or the number of acts is up:
 *
 *   npm run chaos -- --seed 7 --minutes 30 --clients 16 --out bench/results/chaos.json
 *
 * The seed decides who does what, and in which order; when it happens is the machine's, and does not come again.
 * Decides only how long, and what is shown; exit code 1 when an invariant broke. Linux only: it looks into /proc.
 */
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { printReport } from './report.ts'
import { run } from './run.ts'

/** Says that this process lives where DATA_DIR is a small disk of our own. */
const SMALL_DISK = 'HVISKE_CHAOS_DISK'
const DISK_MIB = 384
/** A part of every Linux, and so of no package. */
const UNSHARE = 'unshare'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '5' },
    clients: { type: 'string', default: '16' },
    acts: { type: 'string' },
    brief: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
})

/** The same command again in a namespace of its own, where it may mount. Undefined where it may not. */
function againOnSmallDisk(directory: string): number | undefined {
  const own = ['--user', '--map-root-user', '--mount', '--', 'sh', '-c']
  const mount = `mount -t tmpfs -o size=${DISK_MIB}M tmpfs "$${SMALL_DISK}" && exec "$@"`
  const env = { ...process.env, [SMALL_DISK]: directory }
  if (spawnSync(UNSHARE, [...own, mount, 'sh', 'true'], { env }).status !== 0) return undefined
  const words = [...own, mount, 'sh', process.execPath, ...process.argv.slice(1)]
  return spawnSync(UNSHARE, words, { env, stdio: 'inherit' }).status ?? 1
}

async function go(dataDir: string, canFillDisk: boolean): Promise<number> {
  const report = await run({
    seed: Number(values.seed),
    minutes: Number(values.minutes),
    clients: Number(values.clients),
    ...(values.acts !== undefined && { acts: Number(values.acts) }),
    isBrief: values.brief,
    dataDir,
    canFillDisk,
  })
  printReport(report)
  if (values.out !== undefined) await writeFile(values.out, `${JSON.stringify(report, undefined, 2)}\n`)
  return report.breaches.length === 0 ? 0 : 1
}

const onSmallDisk = process.env[SMALL_DISK]
if (onSmallDisk !== undefined) process.exit(await go(onSmallDisk, true))
const directory = await mkdtemp(join(tmpdir(), 'hviske-chaos-'))
const code = againOnSmallDisk(directory) ?? (await go(directory, false))
await rm(directory, { recursive: true, force: true })
process.exit(code)
