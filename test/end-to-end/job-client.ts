/** What a client of jobs does, with a real server. */
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { expect } from 'vitest'
import { AUDIO, type RunningServer } from './server.ts'

export interface ToldJob {
  readonly id: string
  readonly status: string
  readonly [member: string]: unknown
}

export async function recording(name: string): Promise<File> {
  return new File([await readFile(join(AUDIO, name))], basename(name))
}

export function formOf(file: Blob | undefined, fields: Record<string, string> = {}): FormData {
  const body = new FormData()
  for (const [name, value] of Object.entries(fields)) body.append(name, value)
  if (file !== undefined) body.append('file', file, file instanceof File ? file.name : 'long.wav')
  return body
}

export interface ReadEvent {
  readonly id: number
  readonly name: string
  readonly data: { readonly status?: string; readonly window?: number; readonly text?: string }
}

export function jobClient({ url }: RunningServer) {
  const ask = async (path: string, init: RequestInit = {}) => fetch(url + path, init)
  const post = async (path: string, body?: FormData, headers: Record<string, string> = {}) =>
    ask(path, { method: 'POST', headers, ...(body && { body }) })
  const events = async function* (id: string, after = 0): AsyncGenerator<ReadEvent, void, undefined> {
    const response = await ask(`/v1/jobs/${id}/events`, { headers: { 'last-event-id': String(after) } })
    if (response.status === 204) return
    const pieces = response.body?.pipeThrough(new TextDecoderStream()) ?? []
    let unread = ''
    for await (const piece of pieces) {
      const blocks = (unread + piece).split('\n\n')
      unread = blocks.pop() ?? ''
      for (const block of blocks) {
        const [, number, name, data] = /^id: (\d+)\nevent: (\w+)\ndata: (.*)$/.exec(block) ?? []
        if (number !== undefined && name !== undefined)
          yield { id: Number(number), name, data: JSON.parse(data ?? '{}') as ReadEvent['data'] }
      }
    }
  }
  const look = async (id: string) => (await (await ask(`/v1/jobs/${id}`)).json()) as ToldJob
  return {
    ask,
    post,
    events,
    look,
    async handIn(file: Blob | undefined, fields: Record<string, string> = {}): Promise<ToldJob> {
      const response = await post('/v1/jobs', formOf(file, fields))
      expect(response.status).toBe(202)
      return (await response.json()) as ToldJob
    },
    /** Looks at it when its events have come to their end. */
    async ended(id: string): Promise<ToldJob> {
      for await (const _event of events(id));
      return look(id)
    },
    result: async (id: string, format: string) => ask(`/v1/jobs/${id}/result?format=${format}`),
  }
}
