/** What is told to clients whose body cannot be used. When that is so is decided where the body is read. */
import { Failure } from '../failure.ts'

export function malformedMultipart(what: string, cause?: unknown): Failure {
  return new Failure('invalid_multipart', `The multipart body cannot be read: ${what}.`, { cause })
}

export function malformedJson(what: string, cause?: unknown): Failure {
  return new Failure('invalid_json', `The JSON body cannot be read: ${what}.`, { cause })
}

export function invalidField(param: string, what: string): Failure {
  return new Failure('invalid_value', `The field "${param}" ${what}.`, { param })
}

/** @param param where the file should have been in a body of this kind. */
export function missingFile(param: string, hint = ''): Failure {
  const ways = 'as the form field "file", or in base64 as "input_audio": {"data": …} of a JSON body'
  return new Failure('missing_file', `The request needs an audio file, ${ways}.${hint}`, { param })
}

export function emptyFile(param: string): Failure {
  return new Failure('empty_file', 'The uploaded file is empty.', { param })
}
