#!/bin/sh
# Debian's packages, the user and his directories. Runs as root in the last stage of the Dockerfile.
set -eu

# Of no fixed version: Debian 13 changes them only to mend them. bubblewrap shuts ffmpeg in, where the container may have
# namespaces. libstdc++6 is Node's, libatomic1 on some processors.
packages='bubblewrap ca-certificates ffmpeg libatomic1 libstdc++6 tini'

# torch and Triton compile while the server runs, when the setting COMPILE is on. Python's headers are in its image.
case "${COMPILE:-}" in
  on) packages="$packages g++ gcc libc6-dev" ;;
  off) ;;
  *)
    echo "COMPILE is on or off, not '${COMPILE:-}'" >&2
    exit 2
    ;;
esac

export DEBIAN_FRONTEND=noninteractive
apt-get update -q
# shellcheck disable=SC2086 # a list of names
apt-get install -q -y --no-install-recommends $packages
apt-get clean
rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log /var/cache/ldconfig/aux-cache

groupadd --gid 1000 hviske
useradd --uid 1000 --gid 1000 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin hviske
# A new volume takes over who may write here.
install -d -o hviske -g hviske /data /models /cache
