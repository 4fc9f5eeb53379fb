/**
 * The table of everything a client can be told went wrong. It decides status, type and code;
 * it does not know how a response is written (app.ts does).
 */

/** Every failure a client can see. Adding a row here is the only way to add one. */
export const FAILURES = {
  missing_file: { status: 400, type: 'invalid_request_error' },
  empty_file: { status: 400, type: 'invalid_request_error' },
  invalid_audio: { status: 400, type: 'invalid_request_error' },
  no_audio_track: { status: 400, type: 'invalid_request_error' },
  audio_too_short: { status: 400, type: 'invalid_request_error' },
  audio_too_long: { status: 400, type: 'invalid_request_error' },
  invalid_value: { status: 400, type: 'invalid_request_error' },
  invalid_language: { status: 400, type: 'invalid_request_error' },
  invalid_json: { status: 400, type: 'invalid_request_error' },
  invalid_multipart: { status: 400, type: 'invalid_request_error' },
  malformed_request: { status: 400, type: 'invalid_request_error' },
  translation_unsupported: { status: 400, type: 'invalid_request_error' },
  url_not_allowed: { status: 400, type: 'invalid_request_error' },
  url_unreachable: { status: 400, type: 'invalid_request_error' },
  upload_incomplete: { status: 400, type: 'invalid_request_error' },
  s3_not_configured: { status: 400, type: 'invalid_request_error' },
  invalid_api_key: { status: 401, type: 'invalid_request_error' },
  insufficient_scope: { status: 403, type: 'invalid_request_error' },
  model_not_deletable: { status: 403, type: 'invalid_request_error' },
  job_not_completed: { status: 400, type: 'invalid_request_error' },
  job_not_cancellable: { status: 400, type: 'invalid_request_error' },
  job_not_retryable: { status: 400, type: 'invalid_request_error' },
  result_is_elsewhere: { status: 400, type: 'invalid_request_error' },
  not_found: { status: 404, type: 'invalid_request_error' },
  model_not_found: { status: 404, type: 'invalid_request_error' },
  upload_not_found: { status: 404, type: 'invalid_request_error' },
  method_not_allowed: { status: 405, type: 'invalid_request_error' },
  request_timeout: { status: 408, type: 'invalid_request_error' },
  job_cancelled: { status: 409, type: 'invalid_request_error' },
  recording_gone: { status: 410, type: 'invalid_request_error' },
  upload_conflict: { status: 409, type: 'invalid_request_error' },
  tus_version_required: { status: 412, type: 'invalid_request_error' },
  job_not_found: { status: 404, type: 'invalid_request_error' },
  idempotency_key_reused: { status: 409, type: 'invalid_request_error' },
  file_too_large: { status: 413, type: 'invalid_request_error' },
  unsupported_media_type: { status: 415, type: 'invalid_request_error' },
  headers_too_large: { status: 431, type: 'invalid_request_error' },
  rate_limit_exceeded: { status: 429, type: 'invalid_request_error' },
  client_closed_request: { status: 499, type: 'invalid_request_error' },
  internal_error: { status: 500, type: 'server_error' },
  engine_crashed: { status: 500, type: 'server_error' },
  job_failed: { status: 500, type: 'server_error' },
  engine_failed: { status: 500, type: 'server_error' },
  job_abandoned: { status: 500, type: 'server_error' },
  s3_failed: { status: 500, type: 'server_error' },
  queue_full: { status: 503, type: 'server_error' },
  engine_loading: { status: 503, type: 'server_error' },
  engine_resting: { status: 503, type: 'server_error' },
  shutting_down: { status: 503, type: 'server_error' },
  queue_unreachable: { status: 503, type: 'server_error' },
  insufficient_storage: { status: 507, type: 'server_error' },
} as const

export type FailureCode = keyof typeof FAILURES

/** When nobody has computed how long it will take: some seconds, so that nobody who may come back is left without a word. */
const USUAL_WAIT_SECONDS: Partial<Record<FailureCode, number>> = {
  queue_full: 5,
  rate_limit_exceeded: 5,
  engine_loading: 5,
  engine_resting: 30,
  shutting_down: 10,
  queue_unreachable: 10,
}

/** openai-node passes over a longer `Retry-After`, openai-python 3 then gives up altogether. */
export const LONGEST_RETRY_AFTER_SECONDS = 60

interface FailureDetails {
  /** The request field that was wrong, as OpenAI's `param`. */
  readonly param?: string
  /** An estimate; becomes a `Retry-After` from 1 to 60. Of a limit it is the truth, and stays as long as it is. */
  readonly retryAfterSeconds?: number
  readonly cause?: unknown
}

/** `message` is shown to the client: what was wrong, what is allowed. What only we may see travels in `cause`. */
export class Failure extends Error {
  readonly code: FailureCode
  readonly param: string | null
  /** A whole number, of every 503 and 429 and of nothing else; of a 503 from 1 to 60. */
  readonly retryAfterSeconds: number | undefined

  constructor(code: FailureCode, message: string, details: FailureDetails = {}) {
    super(message, { cause: details.cause })
    this.name = 'Failure'
    this.code = code
    this.param = details.param ?? null
    const seconds = details.retryAfterSeconds ?? USUAL_WAIT_SECONDS[code]
    const longest = code === 'rate_limit_exceeded' ? Number.POSITIVE_INFINITY : LONGEST_RETRY_AFTER_SECONDS
    this.retryAfterSeconds = seconds === undefined ? undefined : retryAfter(seconds, longest)
  }

  get status(): number {
    return FAILURES[this.code].status
  }

  get type(): string {
    return FAILURES[this.code].type
  }
}

/** Rounded up: who comes back too early is refused again. */
function retryAfter(seconds: number, longest: number): number {
  return Math.min(longest, Math.max(1, Math.ceil(seconds)))
}
