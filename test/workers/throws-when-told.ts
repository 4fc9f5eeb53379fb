// Loaded into the server before its own code: a bug in waiting, one that throws and one that nobody awaits.
process.on('SIGUSR2', () => {
  throw new Error('a bug that nobody caught')
})
process.on('SIGWINCH', () => void Promise.reject(new Error('a bug that nobody caught')))
