#!/bin/sh
# On the laptop, with nothing but curl: asks whether the box is there, and gets a recording as text or as subtitles. A large one goes
# as a job; started again after a lost connection, it finds the same job (the upload is made again).
#   HVISKE_URL=https://speech.example.org HVISKE_KEY=hv_… examples/laptop.sh [recording] [text|json|srt|vtt|verbose_json]
# Where the box has CADDY_TLS=internal also CURL_CA_BUNDLE=root.crt: Caddy's root certificate (RUNBOOK.md fetches it).
set -eu
server=${HVISKE_URL:-http://localhost:8000}
recording=${1:-$(dirname "$0")/../test/audio/da.wav}
format=${2:-text}

# The key goes by the standard input: on a command line, whoever sees the processes would see it.
ask() {
  printf 'header = "Authorization: Bearer %s"\n' "${HVISKE_KEY:-none-needed}" |
    curl --config - --silent --show-error --fail-with-body "$@"
}

ask "$server/readyz" >&2 || { echo " $server is not ready" >&2; exit 1; }
echo >&2

if [ "$(wc -c < "$recording")" -lt "${HVISKE_JOB_FROM_BYTES:-50000000}" ]; then
  ask "$server/v1/audio/transcriptions" -F "file=@$recording" -F "response_format=$format"
  exit
fi

key="$(cksum < "$recording" | tr ' ' -)"
answer=$(ask "$server/v1/jobs" -H "Idempotency-Key: $key" -F "file=@$recording") || { echo "$answer"; exit 1; }
job=$(echo "$answer" | sed 's/^{"id":"\([^"]*\)".*/\1/')
echo "job $job" >&2
ask --no-buffer "$server/v1/jobs/$job/events" >&2 # until it has ended
ask "$server/v1/jobs/$job/result?format=$format"
