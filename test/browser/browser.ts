/**
 * A browser to look at our pages with. On x64 Linux it is the one that scripts/setup.mjs --dev unpacks from an npm package, so
 * that a machine needs none of its own; elsewhere it is the system's. It knows nothing of the pages.
 */
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import { ROOT } from '../end-to-end/server.ts'

const UNPACKED = join(ROOT, '.setup', 'browser')
const OF_THE_SYSTEM = [
  '/usr/bin/chromium',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

interface Installed {
  readonly executablePath: string
  readonly env: Record<string, string>
}

/** Undefined where there is none: then the tests that need it are skipped. */
export async function findBrowser(): Promise<Installed | undefined> {
  const unpacked = join(UNPACKED, 'chromium')
  // Beside it lie the libraries and the font that it needs on a machine without a desktop.
  const env = { LD_LIBRARY_PATH: join(UNPACKED, 'lib'), FONTCONFIG_PATH: UNPACKED }
  if (await isThere(unpacked)) return { executablePath: unpacked, env }
  for (const executablePath of OF_THE_SYSTEM)
    if (await isThere(executablePath)) return { executablePath, env: {} }
  return undefined
}

export function startBrowser({ executablePath, env }: Installed): Promise<Browser> {
  // Without its sandbox: containers and root have none to give, and it sees only our own pages.
  return chromium.launch({ executablePath, chromiumSandbox: false, env: { ...process.env, ...env } })
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
