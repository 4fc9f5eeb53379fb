#!/bin/sh
# The last step of the Dockerfile: what can be made ahead is made, and a program that does not run here ends the build and not a start.
set -eu

python -m compileall -q python/whisper_worker

node --version
ffmpeg -hide_banner -version | head -n 1
bwrap --version
tini --version
# From the directory that the server starts it in.
(cd python && python -c 'import torch, transformers, whisper_worker.model; print("torch", torch.__version__)')
# Reads every file of the server, without starting it.
node --input-type=module --eval 'await import("/app/src/app.ts")'

# torch has made its directory there, as root. A new volume would take it over, and the server could not write to it.
find /data /models /cache /tmp -mindepth 1 -delete
