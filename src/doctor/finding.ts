/** What a check has found, in one line, and what mends it. It does not know what there is to check. */

const MIB = 1024 ** 2
const GIB = 1024 ** 3

export interface Finding {
  readonly name: string
  readonly state: 'ok' | 'warn' | 'fail'
  readonly says: string
  /** A command, or a setting. */
  readonly mend?: string
}

export const ok = (name: string, says: string): Finding => ({ name, state: 'ok', says })

export const warn = (name: string, says: string, mend: string): Finding => ({
  name,
  state: 'warn',
  says,
  mend,
})

export const fail = (name: string, says: string, mend: string): Finding => ({
  name,
  state: 'fail',
  says,
  mend,
})

/** Its first line; the rest is for programmers. Of errors that only wrap others (fetch, Promise.any), what they wrap. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0])
  if (error instanceof TypeError && error.cause instanceof Error) return reasonOf(error.cause)
  const message = error instanceof Error ? error.message : String(error)
  return message.split('\n')[0] || 'no reason was given'
}

export function asSize(bytes: number): string {
  return bytes < GIB ? `${Math.round(bytes / MIB)} MiB` : `${(bytes / GIB).toFixed(1)} GiB`
}
