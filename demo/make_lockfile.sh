#!/bin/sh
# Makes demo/shop/package-lock.json with the real npm. Nothing is installed and no script runs.
# axios is locked at 1.14.0 first and its range loosened after that, as a project of March 2026 would have had it.
set -eu
cd "$(dirname "$0")/shop"
rm -f package-lock.json
lock() { npm install --package-lock-only --ignore-scripts --no-audit --no-fund --omit-lockfile-registry-resolved=false; }
sed -i 's/"axios": ".*"/"axios": "1.14.0"/' package.json
lock
sed -i 's/"axios": ".*"/"axios": "^1.14.0"/' package.json
lock
