#!/bin/sh
# A recording is handed in as a job, watched until it has ended, and fetched as text. Needs nothing but curl and sed.
#   examples/jobs.sh [recording] [json|text|srt|vtt|verbose_json|md]
# HVISKE_URL says where the server is, HVISKE_KEY the key that it may ask for.
set -eu
server=${HVISKE_URL:-http://localhost:8000}
recording=${1:-$(dirname "$0")/../test/audio/da.wav}
ask() { curl --silent --show-error --fail-with-body -H "x-api-key: ${HVISKE_KEY:-}" "$@"; }

answer=$(ask "$server/v1/jobs" -F "file=@$recording" -F language=da) || { echo "$answer"; exit 1; }
job=$(echo "$answer" | sed 's/^{"id":"\([^"]*\)".*/\1/')
echo "job $job" >&2

# Ends when the job has ended.
ask --no-buffer "$server/v1/jobs/$job/events" >&2

ask "$server/v1/jobs/$job/result?format=${2:-text}"
