#!/bin/sh
# Installs the real registries that the tests attach evidence to into DIR: go-containerregistry's, which knows the
# referrers API, and a client on the oras-go library, both pinned by tools/registry_parts/go.mod and go.sum; and Debian's
# docker-registry, which does not know it. Beside them an S3 server, which the tests keep inventories in.
# usage: install_registry_parts.sh DIR
set -eu
mkdir -p "$1"
dir=$(cd "$1" && pwd)
cd "$(dirname "$0")/registry_parts"
export GOFLAGS="-mod=readonly -buildvcs=false" CGO_ENABLED=0
stamp=$(cat go.mod go.sum ./*/main.go | sha256sum | cut -d' ' -f1)
if [ "$(cat "$dir/.registry-parts" 2>/dev/null || :)" != "$stamp" ]; then
    go build -trimpath -ldflags='-s -w' -o "$dir/" ./test_registry ./copy_evidence ./test_s3
    echo "$stamp" > "$dir/.registry-parts"
fi
# One program: it is taken out of its package, so that nothing has to be installed and no service starts.
if ! command -v "$dir/docker-registry" >/dev/null 2>&1; then
    if found=$(command -v docker-registry); then
        ln -s "$found" "$dir/docker-registry"
    else
        new=$(mktemp -d)
        trap 'rm -rf "$new"' EXIT
        (cd "$new" && { apt-get download -q docker-registry || { apt-get update -q && apt-get download -q docker-registry; }; } >&2) ||
            { echo "docker-registry is missing: install it (Debian: apt-get install docker-registry)" >&2; exit 1; }
        dpkg -x "$new"/docker-registry_*.deb "$new/x"
        install -m 755 "$new/x/usr/bin/docker-registry" "$dir/docker-registry"
    fi
fi
