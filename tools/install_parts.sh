#!/bin/sh
# Installs the real parts that the tests run against into DIR, at the pinned versions: opa as the embedded engine's go.mod
# names it, cosign, actionlint, act, a whole sigstore (install_sigstore_parts.sh), all Go modules, and registries
# (install_registry_parts.sh); beside DIR, in managers/, the package managers that write the fixtures, in runners/ what
# runs the GitLab template; and of Debian Chromium, which the HTML reports are opened in, what the
# runners call, the shells that the completion is for, and mmdebstrap, which makes the image's root.
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
# As the other two scripts build, so that what all of them hold is compiled once.
go_install() { CGO_ENABLED=0 GOFLAGS='' GOBIN=$dir go install -trimpath -ldflags='-s -w' "$1"; }
at opa "$opa" || go_install "github.com/open-policy-agent/opa@$opa"
at cosign "$cosign" || go_install "github.com/sigstore/cosign/v3/cmd/cosign@$cosign"
[ -x "$dir/actionlint" ] || go_install github.com/rhysd/actionlint/cmd/actionlint@v1.7.7
[ -x "$dir/act" ] || go_install github.com/nektos/act@v0.2.89
for programs in managers runners; do
    to=$dir/../$programs
    cmp -s "tools/$programs/package-lock.json" "$to/package-lock.json" && continue
    mkdir -p "$to"
    cp "tools/$programs/package.json" "tools/$programs/package-lock.json" "$to/"
    # pnpm names packages for other platforms that not every registry has, which `npm ci` does not forgive.
    how=ci
    [ "$programs" = runners ] || how='install --package-lock --no-save'
    # shellcheck disable=SC2086  several words
    (cd "$to" && npm $how --ignore-scripts --no-audit --no-fund --silent) || { rm "$to/package-lock.json"; exit 1; }
done
sh tools/install_sigstore_parts.sh "$dir"
sh tools/install_registry_parts.sh "$dir"
debian=
for program in chromium rsync sudo zsh fish mmdebstrap; do
    command -v "$program" >/dev/null 2>&1 || debian="$debian $program"
done
if [ -n "$debian" ]; then # half a minute, as root or where sudo asks nothing
    root=
    [ "$(id -u)" = 0 ] || root='sudo -n'
    # shellcheck disable=SC2086  names of packages
    $root apt-get update -qq &&
        $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $debian >/dev/null ||
        echo "$debian: missing, and could not be installed: their tests will not run" >&2
fi
echo "opa $opa, cosign $cosign, node $(node --version), npm $(npm --version), $(go version | cut -d' ' -f3)"
