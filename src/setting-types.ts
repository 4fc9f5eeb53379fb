/** What settings are made of: kinds that more than one of them is of. */
import { z } from 'zod'

export const wholeNumber = (minimum: number, maximum: number) =>
  z.coerce.number().int().min(minimum).max(maximum)

export function listOf(separatedByCommas: string): string[] {
  return separatedByCommas
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean)
}
