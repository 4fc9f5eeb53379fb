#!/bin/sh
# Makes up the passwords that compose.yaml's own services share, in secrets/. What is there already stays as it is.
#   deploy/compose/make-secrets.sh
set -eu
cd "$(dirname "$0")/../.."
mkdir -p secrets
# The files are mounted into containers of other users, so everybody may read them; nobody else gets into the directory.
chmod 700 secrets

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

keep() {
  [ -s "secrets/$1" ] && return
  (umask 022 && printf '%s\n' "$2" > "secrets/$1.new")
  chmod 444 "secrets/$1.new"
  mv "secrets/$1.new" "secrets/$1"
  echo "secrets/$1"
}

keep queue-url "redis://:$(random)@valkey:6379"
keep s3-access-key-id hviske
keep s3-secret-access-key "$(random)"
keep grafana-password "$(random)"
