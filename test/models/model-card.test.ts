import { expect, test } from 'vitest'
import { cardOf, listOf } from '../../src/models/model-card.ts'
import type { ModelFacts } from '../../src/models/python-half.ts'

const FACTS: ModelFacts = {
  kind: 'model',
  model: 'syvai/hviske-v2',
  commit: 'a'.repeat(40),
  directory: '/models/hub/x',
  bytes: 3_090_000_000,
  pinned: null,
  is_listed: true,
  parameters: 1_543_490_560,
  dtypes: { F16: 1_543_490_560 },
  shape: { encoder_layers: 32 },
  generation: {
    num_beams: 5,
    suppress_tokens: [1, 2, 3, 4, 5],
    begin_suppress_tokens: [1],
    lang_to_id: { a: 1 },
  },
  repairs: ['num_beams: 5 reset to 1', 'alignment_heads: taken from large-v3'],
  licence: null,
  base: null,
  problems: [],
}

test('a card says what is known, with every generation setting and every repair', () => {
  expect(cardOf(FACTS)).toBe(`model      syvai/hviske-v2
revision   ${'a'.repeat(40)}
directory  /models/hub/x
size       3.09 GB, 1,543,490,560 parameters in F16
shape      encoder_layers=32
licence    openrail (of our list; no model card here names one)
base       not known
generation num_beams=5 suppress_tokens=[5] begin_suppress_tokens=[1] lang_to_id={1}
repaired   num_beams: 5 reset to 1
           alignment_heads: taken from large-v3`)
})

test('what is not known is not made up', () => {
  const card = cardOf({
    ...FACTS,
    model: 'acme/own',
    commit: null,
    parameters: null,
    dtypes: {},
    shape: {},
    generation: {},
  })

  expect(card).toContain('revision   none: a directory')
  expect(card).toContain(
    'size       3.09 GB, not known\nshape      not known\nlicence    not known: no model card',
  )
  expect(card).toContain('generation no generation_config.json')
})

test('a list says what is used, and when nothing of it is', () => {
  const found = {
    kind: 'found',
    model: 'a/b',
    commit: 'c'.repeat(40),
    bytes: 1_000_000,
    total: 5_000_000,
    is_whole: false,
    is_used: false,
  } as const

  expect(listOf([found])).toBe(`  model  revision      size              state
  a/b    cccccccccccc  1.0 MB of 5.0 MB  not whole
The model of the settings is not among them.`)
  expect(listOf([{ ...found, is_whole: true, is_used: true }])).toContain(
    '*  a/b    cccccccccccc  1.0 MB  whole',
  )
})
