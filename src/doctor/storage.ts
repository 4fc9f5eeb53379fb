/** DATA_DIR: whether it can be written to, on what kind of disk it lies, how much fits; and the files of jobs and keys in it. */
import { join } from 'node:path'
import type { Config } from '../config.ts'
import { readKeyFile } from '../keys/key-file.ts'
import { type Finding, fail, asSize, ok, reasonOf, warn } from './finding.ts'
import type { World } from './world.ts'

/** `f_type` of statfs(2). */
const FOREIGN_DISKS: Readonly<Record<number, string>> = {
  0x6969: 'NFS',
  0x517b: 'SMB',
  0xff534d42: 'CIFS',
  0xfe534d42: 'SMB 2',
  0x01021997: '9P',
  0x00c36400: 'Ceph',
  0x5346414f: 'AFS',
  0x65735546: 'FUSE',
}

type Data = Pick<Config, 'dataDir'>

export async function checkDataDirectory(
  { dataDir }: Data,
  { tryWriting, diskOf }: Pick<World, 'tryWriting' | 'diskOf'>,
): Promise<Finding> {
  try {
    await tryWriting(dataDir)
  } catch (error) {
    const says = `${dataDir} cannot be written to: ${reasonOf(error)}`
    return fail('data', says, `sudo chown -R "$(id -u)" ${dataDir}, or another DATA_DIR`)
  }
  const foreign = FOREIGN_DISKS[(await diskOf(dataDir)).kind >>> 0]
  if (foreign === undefined) return ok('data', `${dataDir} can be written to`)
  const says = `${dataDir} lies on ${foreign}, where SQLite's locks may not hold: jobs could be lost`
  return warn('data', says, 'DATA_DIR on a disk of this machine')
}

export async function checkDisk(
  { dataDir, diskReserveBytes, maxUploadBytes }: Data & Pick<Config, 'diskReserveBytes' | 'maxUploadBytes'>,
  { diskOf }: Pick<World, 'diskOf'>,
): Promise<Finding> {
  const { freeBytes } = await diskOf(dataDir)
  const room = freeBytes - diskReserveBytes
  const mend = 'free some of the disk of DATA_DIR, or another DATA_DIR'
  if (room <= 0) {
    const says = `${asSize(freeBytes)} free, DISK_RESERVE_BYTES keeps ${asSize(diskReserveBytes)}: every upload gets a 507`
    return fail('disk', says, mend)
  }
  const says = `${asSize(room)} free beyond the reserve of ${asSize(diskReserveBytes)}`
  if (room >= maxUploadBytes) return ok('disk', says)
  return warn(
    'disk',
    `${says}: less than one upload may have (MAX_UPLOAD_BYTES, ${asSize(maxUploadBytes)})`,
    mend,
  )
}

export async function checkJobs(
  { dataDir, queueUrl }: Data & Pick<Config, 'queueUrl'>,
  { tablesIn }: Pick<World, 'tablesIn'>,
): Promise<Finding> {
  if (queueUrl !== undefined) return ok('jobs', 'kept where QUEUE_URL leads, not in a file')
  const path = join(dataDir, 'jobs', 'jobs.sqlite')
  try {
    const tables = await tablesIn(path)
    return ok('jobs', tables === undefined ? 'none have been handed in yet' : `${path} opens`)
  } catch (error) {
    return fail(
      'jobs',
      `${path} does not open: ${reasonOf(error)}`,
      `restore it from a backup, or with the server stopped: mv ${path} ${path}.broken`,
    )
  }
}

export async function checkKeys(
  { apiKeys, keysFile }: Pick<Config, 'apiKeys' | 'keysFile'>,
  { nowMs }: Pick<World, 'nowMs'>,
): Promise<Finding> {
  const make = 'npm run keys -- create NAME'
  try {
    const stored = await readKeyFile(keysFile)
    const good = (stored ?? []).filter(
      ({ revoked, expires }) => revoked === null && (expires === null || Date.parse(expires) > nowMs()),
    )
    const count = good.length + apiKeys.size
    if (count > 0) return ok('keys', `${count} good`)
    if (stored !== undefined) return warn('keys', 'all are revoked or expired: nobody is let in', make)
    return warn('keys', 'none: whoever can reach the server may use it', make)
  } catch (error) {
    return fail('keys', reasonOf(error), `make ${keysFile} readable, or delete it and: ${make}`)
  }
}
