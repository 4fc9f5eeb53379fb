#!/bin/sh
# What a container of the image does: `docker run hviske-api [server | doctor | model … | keys …]`. Each replaces this shell, so that
# it gets the signals.
set -eu
cd /app

command=${1:-server}
[ $# -eq 0 ] || shift
case "$command" in
  server) exec node src/main.ts "$@" ;;
  doctor) exec node src/doctor/main.ts "$@" ;;
  model) exec node src/models/main.ts "$@" ;;
  keys) exec node src/keys/main.ts "$@" ;;
  *)
    cat >&2 <<END
'$command' is none of: server (what it does by itself), doctor, model, keys.
For another program in the image: docker run --entrypoint PROGRAM …
END
    exit 2
    ;;
esac
