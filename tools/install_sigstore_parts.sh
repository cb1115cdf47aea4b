#!/bin/sh
# Builds the real sigstore that the integration tests sign with into DIR: Fulcio, a certificate log and Rekor v1 (with
# Trillian in memory behind both), Rekor v2 and the timestamp authority. One Go module pins all of them: tools/parts/go.mod and, by hash, go.sum.
# usage: install_sigstore_parts.sh DIR
set -eu
mkdir -p "$1"
dir=$(cd "$1" && pwd)
cd "$(dirname "$0")/parts"
# No C compiler is needed; what is not in go.sum is refused.
export GOFLAGS="-mod=readonly -buildvcs=false" CGO_ENABLED=0
stamp=$(cat go.mod go.sum timestamp_server/main.go trillian_in_memory/main.go | sha256sum | cut -d' ' -f1)
[ "$(cat "$dir/.sigstore-parts" 2>/dev/null || :)" = "$stamp" ] && exit 0
build() { go build -trimpath -ldflags='-s -w' -o "$dir/$1" "$2"; }
build ct_server github.com/google/certificate-transparency-go/trillian/ctfe/ct_server
build fulcio github.com/sigstore/fulcio
build rekor-server github.com/sigstore/rekor/cmd/rekor-server
build rekor-server-posix github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix
build timestamp_server ./timestamp_server
build trillian_in_memory ./trillian_in_memory
# Fulcio's own mapping of token claims to certificate fields: the tests use it, not a copy of it.
install -m 644 "$(go list -m -f '{{.Dir}}' github.com/sigstore/fulcio)/config/identity/config.yaml" "$dir/fulcio-config.yaml"
echo "$stamp" > "$dir/.sigstore-parts"
