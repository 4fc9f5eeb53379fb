// Hears neither `shutdown` nor the end of stdin nor SIGTERM. Its name in the process list is its last will: only SIGKILL helps.
import { becomeReady } from './wire.ts'

process.on('SIGTERM', () => {})
becomeReady()
setInterval(() => {}, 1000)
