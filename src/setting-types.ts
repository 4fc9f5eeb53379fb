/** What settings are made of: kinds that more than one of them is of. */
import { z } from 'zod'

export const wholeNumber = (minimum: number, maximum: number) =>
  z.coerce.number().int().min(minimum).max(maximum)

export const yesOrNo = z.enum(['0', '1', 'on', 'off', 'true', 'false'])

export const isYes = (word: z.output<typeof yesOrNo>): boolean => ['1', 'on', 'true'].includes(word)

export function listOf(separatedByCommas: string): string[] {
  return separatedByCommas
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean)
}
