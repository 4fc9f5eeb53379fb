#!/bin/sh
# A recording becomes text, with nothing but curl.
#   examples/curl.sh [recording]
set -eu
server=${HVISKE_URL:-http://localhost:8000}
recording=${1:-$(dirname "$0")/../test/audio/da.wav}

curl --silent --show-error --fail-with-body "$server/v1/audio/transcriptions" \
  -F "file=@$recording" \
  -F language=da \
  -F response_format=text
