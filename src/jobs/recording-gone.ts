/** What is told of a job whose recording is not there any more, when it is worked on and when it is to be tried again. */
import { Failure } from '../failure.ts'

export function recordingGone(): Failure {
  return new Failure(
    'recording_gone',
    'The recording of this job is no longer there. Please hand it in again.',
  )
}
