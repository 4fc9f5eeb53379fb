/**
 * The text fields of a form become values, by the same zod schemas that document them. Lenient in spelling (every
 * client writes lists differently), strict in meaning: a wrong value is refused by name.
 */
import { z } from '@hono/zod-openapi'
import { Failure } from '../failure.ts'
import type { Fields } from '../upload/receive.ts'

/**
 * Unknown fields are ignored, as OpenAI does; empty ones count as absent, since forms send all of their inputs.
 *
 * @throws Failure invalid_value naming the field, its value and what is allowed.
 */
export function parseForm<Schema extends z.ZodObject>(schema: Schema, fields: Fields): z.output<Schema> {
  const raw: Record<string, string | string[]> = {}
  for (const [name, type] of Object.entries(schema.shape)) {
    const values = valuesOf(fields, name)
    if (values.length === 0) continue
    raw[name] = isList(type) ? values.flatMap(splitList) : (values.at(-1) ?? '')
  }

  const parsed = schema.safeParse(raw)
  if (parsed.success) return parsed.data
  throw refusal(parsed.error.issues[0], raw)
}

/** The field under every spelling: `name`, repeated `name`, `name[]`, `name[0]`. */
function valuesOf(fields: Fields, name: string): string[] {
  return [...fields]
    .filter(([key]) => key.replace(/\[\d*\]$/, '') === name)
    .flatMap(([, values]) => values)
    .filter((value) => value.trim() !== '')
}

function isList(type: unknown): boolean {
  return type instanceof z.ZodDefault && type.def.innerType instanceof z.ZodArray
}

/** One part may hold a whole list: as JSON (`["word"]`) or with commas (`word,segment`). */
function splitList(value: string): string[] {
  const inside = /^\s*\[(.*)\]\s*$/s.exec(value)?.[1] ?? value
  return inside
    .split(',')
    .map((item) => item.trim().replace(/^"(.*)"$/, '$1'))
    .filter((item) => item !== '')
}

function refusal(issue: z.core.$ZodIssue | undefined, raw: Readonly<Record<string, unknown>>): Failure {
  const param = String(issue?.path[0] ?? '')
  const value = [raw[param]].flat().join(', ')
  return new Failure('invalid_value', `The field "${param}" is "${value}"; it must be ${issue?.message}.`, {
    param,
  })
}
