/**
 * Writes .env.example: every setting out of src/config.ts, and what only compose reads. Nothing in it is set; whoever takes a
 * `#` away sets the default. Needs the Node of node_modules, which runs TypeScript.
 *
 *   npm run env-example                      writes the file
 *   node scripts/env-example.mjs --print     shows what it would write
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readConfig, SETTINGS_TABLE } from '../src/config.ts'

/** By their names, first match, so that a new setting finds its place; what matches nothing comes last. */
const GROUPS = [
  [
    'The model, and what it computes with',
    /^(MODEL|DEVICE|REQUIRE_GPU|COMPUTE|SLOTS|COMPILE|CUDA|CPU|GUARDS|DEFAULT_LANG)/,
  ],
  ['Who may call', /^(API_KEYS|KEYS_FILE|CORS|TRUSTED|MAX_FAILED|METRICS)/],
  ['How much at once', /^(MAX_(?!JOB)|FAIL_FAST|BUSY|REALTIME|EARLY|JOIN)/],
  ['Jobs, uploads, and what is fetched for them', /^(CACHE|MAX_JOB|JOBS_AT|ALLOW_URL|URL_|UPLOAD|WEBHOOK)/],
  ['An S3 store', /^(AWS|S3|JOB_STORAGE)/],
  ['What follows a transcript', /^(OLLAMA|LLM)/],
  ['Several servers (compose.distributed.yaml sets ROLE and QUEUE_URL)', /^(ROLE|QUEUE|JOB_LEASE|WORKER)/],
  ['The end, the log, traces', /^(SHUTDOWN|DRAIN|LOG|OTEL)/],
  ['For `npm start`: compose.yaml says these itself', /^(HOST|PORT|DATA_DIR|FFMPEG|PYTHON)/],
  ['And', /^/],
]

const { shutdownDelaySeconds, drainSeconds } = readConfig({})

const COMPOSE = {
  'Compose: which of its files and profiles (docs/compose.md)': [
    ['COMPOSE_FILE', 'compose.yaml', 'With a GPU: compose.yaml:compose.gpu.yaml'],
    ['COMPOSE_PROFILES', '', 'Comma-separated: observability, tunnel, tunnel-cloudflare'],
    ['TORCH', 'cu130', 'Which torch goes into the image: cu130, or cpu as compose.cpu.yaml has it'],
    ['WORKERS', '1', 'How many workers compose.distributed.yaml starts'],
    [
      'STOP_GRACE_PERIOD',
      `${shutdownDelaySeconds + drainSeconds + 15}s`,
      'How long a container may take to end: SHUTDOWN_DELAY_SECONDS + DRAIN_SECONDS + 15 s',
    ],
  ],
  'Compose: the way in (Caddyfile)': [
    ['SITE_ADDRESS', 'localhost', 'The name, or the address, that clients use'],
    [
      'CADDY_TLS',
      'domain',
      'Where its certificate comes from: domain, ip, internal, or off behind a tunnel or another proxy',
    ],
    ['ACME_EMAIL', '', 'Whom the certificate authority may write to'],
    ['UPSTREAMS', 'server:8000', 'The servers that Caddy passes requests on to, separated by spaces'],
    [
      'PROXIES_IN_FRONT',
      'private_ranges',
      'With CADDY_TLS=off: proxies whose X-Forwarded-For Caddy believes, separated by spaces',
    ],
    [
      'HTTP_PORT',
      '80',
      'Port of this machine for HTTP, or 127.0.0.1:80 for itself alone; a certificate may need it to be 80',
    ],
    ['HTTPS_PORT', '443', 'The same for HTTPS, TCP and UDP'],
    [
      'ADMIN_PORT',
      '8000',
      'Port of this machine, on 127.0.0.1 only, for /admin, /metrics and /lb-status, which Caddy does not pass on',
    ],
    ['TAILSCALE_HOSTNAME', 'hviske', 'Name of this machine in your tailnet (profile tunnel)'],
  ],
  'Compose: dashboards, on 127.0.0.1 only (profile observability)': [
    ['PROMETHEUS_PORT', '9090', 'Port of Prometheus'],
    ['GRAFANA_PORT', '3000', 'Port of Grafana; user admin, password in secrets/grafana-password'],
  ],
  "Hugging Face's own": [
    ['HF_TOKEN', '', 'For models that ask for one'],
    ['HF_HUB_OFFLINE', '0', '1: the Hub is asked for nothing, not even for a model that is not here'],
  ],
}

function grouped(table) {
  const groups = new Map(GROUPS.map(([title]) => [title, []]))
  for (const { name, fallback, about } of table) {
    const [title] = GROUPS.find(([, pattern]) => pattern.test(name))
    groups.get(title).push([name, fallback, about])
  }
  return Object.fromEntries([...groups].filter(([, settings]) => settings.length > 0))
}

/** Where compose.yaml has another default than the server. */
const OTHERWISE = {
  METRICS: 'in compose.yaml open, since nobody outside reaches it',
  TRUSTED_PROXIES: 'in compose.yaml all private networks, since Caddy is in one',
}

function section([title, settings]) {
  const lines = settings.flatMap(([name, fallback, about]) => {
    const otherwise = OTHERWISE[name] === undefined ? '' : `; ${OTHERWISE[name]}`
    return [`# ${about}${otherwise}`, `#${name}=${fallback}`]
  })
  return [`## ${title}`, ...lines].join('\n')
}

const HEAD = `# Copy to .env and take the # from what you change. Read by \`npm start\` and by docker compose; a value with $, # or a
# space goes in single quotes. Written by \`npm run env-example\`.`

const text = `${[HEAD, ...[COMPOSE, grouped(SETTINGS_TABLE)].flatMap(Object.entries).map(section)].join('\n\n')}\n`

if (process.argv.includes('--print')) process.stdout.write(text)
else writeFileSync(join(import.meta.dirname, '..', '.env.example'), text)
