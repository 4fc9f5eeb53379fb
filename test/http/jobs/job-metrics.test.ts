import { expect, test } from 'vitest'
import { begin } from '../../jobs/working.ts'
import { startJobs } from './job-server.ts'

async function start() {
  const server = await startJobs()
  return {
    ...server,
    async figures() {
      const text = await (await server.request('/metrics')).text()
      return text.split('\n').filter((line) => line.startsWith('hviske_jobs') && !line.endsWith(' 0'))
    },
  }
}

test('jobs are counted by lane and state, and the oldest that waits has an age', async () => {
  await using server = await start()
  await server.newJob()
  await server.newJob()
  server.jobQueue.nowMs += 30_000
  await server.newJob({ lane: 'interactive' })
  await begin(server.jobQueue)
  server.jobQueue.nowMs += 12_000

  expect(await server.figures()).toEqual([
    'hviske_jobs{lane="interactive",state="pending"} 1',
    'hviske_jobs{lane="batch",state="pending"} 1',
    'hviske_jobs{lane="batch",state="processing"} 1',
    'hviske_jobs_oldest_pending_seconds 42',
  ])
})

test('where none waits there is no age', async () => {
  await using server = await start()

  expect(await server.figures()).toEqual([])
})

test('what clients cancel is counted once', async () => {
  await using server = await start()
  const { id } = await server.newJob()
  for (let times = 0; times < 2; times++) await server.request(`/v1/jobs/${id}/cancel`, { method: 'POST' })

  expect(await server.figures()).toContain('hviske_jobs_ended_total{outcome="cancelled"} 1')
})

test('a queue that does not answer hides no other figure', async () => {
  await using server = await start()
  server.jobQueue.counts = async () => {
    throw new Error('gone')
  }

  const response = await server.request('/metrics')

  expect(response.status).toBe(200)
  expect(await response.text()).toContain('process_start_time_seconds 1')
  expect(server.logged.some(({ message }) => message === 'the jobs could not be counted')).toBe(true)
})
