#!/bin/sh
# Writes tests/fixtures/sarif/sarif-schema-2.1.0.json: the official schema (OASIS, errata 01), out of the Go module that
# carries it as one constant. The Go client compares the module with the checksum database.
# usage: tools/make_sarif_schema.sh
set -eu
cd "$(dirname "$0")/.."
module=github.com/owenrumney/go-sarif/v3@v3.3.1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
dir=$(cd "$folder" && go mod init fetch >/dev/null 2>&1 && go mod download -json "$module" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
mkdir -p tests/fixtures/sarif
sed -e '/^package /d' -e 's/^const schema = `//' -e '/^`$/d' "$dir/pkg/report/v210/sarif/schema.go" |
    sed '/./,$!d' >tests/fixtures/sarif/sarif-schema-2.1.0.json
