/** Where the server is a container, what mends something is typed on the machine that runs it. It knows only words. */
import type { Finding } from './finding.ts'

const RUN = 'docker compose run --rm'
const OTHER_WORDS: readonly (readonly [RegExp, string])[] = [
  [/HF_HUB_OFFLINE=0 npm run model --/g, `${RUN} -e HF_HUB_OFFLINE=0 server model`],
  // Not a second server: it would empty the spool of the one that runs, since both have the same process number.
  [
    /LOG_LEVEL=debug npm start/g,
    'LOG_LEVEL=debug in .env, then docker compose up -d server && docker compose logs -f server',
  ],
  [/npm run (keys|doctor|model) --/g, `${RUN} server $1`],
  [/npm start/g, 'docker compose up -d server'],
  [/rm -r \.venv \.setup\/python && node scripts\/setup\.mjs/g, 'docker compose build --no-cache server'],
  [/\bmv (\/\S+ \/\S+)/g, `${RUN} --no-deps --entrypoint mv server $1`],
  [/^npm ci$/g, 'docker compose build --no-cache server'],
  [/sudo apt install g\+\+[^,;]*/g, 'docker compose build --build-arg COMPILE=on server'],
  [/apt install (ffmpeg|util-linux)[^,;]*/g, 'docker compose build --no-cache server'],
  [
    /sudo apt install nvidia-driver[^;]*/g,
    'on the machine: nvidia-smi; then the NVIDIA Container Toolkit: sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker; and COMPOSE_FILE=compose.yaml:compose.gpu.yaml in .env',
  ],
  [
    /sudo chown -R "\$\(id -u\)" (\S+)/g,
    // Root without any other capability cannot look into the directories of others.
    `${RUN} --user 0 --cap-add CHOWN --cap-add DAC_READ_SEARCH --entrypoint chown server -R 1000:1000 $1`,
  ],
]

export function asTypedOutside(finding: Finding): Finding {
  if (finding.mend === undefined) return finding
  const mend = OTHER_WORDS.reduce((said, [words, others]) => said.replace(words, others), finding.mend)
  return { ...finding, mend }
}
