#!/usr/bin/env bash
# What to measure in the first hour on a new box, into one report; `--dry-run` lists it. The work is bench/first_hour/'s.
set -euo pipefail

export FIRST_HOUR_FROM=$PWD # what --out and --recordings are told from
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${PYTHON_PATH:-.venv/bin/python}
if ! "$python" --version > /dev/null 2>&1; then
  echo "No Python at $python. Run \`node scripts/setup.mjs --dev\` first, or set PYTHON_PATH." >&2
  exit 2
fi
exec "$python" -m bench.first_hour "$@"
