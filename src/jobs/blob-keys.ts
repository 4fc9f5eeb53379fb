/** Under which keys a job's blobs lie: all of them below its id, so that forgetting it is one removal. */

export const JOBS_BEGINNING = 'jobs/'

export function blobsOfJob(id: string): string {
  return `${JOBS_BEGINNING}${id}/`
}

export function audioKey(id: string): string {
  return `${blobsOfJob(id)}audio`
}

/** Of its attempt: a worker that was taken for dead may still be writing its own. */
export function transcriptKey(id: string, attempt: number): string {
  return `${blobsOfJob(id)}transcript-${attempt}.json`
}

/** What the steps after the transcript have made of it. */
export function afterwardsKey(id: string): string {
  return `${blobsOfJob(id)}afterwards.json`
}

/** What became of telling the client that the job had ended. */
export function deliveryLogKey(id: string): string {
  return `${blobsOfJob(id)}webhook.json`
}

export const OUTBOX_BEGINNING = 'outbox/'

/** What is still to be told. */
export function outboxKey(id: string): string {
  return `${OUTBOX_BEGINNING}${id}.json`
}

export function jobOfOutboxKey(key: string): string {
  return key.slice(OUTBOX_BEGINNING.length, -'.json'.length)
}

export function isTranscriptKey(key: string): boolean {
  return key.startsWith(JOBS_BEGINNING) && /\/transcript-\d+\.json$/.test(key)
}

/** Undefined: no job's. */
export function jobOfKey(key: string): string | undefined {
  return key.startsWith(JOBS_BEGINNING) ? key.slice(JOBS_BEGINNING.length).split('/')[0] : undefined
}
