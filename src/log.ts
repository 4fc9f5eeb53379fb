/** One JSON object a line on stderr. It never sees audio, transcripts or keys: callers log facts about requests, not their contents. */

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

export interface Log {
  debug(message: string, facts?: Readonly<Record<string, unknown>>): void
  info(message: string, facts?: Readonly<Record<string, unknown>>): void
  warn(message: string, facts?: Readonly<Record<string, unknown>>): void
  error(message: string, facts?: Readonly<Record<string, unknown>>): void
}

const RANK = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 } as const

/** An Error prints as `{}` in JSON; its stack and causes are what an operator needs. */
function readable(_key: string, value: unknown): unknown {
  if (!(value instanceof Error)) return value
  return {
    message: value.message,
    stack: value.stack,
    ...(value.cause === undefined ? {} : { cause: value.cause }),
  }
}

/** `write` receives whole lines; the default is the process's stderr. */
export function createLog(
  level: LogLevel,
  write: (line: string) => void = (line) => void process.stderr.write(line),
): Log {
  const at =
    (lineLevel: Exclude<LogLevel, 'silent'>) =>
    (message: string, facts: Readonly<Record<string, unknown>> = {}) => {
      if (RANK[lineLevel] < RANK[level]) return
      write(
        `${JSON.stringify({ time: new Date().toISOString(), level: lineLevel, message, ...facts }, readable)}\n`,
      )
    }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
