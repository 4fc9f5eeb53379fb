/**
 * The text fields of a request become values, by the same zod schemas that document them. Lenient in spelling (every
 * client writes lists differently), strict in meaning: a wrong value is refused by name.
 */
import type { z } from '@hono/zod-openapi'
import { Failure } from '../failure.ts'
import type { Fields } from '../upload/receive.ts'
import { isList, membersOf } from './field-types.ts'

type Raw = Readonly<Record<string, unknown>>

/** Zod complains of every item of a list, and a megabyte of commas holds up everybody else for half a second. */
const MAX_ITEMS = 1000
/** Longer ones are shortened in what a client is told. */
const SHOWN_CHARACTERS = 60

/**
 * Unknown fields are ignored, as OpenAI does; empty ones count as absent.
 *
 * @throws Failure invalid_value naming the field, its value and what is allowed.
 */
export function parseForm<Schema extends z.ZodObject>(schema: Schema, fields: Fields): z.output<Schema> {
  const raw: Record<string, unknown> = {}
  for (const [name, type] of Object.entries(schema.shape)) {
    const value = rawValue(fields, name, type)
    if (value !== undefined) raw[name] = value
  }

  const parsed = schema.safeParse(raw)
  if (parsed.success) return parsed.data
  throw refusal(parsed.error.issues[0], raw)
}

/** A client's own word in a message to it: quoted, and short. */
export function shown(value: string): string {
  const isLong = value.length > SHOWN_CHARACTERS
  // The cut may fall within a character.
  return isLong ? `"${value.slice(0, SHOWN_CHARACTERS).toWellFormed()}…"` : `"${value}"`
}

function rawValue(fields: Fields, name: string, type: unknown): unknown {
  const members = membersOf(type)
  if (members) return rawMembers(fields, name, members)
  const values = valuesOf(fields, name)
  if (!isList(type)) return values.at(-1)
  const items = values.flatMap(splitList)
  if (items.length > MAX_ITEMS) throw refused(name, name, items, `a list of at most ${MAX_ITEMS} items`)
  return items.length > 0 ? items : undefined
}

/** The field under every spelling: `name`, repeated `name`, `name[]`, `name[0]`. */
function valuesOf(fields: Fields, name: string): string[] {
  return [...fields]
    .filter(([key]) => key.replace(/\[\d*\]$/, '') === name)
    .flatMap(([, values]) => values)
    .filter(isFilled)
}

/** Forms send all of their inputs: an empty one says nothing. */
export function isFilled(value: string): boolean {
  return value.trim() !== ''
}

/** One part may hold a whole list: as JSON (`["word"]`) or with commas (`word,segment`). */
function splitList(value: string): string[] {
  const list = parsedJson(value)
  if (Array.isArray(list)) return list.map(asText).filter(isFilled)
  const inside = /^\s*\[(.*)\]\s*$/s.exec(value)?.[1] ?? value
  return inside
    .split(',')
    .map((item) => item.trim().replace(/^(["'])(.*)\1$/, '$2'))
    .filter(isFilled)
}

/** An object in SDKs' spelling (`name[member]`), as one JSON string, or its `type` alone, which stands for the rest. */
function rawMembers(fields: Fields, name: string, members: readonly string[]): Raw | undefined {
  const whole = valuesOf(fields, name).at(-1)
  const within = whole === undefined ? {} : objectOf(whole)
  const found = members.flatMap((member) => {
    const value = fields.get(`${name}[${member}]`)?.filter(isFilled).at(-1) ?? within[member]
    return value === undefined ? [] : [[member, value] as const]
  })
  return found.length > 0 ? Object.fromEntries(found) : undefined
}

function objectOf(value: string): Readonly<Record<string, string>> {
  const parsed = parsedJson(value)
  if (typeof parsed !== 'object' || Array.isArray(parsed)) return { type: value.trim() }
  const members = Object.entries(parsed ?? {}).filter(([, inside]) => inside !== null)
  const texts = members.map(([member, inside]) => [member, asText(inside)] as const)
  return Object.fromEntries(texts.filter(([, text]) => isFilled(text)))
}

function parsedJson(value: string): unknown {
  try {
    return JSON.parse(value)
  } catch {
    return undefined
  }
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function refusal(issue: z.core.$ZodIssue | undefined, raw: Raw): Failure {
  const path = issue?.path ?? []
  const [param = '', inside] = path.map(String)
  const member = inside !== undefined && hasMembers(raw[param]) ? `[${inside}]` : ''
  return refused(param, `${param}${member}`, valueAt(raw, path), issue?.message ?? 'something else')
}

function refused(param: string, name: string, value: unknown, allowed: string): Failure {
  const said = shown([value].flat().slice(0, SHOWN_CHARACTERS).join(', '))
  return new Failure('invalid_value', `The field "${name}" is ${said}; it must be ${allowed}.`, { param })
}

function hasMembers(value: unknown): boolean {
  return typeof value === 'object' && !Array.isArray(value)
}

function valueAt(raw: Raw, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Readonly<Record<PropertyKey, unknown>>)[key], raw)
}
