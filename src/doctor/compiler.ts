/** What COMPILE=on needs beside torch: a compiler, and for a GPU the headers of Python, against which Triton compiles its launchers. */
import { type Finding, fail, ok } from './finding.ts'
import type { Environment, World } from './world.ts'

export async function checkCompiler(
  { CC, CXX }: Environment,
  { python, run }: Pick<World, 'python' | 'run'>,
): Promise<Finding> {
  const probe = await python()
  const isForGpu = probe.torch?.gpu != null
  // On a CPU torch calls the one that CXX names, or else g++, and tries no other.
  const isNamed = CXX !== undefined && CXX !== ''
  const compilers = isForGpu ? [CC, 'gcc', 'clang'] : [isNamed ? CXX : 'g++']
  const found = await firstThatRuns(
    compilers.filter((name) => name !== undefined && name !== ''),
    run,
  )
  const header = probe.python_header ?? null
  const lacks = [
    ...(found === undefined ? [isForGpu ? 'a C compiler' : 'a C++ compiler'] : []),
    ...(isForGpu && header === null ? ['Python.h'] : []),
  ]
  if (lacks.length === 0) return ok('compiler', `${found}${isForGpu ? `; ${header}` : ''}`)
  return fail(
    'compiler',
    `COMPILE=on needs ${lacks.join(' and ')}`,
    'sudo apt install g++ python3-dev, or COMPILE=off',
  )
}

async function firstThatRuns(
  names: readonly (string | undefined)[],
  run: World['run'],
): Promise<string | undefined> {
  for (const name of names) {
    const ran = name && (await run(name, ['--version']).catch(() => undefined))
    if (ran && ran.exitCode === 0) return ran.stdout.split('\n')[0] || name
  }
  return undefined
}
