# Installs what the lockfile says and runs no script; then runs those of $SCRIPTS alone, without network.
# MANAGER: npm, pnpm, yarn (2 and later), yarn-classic or bun, the one that the machine has; with @VERSION exactly that
# one, into $TOOLS. PROJECT: its folder. OFFLINE: `always`, or `possible` where a runner may not take the network away.
set -euf
SCRIPTS=${SCRIPTS:-} OFFLINE=${OFFLINE:-always}
manager=${MANAGER%%@*} version=${MANAGER#"${MANAGER%%@*}"}
case $manager in
  npm | pnpm | bun) package=$manager program=$manager ;;
  yarn) package=@yarnpkg/cli-dist program=yarn ;;
  yarn-classic) package=yarn program=yarn ;;
  *) echo "manager $MANAGER: expected npm, pnpm, yarn, yarn-classic or bun, with @VERSION or without" >&2; exit 2 ;;
esac
case $version in
  '') ;;
  *[!0-9A-Za-z@.+-]* | @*@*) echo "manager $MANAGER: expected an exact version" >&2; exit 2 ;;
  @[0-9]*.[0-9]*.[0-9]*)
    npm install --global --prefix "$TOOLS" --ignore-scripts --no-audit --no-fund --loglevel=error "$package$version"
    if [ "$manager" = bun ]; then # its own script, which is not run, would put the platform's program there
      cpu=$(uname -m | sed 's/x86_64/x64/')
      ln -sf "$(find "$TOOLS/lib/node_modules" -path "*/@oven/bun-linux-$cpu/bin/bun")" "$TOOLS/bin/bun"
    fi
    PATH=$TOOLS/bin:$PATH ;;
  *) echo "manager $MANAGER: expected an exact version" >&2; exit 2 ;;
esac
command -v "$program" >/dev/null || { echo "$program is not on this machine: name its version, $manager@…" >&2; exit 2; }
offline() {
  if unshare --user --map-current-user --net true 2>/dev/null; then unshare --user --map-current-user --net -- "$@"
  elif unshare --net true 2>/dev/null; then unshare --net -- "$@"
  elif sudo -n unshare --net true 2>/dev/null; then # its PATH would be root's
    sudo -n unshare --net -- sudo -n --user="$(id -un)" -- env PATH="$PATH" HOME="$HOME" "$@"
  elif [ "$OFFLINE" = possible ]; then "$@"
  else echo "the network cannot be taken away from the install scripts on this machine: unshare and sudo refuse" >&2; exit 2
  fi
}
before=$PWD
cd "$PROJECT"
case $manager in
  npm) npm ci --ignore-scripts ;;
  pnpm) pnpm install --frozen-lockfile --ignore-scripts ;;
  yarn) yarn install --immutable --mode=skip-build ;;
  yarn-classic) yarn install --frozen-lockfile --ignore-scripts --non-interactive ;;
  bun) bun install --frozen-lockfile --ignore-scripts ;;
esac
case $manager:$SCRIPTS in
  *:) ;;
  yarn:*) # it runs scripts of what package.json names as built: for this once exactly those
    mkdir -p "$TOOLS"
    cp package.json yarn.lock "$TOOLS/"
    node -e '
      const fs = require("fs"), manifest = JSON.parse(fs.readFileSync("package.json")), meta = manifest.dependenciesMeta ??= {}
      for (const one of Object.values(meta)) delete one.built
      for (const name of process.argv.slice(1)) meta[name] = { ...meta[name], built: true }
      fs.writeFileSync("package.json", JSON.stringify(manifest, null, 2))' -- $SCRIPTS
    offline env YARN_ENABLE_SCRIPTS=false YARN_ENABLE_IMMUTABLE_INSTALLS=false YARN_ENABLE_NETWORK=false yarn install
    cp "$TOOLS/package.json" "$TOOLS/yarn.lock" . ;;
  *) offline npm rebuild --ignore-scripts=false --foreground-scripts -- $SCRIPTS ;; # whoever laid out node_modules
esac
cd "$before"
