import { expect, test } from 'vitest'
import { modelSettings, readConfig } from '../src/config.ts'

test.each([
  ['large-v3-turbo', 'openai/whisper-large-v3-turbo'],
  ['turbo', 'openai/whisper-large-v3-turbo'],
  ['large', 'openai/whisper-large-v3'],
  ['medium', 'openai/whisper-medium'],
  ['small', 'openai/whisper-small'],
  ['base', 'openai/whisper-base'],
  ['tiny.en', 'openai/whisper-tiny.en'],
])('MODEL_SIZE=%s is %s', (size, model) => {
  expect(readConfig({ MODEL_SIZE: size }).model).toBe(model)
  expect(modelSettings({ MODEL_SIZE: size }).model).toBe(model)
})

test('a model that is named goes before a size', () => {
  expect(readConfig({ MODEL: 'syvai/hviske-v2', MODEL_SIZE: 'medium' }).model).toBe('syvai/hviske-v2')
  expect(readConfig({ MODEL: '', MODEL_SIZE: '' }).model).toBe('syvai/hviske-v2')
})

test.each([
  ['MODEL_SIZE', 'enormous'],
  ['MODEL_SIZE', 'Systran/faster-whisper-large-v3'],
  ['WORKER_ID', 'two words'],
  ['CPU_THREADS', '-1'],
])('%s=%s is refused by name, with its value', (name, value) => {
  expect(() => readConfig({ [name]: value })).toThrow(`${name}=${value}: `)
})

test('a server has the name that it is given, and else none of its own', () => {
  expect(readConfig({ WORKER_ID: '3' }).workerId).toBe('3')
  expect(readConfig({}).workerId).toBeUndefined()
})
