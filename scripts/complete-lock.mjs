/**
 * Run after `npm install` has changed package-lock.json. Tools bring one package per platform, and a registry mirror that lacks those
 * of other platforms makes npm leave them out of the lock; `npm ci` then refuses the lock everywhere. This adds them back:
 * their version stands in the tool's own entry, and the platform in their name.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const LOCK = join(import.meta.dirname, '..', 'package-lock.json')
const SYSTEM = /\b(android|darwin|freebsd|linux|openharmony|win32)\b/
const PROCESSOR = /\b(arm64|arm|ia32|ppc64|riscv64|s390x|x64)\b/
const LIBRARY = { musl: 'musl', gnu: 'glibc' }

const lock = JSON.parse(readFileSync(LOCK, 'utf8'))
for (const owner of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(owner.optionalDependencies ?? {})) {
    const place = `node_modules/${name}`
    const os = SYSTEM.exec(name)?.[1]
    const cpu = PROCESSOR.exec(name)?.[1]
    if (place in lock.packages || !os || !cpu) continue
    const libc = LIBRARY[/-(musl|gnu)/.exec(name)?.[1]]
    lock.packages[place] = {
      version,
      cpu: [cpu],
      ...(owner.dev && { dev: true }),
      ...(os === 'linux' && libc && { libc: [libc] }),
      optional: true,
      os: [os],
    }
    console.log(`added ${name}@${version}`)
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)))
writeFileSync(LOCK, `${JSON.stringify(lock, null, 2)}\n`)
