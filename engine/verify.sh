#!/bin/sh
# Builds the engine again and compares: the module in dist/ is what this source gives, and what else is generated from it
# (the capabilities, the notices) is current.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d "${TMPDIR:-/tmp}/engine.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/source"
cp -R . "$work/source"
cd "$work/source"
./build.sh "$work/dist"
python3 notices.py
go generate
cd - >/dev/null
cmp dist/engine.json "$work/dist/engine.json"
cmp dist/capabilities.json "$work/source/dist/capabilities.json"
cmp NOTICES.txt "$work/source/NOTICES.txt"
python3 - <<'PY'
import hashlib, json, lzma, pathlib
module = lzma.decompress(pathlib.Path("dist/opa-eval.wasm.xz").read_bytes())
described = json.loads(pathlib.Path("dist/engine.json").read_text())
assert hashlib.sha256(module).hexdigest() == described["sha256"], "opa-eval.wasm.xz is not the module of engine.json"
PY
echo "engine: the artefact is what its source gives"
