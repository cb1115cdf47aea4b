"""Make tests/fixtures/yarn-classic and yarn-berry with the real yarn 1.22, 3 and 4: project, lockfile and listing.

    python -m tools.make_yarn_fixtures [NAME …]

Needs Node, npm (which fetches the yarns), git and the registry. yarn writes every lockfile and `listing.json` (what
`yarn list --json` or `yarn info --all --json` says of it); afterwards only the address of the local git repository is
replaced by one under example.test, since a fixture may not name a path of the machine that made it.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from tools._fixtures import FIXTURES, GIT_ADDRESS, Files, keep, packed, repository, run, write

YARNS = {
    "1": ("yarn@1.22.22", "yarn/bin/yarn.js"),
    "3": ("@yarnpkg/cli-dist@3.8.7", "@yarnpkg/cli-dist/bin/yarn.js"),
    "4": ("@yarnpkg/cli-dist@4.18.1", "@yarnpkg/cli-dist/bin/yarn.js"),
}
SAFE = {"YARN_ENABLE_SCRIPTS": "false", "YARN_ENABLE_TELEMETRY": "0", "YARN_ENABLE_IMMUTABLE_INSTALLS": "false"}
TARBALL = "https://registry.npmjs.org/ansi-regex/-/ansi-regex-5.0.1.tgz"
PACKED: Files = {"package.json": {"name": "packed", "version": "1.0.0", "dependencies": {"ms": "2.1.2"}}}


class Project(NamedTuple):
    """One fixture: the yarn that makes it, and its files."""

    yarn: str
    files: Files


def root(**more: Any) -> dict[str, Any]:
    """Return the root's package.json."""
    return {"name": "fixture", "version": "1.0.0", "private": True, **more}


WORKSPACES: Files = {
    "package.json": root(
        workspaces=["packages/*"],
        dependencies={"ms": "2.1.3", "string-width-cjs": "npm:string-width@4.2.3"},
        devDependencies={"is-odd": "^3.0.1"},
        optionalDependencies={"fsevents": "2.3.3"},
    ),
    "packages/a/package.json": {
        "name": "a",
        "version": "1.0.0",
        "dependencies": {"is-number": "^7.0.0", "@fixture/b": "^1.0.0"},
        "devDependencies": {"ms": "2.1.2"},
    },
    "packages/b/package.json": {"name": "@fixture/b", "version": "1.0.0", "peerDependencies": {"ms": "*"}},
}
DIRECTORIES: Files = {
    "linked/package.json": {"name": "linked", "version": "0.1.0", "dependencies": {"is-odd": "^3.0.0"}},
    "copied/package.json": {"name": "copied", "version": "0.2.0", "dependencies": {"is-number": "^7.0.0"}},
}
PATCH = """diff --git a/index.js b/index.js
--- a/index.js
+++ b/index.js
@@ -1,3 +1,4 @@
+// patched
 /*!
  * is-number <https://github.com/jonschlinkert/is-number>
  *
"""

PROJECTS: dict[str, Project] = {
    "yarn-classic/workspaces": Project("1", WORKSPACES),
    "yarn-classic/aliases": Project(
        "1",
        {
            "package.json": root(
                dependencies={"width": "npm:string-width@^4.2.0", "string-width": "^4.1.0", "ansi": "npm:ansi-regex@5"},
                devDependencies={"@s/odd": "npm:is-odd@3.0.1"},
            )
        },
    ),
    "yarn-classic/sources": Project(
        "1",
        {
            "package.json": root(
                dependencies={
                    "ansi-regex": TARBALL,
                    "copied": "file:./copied",
                    "linked": "link:./linked",
                    "packed": "file:./packed-1.0.0.tgz",
                    "from-git": "git+file://{git}",
                }
            ),
            **DIRECTORIES,
        },
    ),
    "yarn-classic/resolutions": Project(
        "1",
        {
            "package.json": root(
                dependencies={"is-odd": "3.0.1", "is-even": "1.0.0", "ms": "^2.0.0"},
                resolutions={"is-odd/is-number": "7.0.0", "**/is-buffer": "1.1.5", "ms": "2.1.2"},
            )
        },
    ),
    "yarn-classic/peers": Project(
        "1", {"package.json": root(dependencies={"react": "17.0.2", "react-dom": "18.2.0", "ajv-keywords": "5.1.0"})}
    ),
    "yarn-classic/settings": Project(
        "1",
        {
            "package.json": root(dependencies={"ms": "2.1.3"}),
            ".yarnrc": '# settings\nyarn-path "./bin/yarn.js"\nnetwork-timeout 60000\n--install.ignore-scripts true\n',
            "bin/yarn.js": "require(process.env.REAL_YARN)\n",
        },
    ),
    "yarn-berry/workspaces": Project(
        "4",
        {
            **WORKSPACES,
            "packages/b/package.json": {
                "name": "@fixture/b",
                "version": "1.0.0",
                "dependencies": {"a": "workspace:^"},
                "peerDependencies": {"ms": "*"},
            },
        },
    ),
    "yarn-berry/workspaces-v6": Project("3", WORKSPACES),
    "yarn-berry/sources": Project(
        "4",
        {
            "package.json": root(
                dependencies={
                    "ansi-regex": TARBALL,
                    "copied": "file:./copied",
                    "linked": "link:./linked",
                    "ported": "portal:./ported",
                    "packed": "file:./packed-1.0.0.tgz",
                    "from-git": "{served}",
                }
            ),
            "ported/package.json": {"name": "ported", "version": "0.3.0", "dependencies": {"is-odd": "^3.0.0"}},
            ".yarnrc.yml": 'approvedGitRepositories:\n  - "**"\n\nunsafeHttpWhitelist:\n  - 127.0.0.1\n',
            **DIRECTORIES,
        },
    ),
    "yarn-berry/sources-v6": Project(
        "3",
        {
            "package.json": root(
                dependencies={"copied": "file:./copied", "linked": "link:./linked", "ported": "portal:./ported"}
            ),
            "ported/package.json": {"name": "ported", "version": "0.3.0", "dependencies": {"is-odd": "^3.0.0"}},
            **DIRECTORIES,
        },
    ),
    "yarn-berry/catalogs": Project(
        "4",
        {
            "package.json": root(
                workspaces=["packages/*"],
                dependencies={"ms": "catalog:"},
                devDependencies={"is-odd": "catalog:dev", "typescript": "catalog:dev"},
            ),
            "packages/a/package.json": {"name": "a", "dependencies": {"ms": "catalog:", "typescript": "5.4.5"}},
            ".yarnrc.yml": (
                "catalog:\n  ms: ^2.1.2\n\ncatalogs:\n  dev:\n    is-odd: 3.0.1\n    typescript: 5.4.5\n\n"
                "nodeLinker: node-modules\n"
            ),
        },
    ),
    "yarn-berry/patches": Project(
        "4",
        {
            "package.json": root(
                dependencies={
                    "is-number": "patch:is-number@npm%3A7.0.0#~/.yarn/patches/is-number.patch",
                    "is-odd": "3.0.1",
                    "resolve": "1.22.8",
                }
            ),
            ".yarn/patches/is-number.patch": PATCH,
        },
    ),
    "yarn-berry/patches-v6": Project(
        "3",
        {
            "package.json": root(
                dependencies={
                    "is-number": "patch:is-number@npm%3A7.0.0#./.yarn/patches/is-number.patch",
                    "resolve": "1.22.8",
                },
                optionalDependencies={"fsevents": "2.3.3"},
            ),
            ".yarn/patches/is-number.patch": PATCH,
        },
    ),
    "yarn-berry/resolutions": Project(
        "4",
        {
            "package.json": root(
                dependencies={"is-odd": "3.0.1", "is-even": "1.0.0", "ms": "^2.0.0", "rimraf": "3.0.2"},
                resolutions={
                    "is-odd@npm:3.0.1/is-number": "7.0.0",
                    "is-buffer": "npm:ms@2.1.2",
                    "ms": "2.1.2",
                    "glob@npm:^7.1.3": "7.2.3",
                },
            )
        },
    ),
    "yarn-berry/extensions": Project(
        "4",
        {
            "package.json": root(dependencies={"ms": "2.1.3"}),
            ".yarnrc.yml": 'packageExtensions:\n  "ms@^2.0.0":\n    dependencies:\n      is-number: 7.0.0\n',
        },
    ),
    "yarn-berry/peers": Project(
        "4",
        {
            "package.json": root(
                dependencies={"react": "17.0.2", "react-dom": "18.2.0", "ajv-keywords": "5.1.0", "ws": "8.17.0"}
            )
        },
    ),
    "yarn-berry/platforms": Project("4", {"package.json": root(dependencies={"esbuild": "0.21.5"})}),
}


def fetched(version: str, scratch: Path) -> Path:
    """Return the script of a yarn, fetched once."""
    spec, script = YARNS[version]
    directory = scratch / f"yarn-{version}"
    if not directory.exists():
        write(directory, {"package.json": {"name": "yarns", "private": True}})
        run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", spec], directory)
    return directory / "node_modules" / script


@contextmanager
def served(directory: Path) -> Iterator[str]:
    """Serve a directory over http on this machine; yarn 2 and later read no git repository from a path."""
    handler = functools.partial(Silent, directory=str(directory))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Silent(SimpleHTTPRequestHandler):
    """Serves files and prints nothing."""

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


def make(name: str, project: Project, scratch: Path) -> None:
    """Make one project."""
    bare = repository(scratch / f"{name}-git")
    with served(bare.parent) as address:
        install(name, project, scratch, bare, f"{address}/{bare.name}")


def install(name: str, project: Project, scratch: Path, bare: Path, url: str) -> None:
    """Write a project, let yarn install it, keep what belongs to it."""
    yarn = ["node", str(fetched(project.yarn, scratch))]
    work = scratch / name
    text = json.dumps(project.files).replace("{git}", str(bare)).replace("{served}", url)
    write(work, json.loads(text))
    if "packed-1.0.0.tgz" in text:
        shutil.copy(packed(scratch / f"{name}-packed", PACKED), work)
    home = {
        **os.environ,
        "HOME": str(scratch),
        "REAL_YARN": yarn[1],
        "YARN_GLOBAL_FOLDER": str(scratch / "berry"),
        "CI": "",
    }
    if project.yarn == "1":
        # --ignore-optional would leave nothing out of the lockfile; the cache folder keeps the machine's own clean.
        run(
            [*yarn, "install", "--ignore-scripts", "--non-interactive", "--cache-folder", str(scratch / "v1")],
            work,
            home,
        )
        listing = run([*yarn, "list", "--json", "--no-progress"], work, home)
    else:
        write(work, {"yarn.lock": ""})
        run([*yarn, "install", "--mode=update-lockfile"], work, home | SAFE)
        listing = run([*yarn, "info", "--all", "--recursive", "--dependents", "--json"], work, home | SAFE)
    (work / "listing.json").write_text(listing, encoding="utf-8")
    replaced = [(f"git+file://{bare}", f"git+{GIT_ADDRESS}"), (url, "https://example.test/owner/from-git.git")]
    skip = {"node_modules", "cache", "install-state.gz", ".pnp.cjs", ".pnp.loader.mjs"}
    keep(work, FIXTURES / name, replaced, suffixes={".json", ".lock"}, skip=skip)
    print(name)


def main() -> None:
    """Make the named fixtures, or all."""
    names = sys.argv[1:] or list(PROJECTS)
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            make(name, PROJECTS[name], Path(scratch))


if __name__ == "__main__":
    main()
