// A server without HTTP: starts the real Python child, gives it work for an hour, says its pid, and is killed by its test.
import { workerCommand } from '../../src/engine/command.ts'
import { createEngine } from '../../src/engine/engine.ts'
import { createLog } from '../../src/log.ts'

const [python = '', spool = '', path = ''] = process.argv.slice(2)
const log = createLog('debug', (line) => {
  const entry = JSON.parse(line)
  if (String(entry.message).startsWith('ready')) process.stdout.write(`${entry.pid}\n`)
  if (entry.line === 'window 0') process.stdout.write('works\n')
})
const engine = createEngine({ command: workerCommand(python, ['--fake'], spool), log })
await engine.start()
const extent = { samples: 32_000, isComplete: true }
const request = {
  pcm: { path, extent, grownBeyond: async () => extent },
  task: 'transcribe',
  prompt: '[[log]][[sleep 3600]]',
  temperature: 0,
  wantsWords: false,
  wantsLogprobs: false,
  wantsDeltas: false,
  wantsGuards: true,
} as const
for await (const _event of engine.run(request, new AbortController().signal));
