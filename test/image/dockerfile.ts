/** A Dockerfile as instructions, in stages: as much of the language as ours uses, and an error for the rest. Nothing is carried out here. */

export interface Instruction {
  readonly name: string
  /** `--from=node` is `from: 'node'`. Of several mounts the last one. */
  readonly flags: Readonly<Record<string, string>>
  /** What is left, on one line. */
  readonly text: string
}
export interface Stage {
  readonly from: string
  /** The last one has none. */
  readonly name: string | undefined
  readonly instructions: readonly Instruction[]
}
export interface Dockerfile {
  /** ARG before the first FROM: which base images. */
  readonly args: Readonly<Record<string, string>>
  readonly stages: readonly Stage[]
}

const KNOWN = new Set(
  'ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK RUN USER VOLUME WORKDIR'.split(' '),
)

/** @throws Error for an instruction that is not known here */
export function parseDockerfile(text: string): Dockerfile {
  const instructions = text
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map(parseInstruction)
  const firstStage = instructions.findIndex(({ name }) => name === 'FROM')
  const args = Object.assign(
    {},
    ...instructions.slice(0, firstStage).map(({ text }) => assignments(text)),
  ) as Record<string, string>
  const stages: { from: string; name: string | undefined; instructions: Instruction[] }[] = []
  for (const instruction of instructions.slice(firstStage)) {
    if (instruction.name !== 'FROM') stages.at(-1)?.instructions.push(instruction)
    else {
      const [from = '', , name] = words(instruction.text)
      stages.push({ from: expanded(from, args), name, instructions: [] })
    }
  }
  return { args, stages }
}

function parseInstruction(line: string): Instruction {
  const [name = '', ...rest] = words(line)
  if (!KNOWN.has(name)) throw new Error(`${name} is no instruction that is read here`)
  const end = rest.findIndex((word) => !word.startsWith('--'))
  const flags = rest.slice(0, end).map((flag) => {
    const [key = '', ...value] = flag.slice(2).split('=')
    return [key, value.join('=')] as const
  })
  return { name, flags: Object.fromEntries(flags), text: rest.slice(end).join(' ') }
}

export function words(text: string): string[] {
  return text.split(/\s+/).filter(Boolean)
}

/** Of ARG and ENV. */
export function assignments(text: string): Record<string, string> {
  return Object.fromEntries(
    words(text).map((word) => {
      const at = word.indexOf('=')
      if (at < 0 || /["'\\]/.test(word)) throw new Error(`${word} is no name=value that is read here`)
      return [word.slice(0, at), word.slice(at + 1)] as const
    }),
  )
}

function expanded(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole)
}

/** The list of `ENTRYPOINT ["…"]` and its like. @throws Error when a shell would be needed */
export function listOf({ text }: Instruction): string[] {
  const list: unknown = JSON.parse(text.replace(/^CMD /, ''))
  if (!Array.isArray(list) || !list.every((one) => typeof one === 'string'))
    throw new Error(`${text} is no list`)
  return list
}

export function only(stage: Stage | undefined, name: string): Instruction {
  const [found, ...more] = stage?.instructions.filter((one) => one.name === name) ?? []
  if (found === undefined || more.length > 0) throw new Error(`not one ${name}`)
  return found
}
