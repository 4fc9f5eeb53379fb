/** What checks may ask of the world: each takes the few of these that it needs, so that a test can be the world. */
import type { Ffmpeg } from '../audio/ffmpeg.ts'
import type { Config } from '../config.ts'
import type { EngineFacts } from '../engine/state.ts'
import type { PythonProbe } from './python-probe.ts'

export interface Ran {
  /** Undefined: it was ended from outside, or by our deadline. */
  readonly exitCode: number | undefined
  readonly stdout: string
  readonly stderr: string
}

export interface Trial {
  readonly facts: EngineFacts
  readonly text: string
  readonly audioSeconds: number
  readonly tookSeconds: number
}

export interface Certificate {
  readonly validFrom: Date
  readonly validTo: Date
  /** Why a client would not take it, whatever its name. */
  readonly problem: string | undefined
  /** As it names them itself. */
  readonly names: string
  readonly isForName: boolean
}

/** Of the server that QUEUE_URL leads to. */
export interface QueueFacts {
  /** Host, port and database, nothing secret. */
  readonly name: string
  readonly program: 'Redis' | 'Valkey'
  readonly version: string
  /** Settings that jobs need otherwise. Undefined: it does not tell. */
  readonly unmet:
    | readonly {
        readonly setting: string
        readonly value: string
        readonly wanted: string
        readonly otherwise: string
      }[]
    | undefined
}

export interface World {
  readonly nowMs: () => number
  readonly nodeVersion: () => string
  /** Of whoever runs us. */
  readonly userId: () => number
  /** @throws Error when there is no such program. */
  readonly run: (file: string, args: readonly string[]) => Promise<Ran>
  readonly readText: (path: string) => Promise<string>
  /** Names and sizes of the files in a directory; undefined where there is no such directory. */
  readonly filesIn: (directory: string) => Promise<readonly FileSize[] | undefined>
  /** Of directories, undefined as above. */
  readonly directoriesIn: (directory: string) => Promise<readonly string[] | undefined>
  /** Makes the directory if need be, writes a file there and deletes it. @throws Error with a code */
  readonly tryWriting: (directory: string) => Promise<void>
  readonly diskOf: (directory: string) => Promise<{ freeBytes: number; kind: number }>
  /** How many tables it holds; undefined when there is no such file. @throws Error of SQLite */
  readonly tablesIn: (sqlitePath: string) => Promise<number | undefined>
  /** Both start only once, however many checks ask. @throws Error for the operator */
  readonly ffmpeg: () => Promise<Ffmpeg>
  readonly python: () => Promise<PythonProbe>
  readonly transcribe: () => Promise<Trial>
  /** Addresses of a name. @throws Error with a code */
  readonly resolve: (name: string) => Promise<readonly string[]>
  readonly ownAddresses: () => readonly OwnAddress[]
  readonly connects: (host: string, port: number) => Promise<boolean>
  /** What is shown there to who asks for that name. @throws Error with a code */
  readonly certificate: (
    at: { readonly host: string; readonly port: number },
    name: string,
  ) => Promise<Certificate>
  /** @throws Error without the URL */
  readonly askRedis: (url: string) => Promise<QueueFacts>
  /** Looks for objects, or writes one, reads it and removes it. @throws Error */
  readonly tryObjects: (settings: Config['s3'], isWritten: boolean) => Promise<void>
  /** What others see of us. @throws Error when nobody tells */
  readonly publicAddress: () => Promise<string>
  /** The clock of somebody else. @throws Error */
  readonly foreignTimeMs: () => Promise<number>
}

export interface FileSize {
  readonly name: string
  readonly bytes: number
}

export interface OwnAddress {
  readonly card: string
  readonly address: string
}

/** What the checks look at: the settings of the server, and those of its neighbours. */
export interface Subject {
  readonly config: Config
  readonly environment: Environment
  /** Whether others on the Internet may be asked. */
  readonly isOnline: boolean
  /** Whether this is our image, where other names, addresses and commands hold. */
  readonly isContainer: boolean
}

export type Environment = Readonly<Record<string, string | undefined>>
