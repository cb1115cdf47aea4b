#!/bin/sh
# Builds the real `opa` at the version that the embedded engine is made of into .tools/bin, from the Go module.
set -eu
cd "$(dirname "$0")/.."
version=$(sed -n 's|.*open-policy-agent/opa \(v[^ ]*\).*|\1|p' engine/go.mod)
mkdir -p .tools/bin
CGO_ENABLED=0 GOFLAGS=-buildvcs=false GOBIN="$PWD/.tools/bin" go install "github.com/open-policy-agent/opa@$version"
.tools/bin/opa version
