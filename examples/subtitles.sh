#!/bin/sh
# A film or a recording becomes subtitles: at most two lines of 42 characters, cut where people pause.
#   examples/subtitles.sh [film] [srt|vtt] > film.srt
set -eu
server=${HVISKE_URL:-http://localhost:8000}
film=${1:-$(dirname "$0")/../test/audio/da.wav}

curl --silent --show-error --fail-with-body "$server/v1/audio/transcriptions" \
  -F "file=@$film" \
  -F "response_format=${2:-srt}"
