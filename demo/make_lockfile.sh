#!/bin/sh
# Makes demo/shop/package-lock.json with the real npm. Nothing is installed and no script runs.
set -eu
cd "$(dirname "$0")/shop"
rm -f package-lock.json
npm install --package-lock-only --ignore-scripts --no-audit --no-fund --omit-lockfile-registry-resolved=false
