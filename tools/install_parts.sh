#!/bin/sh
# Installs the real parts that the tests run against into DIR: opa and cosign as Go modules, at the pinned versions.
# usage: install_parts.sh DIR
set -eu
dir=$1
mkdir -p "$dir"
OPA=v1.22.0
COSIGN=v3.1.3
for part in go node npm; do
    command -v "$part" >/dev/null 2>&1 || { echo "$part is missing: install it (Debian: apt-get install golang nodejs npm)" >&2; exit 1; }
done
[ -x "$dir/opa" ] || GOFLAGS= GOBIN=$dir go install "github.com/open-policy-agent/opa@$OPA"
[ -x "$dir/cosign" ] || GOFLAGS= GOBIN=$dir go install "github.com/sigstore/cosign/v3/cmd/cosign@$COSIGN"
"$dir/opa" version | head -n 1
"$dir/cosign" version 2>/dev/null | grep GitVersion || true
