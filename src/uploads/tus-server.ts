/**
 * The tus protocol (resumable uploads, 1.0.0) over our uploads: requests of it in, answers of it out. Who asks, and whether
 * an upload is theirs, is known before.
 */
import { ERRORS, Server, TUS_RESUMABLE } from '@tus/server'
import { Failure } from '../failure.ts'
import { displayName } from '../upload/part-header.ts'
import { TusStore } from './tus-store.ts'
import { notFound, type Uploads } from './uploads.ts'

/** All that a client may say of a file in its own words. */
const MAX_METADATA_CHARACTERS = 8192
/** What clients call the name of a file: tus-js-client's users, and Uppy. */
const NAMES = ['filename', 'name'] as const

export interface TusRequest {
  readonly request: Request
  readonly owner: string | undefined
}

export class TusServer {
  readonly #server: Server
  /** What goes beside a request through the protocol's server and back. */
  readonly #asked = new WeakMap<Request, { readonly owner: string | undefined; failure?: Failure }>()

  constructor(uploads: Uploads, path: string) {
    this.#server = new Server({
      path,
      datastore: new TusStore(uploads),
      maxSize: uploads.maxBytes,
      // Whatever stands before us: it is the path that matters, and no header of a client's says whose it is.
      relativeLocation: true,
      // Cross-origin headers are the application's: without any, the protocol's server lets everybody in.
      allowedOrigins: [],
      getFileIdFromRequest: (request) => new URL(request.url).pathname.split('/').at(-1) ?? '',
      namingFunction: async (request, metadata = {}) => {
        const sizeBytes = declaredSize(request.headers)
        const name = nameIn(metadata)
        const { owner } = this.#asked.get(request) ?? {}
        const { id } = await uploads.create({
          kind: 'tus',
          ...(owner !== undefined && { owner }),
          ...(sizeBytes !== undefined && { sizeBytes }),
          ...(name !== undefined && { name }),
          ...(Object.keys(metadata).length > 0 && { metadata: checkedMetadata(metadata) }),
        })
        return id
      },
      onResponseError: (request, error) => {
        const asked = this.#asked.get(request)
        if (error instanceof Failure && asked !== undefined) asked.failure = error
        return undefined
      },
    } as ConstructorParameters<typeof Server>[0])
  }

  /** @throws Failure where the protocol has no word for what is wrong. */
  async answer({ request, owner }: TusRequest): Promise<Response> {
    const version = request.headers.get('tus-resumable')
    // The library calls another version than its own a damaged header.
    if (request.method !== 'OPTIONS' && version !== TUS_RESUMABLE) throw otherVersion()
    const asked: { owner: string | undefined; failure?: Failure } = { owner }
    this.#asked.set(request, asked)
    const response = await this.#server.handleWeb(request)
    if (asked.failure !== undefined) throw asked.failure
    if (response.status >= 400) throw refusalOf(response.status, await response.text())
    const crossOrigin = [...response.headers.keys()].filter((name) => name.startsWith('access-control-'))
    for (const name of crossOrigin) response.headers.delete(name)
    return response
  }
}

/** In our words and statuses where we have them; clients of tus look at the status alone. */
function refusalOf(status: number, body: string): Failure {
  const said = body.trim().replace(/\.$/, '')
  switch (status) {
    case 404:
    case 410:
      return notFound()
    case 409:
      return new Failure(
        'upload_conflict',
        'The upload is not as long as Upload-Offset says; HEAD tells how long it is.',
      )
    case 413:
      return new Failure('file_too_large', `More came than the upload may hold: ${said}.`, { param: 'file' })
    case 500:
      return new Failure('internal_error', 'The upload could not be kept.', { cause: new Error(said) })
    default:
      return said === ERRORS.ABORTED.body
        ? new Failure('upload_conflict', 'Another request went on with this upload.')
        : new Failure('malformed_request', `The request is not tus as this server understands it: ${said}.`)
  }
}

function otherVersion(): Failure {
  const message = `The header Tus-Resumable must be there, and be ${TUS_RESUMABLE}.`
  return new Failure('tus_version_required', message)
}

/** Undefined: it comes later. What is wrong with the header the protocol's server has said. */
function declaredSize(headers: Headers): number | undefined {
  const length = headers.get('upload-length')
  return length === null ? undefined : Number.parseInt(length, 10)
}

function nameIn(metadata: Readonly<Record<string, string | null>>): string | undefined {
  const given = NAMES.map((key) => metadata[key]).find((value) => typeof value === 'string' && value !== '')
  return displayName(given ?? '')
}

/** @throws Failure invalid_value */
function checkedMetadata(metadata: Record<string, string | null>): Record<string, string | null> {
  if (JSON.stringify(metadata).length <= MAX_METADATA_CHARACTERS) return metadata
  const allowed = `The header Upload-Metadata holds more than ${MAX_METADATA_CHARACTERS} characters.`
  throw new Failure('invalid_value', allowed, { param: 'Upload-Metadata' })
}
