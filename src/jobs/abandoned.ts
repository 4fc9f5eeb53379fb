/** When a job is given up: whoever works on it dies of it, again and again. Both drivers fail it alike. */
import { Failure } from '../failure.ts'
import { type JobFailure, jobFailureOf } from './job.ts'

/** So often a job is begun without a new finished window in between. */
export const MOST_ATTEMPTS_WITHOUT_PROGRESS = 3

export function abandonment(attempts: number): JobFailure {
  const times = attempts === 1 ? 'once' : `${attempts} times`
  const message = `The job was begun ${times} without getting any further, because what worked on it stopped. It is not begun again by itself.`
  return jobFailureOf(new Failure('job_abandoned', message))
}
