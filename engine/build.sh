#!/bin/sh
# Builds the embedded engine into FOLDER (default: dist): opa-eval.wasm.xz and engine.json.
# The toolchain is go.mod's, the modules are go.sum's, less what prune.py takes out: the same source gives the same
# uncompressed module everywhere.
set -eu
cd "$(dirname "$0")"
out=${1:-dist}
mkdir -p "$out"
work=$(mktemp -d "${TMPDIR:-/tmp}/opa-eval.XXXXXX")
trap 'rm -rf "$work"' EXIT
GOTOOLCHAIN=$(sed -n 's/^toolchain //p' go.mod)
export GOTOOLCHAIN
mkdir "$work/source"
python3 prune.py "$work/source"
# Without inlining where it costs an evaluation little: less code for the first start to compile.
opa=github.com/open-policy-agent/opa
set --
for package in $opa/internal/... $opa/v1/ast $opa/v1/topdown/durationparser $opa/v1/types go.yaml.in/... \
    encoding/json math/big net/url regexp/syntax time; do
    set -- "$@" "-gcflags=$package=-l"
done
(
    cd "$work/source"
    GOFLAGS=-mod=vendor CGO_ENABLED=0 GOOS=wasip1 GOARCH=wasm GOWASM= GOEXPERIMENT= \
        go build "$@" -buildmode=c-shared -trimpath -buildvcs=false -ldflags='-s -w -buildid=' -o "$work/opa-eval.wasm" .
)
python3 export_globals.py "$work/opa-eval.wasm"
python3 pack.py "$work/opa-eval.wasm" "$out"
