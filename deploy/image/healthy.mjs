/**
 * Docker's HEALTHCHECK: exit code 0 when the server takes recordings, 1 and its own words when not. Healthy is what /readyz calls
 * ready: a server that loads its model is alive, and a proxy need not send anybody to it.
 */
const TIMEOUT_MS = 8000

const port = process.env['PORT'] || '8000'
try {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(TIMEOUT_MS) })
  console.log(await response.text())
  process.exitCode = response.ok ? 0 : 1
} catch (error) {
  console.log(error.cause?.message ?? error.message)
  process.exitCode = 1
}
