#!/bin/sh
# Installs the real parts that the tests run against into DIR, at the pinned versions: opa as the embedded engine's go.mod
# names it, cosign, actionlint, act, a whole sigstore (install_sigstore_parts.sh), all Go modules, and registries
# (install_registry_parts.sh); beside DIR, in managers/, the package managers that write the fixtures, in runners/ what
# runs the GitLab template; and of Debian Chromium, which the HTML reports are opened in, and what the runners call.
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
[ -x "$dir/act" ] || GOFLAGS='' GOBIN=$dir go install github.com/nektos/act@v0.2.89
for programs in managers runners; do
    to=$dir/../$programs
    cmp -s "tools/$programs/package.json" "$to/package.json" && continue
    mkdir -p "$to"
    cp "tools/$programs/package.json" "$to/package.json.new"
    (cd "$to" && mv package.json.new package.json &&
        npm install --ignore-scripts --no-package-lock --no-audit --no-fund --silent || { rm package.json; exit 1; })
done
sh tools/install_sigstore_parts.sh "$dir"
sh tools/install_registry_parts.sh "$dir"
debian=
for program in chromium rsync sudo; do
    command -v "$program" >/dev/null 2>&1 || debian="$debian $program"
done
if [ -n "$debian" ]; then # half a minute, as root or where sudo asks nothing
    root=
    [ "$(id -u)" = 0 ] || root='sudo -n'
    $root apt-get update -qq &&
        $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $debian >/dev/null ||
        echo "$debian: missing, and could not be installed: their tests will not run" >&2
fi
echo "opa $opa, cosign $cosign, node $(node --version), npm $(npm --version), $(go version | cut -d' ' -f3)"
