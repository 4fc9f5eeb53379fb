import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Tests that start the real Python child and load the real (tiny) model need longer than vitest's 5 s on a busy machine.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // A poll waits for something to happen. Vitest's one second is a measurement of the machine.
    expect: { poll: { timeout: 20_000 } },
    // Two cores are what CI has; more forks would only fight the Python children for them.
    maxWorkers: 2,
  },
})
