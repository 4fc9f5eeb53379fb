// Clients who never stop asking, and remember what they were told.
import { clip, type Server } from './servers.ts'

/** So many clients, each with one recording after the other. */
export function keepAsking({ url }: Pick<Server, 'url'>, count: number) {
  const texts: string[] = []
  const refusals: string[] = []
  let isOver = false
  let told = () => {}
  const one = async () => {
    while (!isOver) {
      const body = new FormData()
      body.append('file', await clip('da.wav'), 'da.wav')
      const response = await fetch(`${url}/v1/audio/transcriptions`, { method: 'POST', body })
      const answer = await response.text()
      if (response.ok) texts.push((JSON.parse(answer) as { text: string }).text)
      else refusals.push(`${response.status} ${answer}`)
      told()
    }
  }
  // Who finds nobody there has been refused, too, and asks no more.
  const asking = () => one().catch((error: unknown) => void refusals.push(String(error)))
  const everybody = Promise.all(Array.from({ length: count }, asking))
  return {
    /** Resolves when so many more have been answered. */
    answered: (more: number) =>
      new Promise<void>((resolve) => {
        const enough = texts.length + refusals.length + more
        told = () => texts.length + refusals.length >= enough && resolve()
      }),
    async leave() {
      isOver = true
      await everybody
      return { texts, refusals }
    },
  }
}
