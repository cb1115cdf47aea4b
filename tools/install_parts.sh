#!/bin/sh
# Installs the real parts that the tests run against into DIR, at the pinned versions: opa as the embedded engine's go.mod
# names it, cosign, actionlint, a whole sigstore (install_sigstore_parts.sh), all Go modules, and registries
# (install_registry_parts.sh); beside DIR, in managers/, the package managers that write the fixtures; and Debian's Chromium,
# which the HTML reports are opened in.
# usage: install_parts.sh DIR
set -eu
mkdir -p "$1"
dir=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
opa=$(sed -n 's|^.*github.com/open-policy-agent/opa \(v[^ ]*\).*$|\1|p' engine/go.mod)
cosign=v3.1.3
for part in go node npm; do
    command -v "$part" >/dev/null 2>&1 || { echo "$part is missing: install it (Debian: apt-get install golang nodejs npm)" >&2; exit 1; }
done
at() { command -v "$dir/$1" >/dev/null 2>&1 && "$dir/$1" version 2>/dev/null | grep -q "${2#v}"; }
at opa "$opa" || GOFLAGS='' GOBIN=$dir go install "github.com/open-policy-agent/opa@$opa"
at cosign "$cosign" || GOFLAGS='' GOBIN=$dir go install "github.com/sigstore/cosign/v3/cmd/cosign@$cosign"
[ -x "$dir/actionlint" ] || GOFLAGS='' GOBIN=$dir go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.7
managers=$dir/../managers
if ! cmp -s tools/managers/package-lock.json "$managers/package-lock.json"; then
    mkdir -p "$managers"
    cp tools/managers/package.json tools/managers/package-lock.json "$managers/"
    (cd "$managers" && npm ci --ignore-scripts --no-audit --no-fund --silent || { rm package-lock.json; exit 1; })
fi
sh tools/install_sigstore_parts.sh "$dir"
sh tools/install_registry_parts.sh "$dir"
if ! command -v chromium >/dev/null 2>&1; then # half a minute, as root or where sudo asks nothing
    root=
    [ "$(id -u)" = 0 ] || root='sudo -n'
    $root apt-get update -qq &&
        $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null ||
        echo "chromium is missing, and could not be installed: its tests will not run" >&2
fi
echo "opa $opa, cosign $cosign, node $(node --version), npm $(npm --version), $(go version | cut -d' ' -f3)"
