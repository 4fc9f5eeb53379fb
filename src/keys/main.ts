/** The process behind `npm run keys`: the result goes to stdout, the rest to stderr. It decides nothing. */
import { keyFilePath } from '../config.ts'
import { runKeyCommand } from './key-command.ts'

try {
  const { result, remark } = await runKeyCommand(process.argv.slice(2), keyFilePath(), Date.now())
  if (result !== '') process.stdout.write(`${result}\n`)
  if (remark !== '') process.stderr.write(`${remark}\n`)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
