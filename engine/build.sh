#!/bin/sh
# Builds the embedded engine into FOLDER (default: dist): opa-eval.wasm.xz and engine.json.
# The toolchain is go.mod's, the modules are go.sum's: the same source gives the same uncompressed module everywhere.
set -eu
cd "$(dirname "$0")"
out=${1:-dist}
mkdir -p "$out"
wasm=$(mktemp "${TMPDIR:-/tmp}/opa-eval.XXXXXX")
trap 'rm -f "$wasm"' EXIT
GOTOOLCHAIN=$(sed -n 's/^toolchain //p' go.mod) GOFLAGS=-mod=readonly CGO_ENABLED=0 GOOS=wasip1 GOARCH=wasm GOWASM= GOEXPERIMENT= \
    go build -trimpath -buildvcs=false -ldflags='-s -w -buildid=' -o "$wasm" .
python3 pack.py "$wasm" "$out"
