/** The kinds of fields a form holds: what a string may be, what a client is told when it is not, and how it is documented. */
import { z } from '@hono/zod-openapi'

/** Continues "it must be". */
export const oneOf = (values: readonly string[]) => ({ error: `one of ${values.join(', ')}` })

const YES = ['true', '1', 'yes', 'on']
const NO = ['false', '0', 'no', 'off']

/** What is parsed from a string is documented as one, unless its type is said again. */
export const flag = () =>
  z.stringbool({ truthy: YES, falsy: NO, error: 'true or false' }).openapi({ type: 'boolean' })

/** Coerced, because forms know only strings; documented anew, because a coerced number is documented as one that may be null. */
export function numberFrom(minimum: number, maximum: number) {
  const error = `a number from ${minimum} to ${maximum}`
  return z.coerce
    .number({ error })
    .min(minimum, { error })
    .max(maximum, { error })
    .openapi({ type: 'number', minimum, maximum })
}

export function wholeNumberFrom(minimum: number, maximum: number) {
  const error = `a whole number from ${minimum} to ${maximum}`
  return z.coerce
    .number({ error })
    .int({ error })
    .min(minimum, { error })
    .max(maximum, { error })
    .openapi({ type: 'integer', minimum, maximum })
}

/** The type within `optional()` and `default()`. */
function bareType(type: unknown): unknown {
  return type instanceof z.ZodOptional || type instanceof z.ZodDefault ? bareType(type.def.innerType) : type
}

export function isList(type: unknown): boolean {
  return bareType(type) instanceof z.ZodArray
}

/** The members of an object's type; undefined for every other type. */
export function membersOf(type: unknown): readonly string[] | undefined {
  const bare = bareType(type)
  return bare instanceof z.ZodObject ? Object.keys(bare.shape) : undefined
}
