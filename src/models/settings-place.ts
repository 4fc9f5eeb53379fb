/** Whether the settings of this server are ours to write. It does not know which ones. */
import { existsSync } from 'node:fs'
import { type Changes, changeEnvFile } from './env-file.ts'

/** Undefined when they have been written; else why not, in a sentence. */
export async function writeSettings(
  path: string,
  changes: Changes,
  isContainer: boolean,
): Promise<string | undefined> {
  // A file made inside would be gone with the container, and nobody would know.
  if (isContainer && !existsSync(path)) return 'This is a container; its settings come from outside.'
  try {
    await changeEnvFile(path, changes)
    return undefined
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    return `${path} cannot be written (${code}).`
  }
}

/** Docker leaves the one, Podman the other, and Kubernetes sets the third for itself. */
export function isInContainer(): boolean {
  return ['/.dockerenv', '/run/.containerenv', '/var/run/secrets/kubernetes.io'].some((path) =>
    existsSync(path),
  )
}
