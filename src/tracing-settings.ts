/** The settings of OpenTelemetry, under the names that all its SDKs read. What is traced is decided elsewhere. */
import { z } from 'zod'

const ENDPOINT = 'an http:// or https:// address, such as http://127.0.0.1:4318'

export const TRACING_SETTINGS = {
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    schema: z.literal('').or(z.url({ protocol: /^https?$/, error: ENDPOINT })),
    fallback: '',
    about: 'Collector that gets a trace of each request (OTLP over HTTP, JSON); empty: none',
  },
  OTEL_SERVICE_NAME: {
    schema: z.string().min(1),
    fallback: 'hviske-api',
    about: 'What this server is called in traces',
  },
} as const
