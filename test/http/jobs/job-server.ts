/** The whole app on fakes, asked for jobs: what a client sends, and what a worker does meanwhile. */
import { expect } from 'vitest'
import { ApiKeys } from '../../../src/api-keys.ts'
import type { JobParts } from '../../../src/http/parts.ts'
import { Alarms } from '../alarms.ts'
import { form, startParts } from '../parts.ts'

interface ShownJob {
  readonly id: string
  readonly status: string
  readonly [name: string]: unknown
}

export async function startJobs(
  jobs: Partial<JobParts> = {},
  { keys = [] as readonly string[], settings = {} as Record<string, string> } = {},
) {
  const alarms = new Alarms()
  const parts = await startParts(settings, keys.length > 0 ? { apiKeys: new ApiKeys(keys) } : {}, {
    setAlarm: alarms.setAlarm,
    jobs,
  })
  const request = async (path: string, init: RequestInit = {}) => parts.app.request(path, init)
  const handIn = async (fields: Record<string, string | string[]> = {}, init: RequestInit = {}) =>
    request('/v1/jobs', { method: 'POST', body: form(fields), ...init })
  return {
    ...parts,
    alarms,
    request,
    handIn,
    /** A job that has been handed in. */
    async newJob(fields: Record<string, string | string[]> = {}, init: RequestInit = {}) {
      const response = await handIn(fields, init)
      expect(response.status).toBe(202)
      return (await response.json()) as ShownJob
    },
    async look(id: string) {
      return (await (await request(`/v1/jobs/${id}`)).json()) as ShownJob
    },
    errors: () => parts.logged.filter(({ level }) => level === 'error'),
  }
}

/** A body without a file. */
export function fieldsOnly(fields: Record<string, string>): FormData {
  const body = new FormData()
  for (const [name, value] of Object.entries(fields)) body.append(name, value)
  return body
}

export const keyed = (key: string) => ({ headers: { authorization: `Bearer ${key}` } })
