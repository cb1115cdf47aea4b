#!/bin/sh
# Runs the tests against the installed package, not the source tree: the tests folder is the only thing on the path.
# In CI (CI=true) a real part that is absent is a failure: see tests/conftest.py.
set -eu
python=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cd "$(dirname "$0")/.."
PATH="$PWD/.tools/bin:$PATH"
export PATH
# A file is one worker's: module fixtures are made once. The session's (a server, a sigstore) once a worker, so not many workers.
# In their order (cases, integration, unit): the slow files come first, so that no worker is left with one of them at the end.
exec "$python" -P -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder tests
