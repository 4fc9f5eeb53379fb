#!/bin/sh
# Text while it is being made: server-sent events, one a line, [DONE] at the end. -N keeps curl from waiting.
#   examples/streaming.sh [recording]
set -eu
server=${HVISKE_URL:-http://localhost:8000}
recording=${1:-$(dirname "$0")/../test/audio/da.wav}

curl --no-buffer --silent --show-error --fail-with-body "$server/v1/audio/transcriptions" \
  -F "file=@$recording" \
  -F language=da \
  -F stream=true
