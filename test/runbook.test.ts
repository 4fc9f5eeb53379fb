/**
 * RUNBOOK.md and docs/reaching-it against what is there: every service, file, profile, setting, script, link and alert that they
 * name. Nobody here can type their `docker` lines; what they name can be looked up.
 */
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { SETTINGS_TABLE } from '../src/config.ts'
import { compose, type Project, ROOT } from './compose/client.ts'

const read = (path: string) => readFile(join(ROOT, path), 'utf8')
const WAYS = await readdir(join(ROOT, 'docs', 'reaching-it'))
const PAGES = ['RUNBOOK.md', ...WAYS.map((name) => `docs/reaching-it/${name}`)]
const texts = new Map(await Promise.all(PAGES.map(async (page) => [page, await read(page)] as const)))
const textOf = (page: string) => texts.get(page) ?? ''

/** Programs' own, and names that stand for something. */
const NOT_OURS = ['HVISKE_URL', 'HVISKE_KEY', 'CURL_CA_BUNDLE', 'SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS']

/** Lines of the blocks, without what is said of them, and spans of code between other words. */
function codeOf(text: string): string[] {
  const blocks = [...text.matchAll(/^ *```\w*\n([\s\S]*?)^ *```$/gm)].flatMap(([, block = '']) =>
    block.split('\n').map((line) => line.replace(/(^|\s)# .*$/, '').trim()),
  )
  const spans = text.replace(/^ *```\w*\n[\s\S]*?^ *```$/gm, '').matchAll(/`([^`\n]+)`/g)
  return [...blocks, ...[...spans].map(([, code = '']) => code)].filter(Boolean)
}

const OPTIONS_WITH_A_WORD = new Set(['--profile', '--tail', '--since', '--entrypoint', '-f', '--file', '-C'])
const TAKES_ONE_SERVICE = new Set(['run', 'exec'])
const TAKES_SERVICES = new Set(['build', 'up', 'stop', 'start', 'restart', 'ps', 'logs', 'down', 'config'])

interface Command {
  readonly verb: string
  readonly options: readonly (readonly [name: string, word: string | undefined])[]
  readonly services: readonly string[]
  /** What `run` and `exec` are given. */
  readonly words: readonly string[]
}

/** Of a line, each `docker compose …` up to the shell's next word. */
function composeCommands(line: string): Command[] {
  return line
    .split(/&&|\||;|[<>]/)
    .flatMap((piece) => /\bdocker compose +(\S.*)$/.exec(piece.trim())?.[1] ?? [])
    .map((rest) => commandOf(rest.split(/\s+/)))
}

function commandOf(tokens: string[]): Command {
  const options: [string, string | undefined][] = []
  const plain: string[] = []
  while (tokens.length > 0) {
    const token = tokens.shift() ?? ''
    const [verb = ''] = plain
    if (TAKES_ONE_SERVICE.has(verb) && plain.length === 2) {
      return { verb, options, services: plain.slice(1), words: [token, ...tokens] }
    }
    const [name = '', word] = token.split('=')
    if (token.startsWith('-'))
      options.push([name, word ?? (OPTIONS_WITH_A_WORD.has(name) ? tokens.shift() : undefined)])
    else plain.push(token)
  }
  const [verb = '', ...services] = plain
  return { verb, options, services, words: [] }
}

const everywhere = PAGES.flatMap((page) =>
  codeOf(textOf(page)).flatMap((line) => composeCommands(line).map((command) => ({ page, line, command }))),
)

let project: Project
let profiles: ReadonlySet<string>
let entry: string
beforeAll(async () => {
  const named = (await read('compose.yaml')).matchAll(/profiles: \[([\w-]+)\]/g)
  profiles = new Set([...named].map(([, name = '']) => name))
  entry = await read('deploy/image/entry.sh')
  const wanted = [...profiles].flatMap((name) => ['--profile', name])
  const files = ['--file', join(ROOT, 'compose.yaml'), ...wanted]
  const { stdout, stderr } = compose([...files, 'config', '--format', 'json'])
  if (stderr !== '') throw new Error(stderr)
  project = JSON.parse(stdout) as Project
})

describe('docker compose', () => {
  test('is read as Docker reads it', () => {
    expect(
      composeCommands(
        'docker compose run --rm -T --entrypoint tar server -C /data > a && docker compose up -d x',
      ),
    ).toEqual([
      {
        verb: 'run',
        options: [
          ['--rm', undefined],
          ['-T', undefined],
          ['--entrypoint', 'tar'],
        ],
        services: ['server'],
        words: ['-C', '/data'],
      },
      { verb: 'up', options: [['-d', undefined]], services: ['x'], words: [] },
    ])
  })

  test('is named often', () => {
    expect(everywhere.length).toBeGreaterThan(60)
  })

  test('is given verbs and services that there are', () => {
    for (const { page, line, command } of everywhere) {
      const known = TAKES_ONE_SERVICE.has(command.verb) || TAKES_SERVICES.has(command.verb)
      if (command.verb === 'version') continue
      expect({ page, line, known }).toEqual({ page, line, known: true })
      for (const name of command.services)
        expect({ page, line, name, exists: name in project.services }).toMatchObject({ exists: true })
    }
  })

  test('is given words that the image and its programs know', async () => {
    const verbs: Readonly<Record<string, string>> = {
      keys: await read('src/keys/key-command.ts'),
      model: await read('src/models/model-command.ts'),
    }
    const runs = everywhere.filter(
      ({ command }) =>
        command.verb === 'run' &&
        command.services[0] === 'server' &&
        !command.options.some(([name]) => name === '--entrypoint'),
    )

    const isKnown = ([word = '', verb]: readonly string[]) => {
      if (!new RegExp(`^ +${word}\\)`, 'm').test(entry)) return false
      return verbs[word]?.includes(`=== '${verb}'`) ?? [undefined, '--online', '--json'].includes(verb)
    }

    expect(runs.length).toBeGreaterThan(15)
    expect(runs.filter(({ command }) => !isKnown(command.words)).map(({ line }) => line)).toEqual([])
  })
})

describe.each(PAGES)('%s', (page) => {
  const text = textOf(page)
  const code = codeOf(text)

  test('links to files and headings that there are', async () => {
    const broken: string[] = []
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (target.startsWith('https://')) continue
      const [file = '', anchor] = target.split('#')
      const path = file === '' ? page : relative(ROOT, join(ROOT, dirname(page), file))
      if (!existsSync(join(ROOT, path))) broken.push(target)
      else if (anchor !== undefined && !anchorsOf(await read(path)).includes(anchor)) broken.push(target)
    }

    expect(broken).toEqual([])
  })

  test('names settings that there are', async () => {
    const documented = (await read('.env.example'))
      .match(/^#([A-Z0-9_]+)=/gm)
      ?.map((line) => line.slice(1, -1))
    const known = new Set([...SETTINGS_TABLE.map(({ name }) => name), ...(documented ?? []), ...NOT_OURS])
    const named = code.flatMap(
      (line) => line.match(/(?<![\w./-])(?:[A-Z][A-Z0-9]*_[A-Z0-9_]+(?![\w-])|[A-Z][A-Z0-9]+(?==))/g) ?? [],
    )

    expect([...new Set(named)].filter((name) => !known.has(name))).toEqual([])
  })

  test('names files, profiles, scripts, images and volumes that there are', async () => {
    const { scripts } = JSON.parse(await read('package.json')) as { scripts: Record<string, string> }
    const all = code.join('\n')
    const found = (pattern: RegExp) => [...all.matchAll(pattern)].map(([, name = '']) => name)

    const paths = found(/(?<![\w./-])((?:bench|deploy|docs|examples|scripts|src|test)\/[\w./-]*\w)/g)
    const files = found(/(?<![\w./-])(compose(?:\.\w+)?\.yaml)/g)
    // What is written by the command itself: the report, and nothing else.
    const missing = [...paths, ...files].filter(
      (path) => !path.startsWith('bench/results/') && !existsSync(join(ROOT, path)),
    )
    const unknown = [
      ...found(/COMPOSE_PROFILES=([\w-]+)/g).filter((name) => !profiles.has(name)),
      ...found(/--profile ([\w-]+)/g).filter((name) => !profiles.has(name)),
      ...found(/npm run ([\w:-]+)/g).filter((name) => !(name in scripts)),
      ...found(/CADDY_TLS=(\w+)/g).filter((name) => !existsSync(join(ROOT, 'deploy/caddy', `${name}.caddy`))),
      ...found(/\bhviske_((?:caddy_)?(?:data|models|cache|config))\b/g).filter(
        (name) => !(name in project.volumes),
      ),
      ...found(/(hviske-api:\d[\w.]*)/g).filter((name) => name !== project.services['server']?.image),
      ...found(/secrets\/([\w-]+)/g).filter((name) => !(name in (project.secrets ?? {}))),
    ]

    expect({ missing, unknown }).toEqual({ missing: [], unknown: [] })
  })
})

/** As GitHub makes them. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

test('every alert has a section that says what to do, and names it', async () => {
  const [, ...rules] = (await read('deploy/observability/alerts.yml')).split(/^ +- alert: /m)
  const alerts = rules.map((rule) => ({
    name: rule.split('\n', 1)[0] ?? '',
    runbook: /^ +runbook: "(.+)"$/m.exec(rule)?.[1],
  }))
  const [, chapter = ''] = /^## Alerts\n([\s\S]*?)^## /m.exec(textOf('RUNBOOK.md')) ?? []
  const sections = [...chapter.matchAll(/^### (\w+)\n\n([\s\S]*?)(?=^### |$(?![\s\S]))/gm)]

  expect(sections.map(([, name]) => name)).toEqual(alerts.map(({ name }) => name))
  for (const { name, runbook } of alerts) expect(runbook).toBe(`RUNBOOK.md#${name.toLowerCase()}`)
  for (const [, name, text = ''] of sections)
    expect({ name, saysSomething: text.trim().length > 30 }).toEqual({ name, saysSomething: true })
})
