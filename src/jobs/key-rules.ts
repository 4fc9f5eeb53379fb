/** What a key may look like, so that it names one thing in every store and nothing outside of it. */

const MAX_KEY_CHARACTERS = 512
const STEP = '[a-z0-9][a-z0-9.-]*'
const KEY = new RegExp(`^${STEP}(/${STEP})*$`)
/** It may end anywhere in a key, also after a slash. */
const BEGINNING = new RegExp(`^(${STEP}/)*(${STEP})?$`)

/** @throws Error: keys are ours, so a wrong one is a bug. */
export function checkKey(key: string): string {
  if (key.length <= MAX_KEY_CHARACTERS && KEY.test(key)) return key
  throw new Error(`not a key of a blob: ${JSON.stringify(key)}`)
}

/** The empty one, with which every key begins, is allowed. @throws Error */
export function checkBeginning(beginning: string): string {
  if (beginning.length <= MAX_KEY_CHARACTERS && BEGINNING.test(beginning)) return beginning
  throw new Error(`not the beginning of a blob's key: ${JSON.stringify(beginning)}`)
}

/** Of what is to be removed: whoever means everything has most likely lost an id. @throws Error */
export function checkRemovable(beginning: string): string {
  if (beginning !== '') return checkBeginning(beginning)
  throw new Error('removing blobs takes the beginning of their keys, and an empty one would remove all')
}
