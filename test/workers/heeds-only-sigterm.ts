// Hears neither `shutdown` nor the end of stdin, but SIGTERM ends it.
import { becomeReady } from './wire.ts'

becomeReady()
setInterval(() => {}, 1000)
