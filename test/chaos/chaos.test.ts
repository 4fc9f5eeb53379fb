// The chaos suite in short: every deed once, and every invariant.
import { execa } from 'execa'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const MAIN = join(import.meta.dirname, 'main.ts')

test.skipIf(process.platform !== 'linux')(
  'whatever breaks, everybody is answered once and rightly, and nothing is left behind',
  { timeout: 240_000 },
  async () => {
    // Reading the seed's own report is what to do when this fails: it is in the output, with the command that repeats it.
    const words = [MAIN, '--brief', '--seed', '3', '--acts', '30', '--clients', '6', '--minutes', '3']

    const { exitCode, stdout, stderr } = await execa(process.execPath, words, { reject: false })

    expect({ exitCode, told: exitCode === 0 ? '' : `${stdout}\n${stderr}` }).toEqual({
      exitCode: 0,
      told: '',
    })
  },
)
