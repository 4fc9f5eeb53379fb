// Loads for ever; leaves when it is told to.
import { onRequest, say, sayHello } from './wire.ts'

sayHello()
say({ kind: 'loading', stage: 'downloading', message: 'model.safetensors', fraction: 0.42 })
onRequest((request) => {
  if (request.kind === 'shutdown') process.exit(0)
})
