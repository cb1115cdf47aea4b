"""Make tests/fixtures/pnpm with the real pnpm, versions 7 to 12: one project each, lockfile included.

    python -m tools.make_pnpm_fixtures [NAME …]

Needs npm, git and the registry; pnpm is installed into a scratch directory. pnpm writes every lockfile; afterwards only
addresses of the machine that made them are replaced: the registry's by the public one's, the git repository's and the
foreign tarball's by ones under example.test. `list.json` is what `pnpm list` says of the project, where it can.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from tools._fixtures import FIXTURES, GIT_ADDRESS, Files, keep, packed, repository, run, write
from tools.make_npm_fixtures import PACKED

TARGET = FIXTURES / "pnpm"
PATCH = """diff --git a/index.js b/index.js
--- a/index.js
+++ b/index.js
@@ -1,3 +1,4 @@
+// patched
 /**
  * Helpers.
  */
"""
ROOT: dict[str, Any] = {
    "name": "fixture",
    "version": "1.0.0",
    "private": True,
    "dependencies": {
        "ms": "2.1.3",
        "string-width-cjs": "npm:string-width@4.2.3",
        "@fixture/b": "workspace:*",
        "react-dom": "18.2.0",
        "react": "17.0.2",
        "is-odd": "^3.0.1",
    },
    "devDependencies": {"is-number": "^7.0.0", "ws": "8.17.0"},
    "optionalDependencies": {"fsevents": "2.3.3", "@esbuild/linux-x64": "0.21.5"},
}
OVERRIDES = {"is-odd>is-number": "6.0.0", "strip-ansi": "npm:strip-ansi@6.0.0"}
PATCHES = {"ms@2.1.3": "patches/ms@2.1.3.patch"}
TREE: Files = {
    "packages/a/package.json": {
        "name": "a",
        "version": "1.0.0",
        "dependencies": {"ms": "2.1.2", "@fixture/b": "workspace:^1.0.0", "linked": "link:../../linked"},
        "devDependencies": {"react-dom": "18.2.0", "react": "18.2.0"},
    },
    "packages/b/package.json": {
        "name": "@fixture/b",
        "version": "1.0.0",
        "dependencies": {"copied": "file:../../copied", "packed": "file:../../packed-1.0.0.tgz"},
        "peerDependencies": {"ms": "*"},
    },
    "linked/package.json": {"name": "linked", "version": "0.1.0"},
    "copied/package.json": {"name": "copied", "version": "0.2.0", "dependencies": {"is-number": "7.0.0"}},
    "patches/ms@2.1.3.patch": PATCH,
}
OLD_TREE: Files = {
    **TREE,
    "package.json": {**ROOT, "pnpm": {"overrides": OVERRIDES, "patchedDependencies": PATCHES}},
    "pnpm-workspace.yaml": "packages:\n  - packages/*\n",
}
SETTINGS = (
    "packages:\n  - packages/*\n\n"
    "overrides:\n  is-odd>is-number: 6.0.0\n  strip-ansi: npm:strip-ansi@6.0.0\n\n"
    "patchedDependencies:\n  ms@2.1.3: patches/ms@2.1.3.patch\n\n"
    "catalog:\n  ms: 2.1.3\n\ncatalogs:\n  old:\n    ms: 2.1.2\n"
)
NEW_TREE: Files = {
    **TREE,
    "package.json": {**ROOT, "dependencies": {**ROOT["dependencies"], "ms": "catalog:"}},
    "packages/c/package.json": {
        "name": "c",
        "version": "1.0.0",
        "dependencies": {"ms": "catalog:old", "@fixture/b": "workspace:*"},
        "dependenciesMeta": {"@fixture/b": {"injected": True}},
    },
    "pnpm-workspace.yaml": SETTINGS,
}
SOURCES: Files = {
    "package.json": {
        "name": "fixture",
        "version": "1.0.0",
        "dependencies": {
            "ansi-regex": "{registry}ansi-regex/-/ansi-regex-5.0.1.tgz",
            "from-git": "git+file://{git}",
            "packed": "file:packed-1.0.0.tgz",
        },
    },
}
# pnpm 7 and 8 find no key for a git repository without a host.
SOURCES_WITHOUT_GIT: Files = json.loads(json.dumps(SOURCES).replace('"from-git": "git+file://{git}", ', ""))
PLAIN: Files = {"package.json": {"name": "fixture", "version": "1.0.0", "dependencies": {"is-odd": "3.0.1"}}}
# Forty services, each with a package that no other service has, and what all of them share.
OWN = [
    "ansi-regex@5.0.1",
    "ansi-regex@6.0.1",
    "bytes@3.1.2",
    "cookie@0.6.0",
    "depd@1.1.2",
    "depd@2.0.0",
    "destroy@1.2.0",
    "ee-first@1.1.1",
    "escape-html@1.0.3",
    "etag@1.8.1",
    "fresh@0.5.2",
    "inherits@2.0.3",
    "inherits@2.0.4",
    "is-number@6.0.0",
    "is-odd@3.0.1",
    "isarray@1.0.0",
    "isarray@2.0.5",
    "isexe@2.0.0",
    "merge-descriptors@1.0.3",
    "methods@1.1.2",
    "mimic-fn@2.1.0",
    "ms@2.0.0",
    "once@1.4.0",
    "parseurl@1.3.3",
    "path-key@3.1.1",
    "path-to-regexp@0.1.12",
    "range-parser@1.2.1",
    "safe-buffer@5.2.1",
    "setprototypeof@1.2.0",
    "shebang-regex@3.0.0",
    "signal-exit@3.0.7",
    "statuses@2.0.1",
    "strip-ansi@6.0.1",
    "toidentifier@1.0.1",
    "unpipe@1.0.0",
    "util-deprecate@1.0.2",
    "utils-merge@1.0.1",
    "vary@1.1.2",
    "which@2.0.2",
    "xtend@4.0.2",
]
SERVICES: Files = {
    "package.json": {"name": "acme", "version": "1.0.0", "private": True, "devDependencies": {"mkdirp": "3.0.1"}},
    "pnpm-workspace.yaml": "packages:\n  - services/*\n  - packages/*\n",
    "packages/log/package.json": {
        "name": "@acme/log",
        "version": "1.0.0",
        "dependencies": {"debug": "4.3.4"},
        "devDependencies": {"array-flatten": "1.1.1", "lru-cache": "7.18.3"},
        "peerDependencies": {"lru-cache": "^7.0.0"},
    },
}
SERVICES |= {
    f"services/s{number:02}/package.json": {
        "name": f"@acme/s{number:02}",
        "version": "1.0.0",
        "dependencies": {"@acme/log": "workspace:*", spec.rpartition("@")[0]: spec.rpartition("@")[2]},
        "devDependencies": {"semver": "7.6.3"},
    }
    for number, spec in enumerate(OWN, 1)
}
PROJECTS: dict[str, tuple[str, Files]] = {
    "services": ("10", SERVICES),
    "tree-v5": ("7", OLD_TREE),
    "tree-v6": ("8", OLD_TREE),
    "tree-v9": ("9", {**OLD_TREE, "packages/c/package.json": NEW_TREE["packages/c/package.json"]}),
    "tree-v9-pnpm10": ("10", NEW_TREE),
    "tree-v9-pnpm12": ("12", NEW_TREE),
    "sources-v5": ("7", SOURCES_WITHOUT_GIT),
    "sources-v6": ("8", SOURCES_WITHOUT_GIT),
    "sources-v9": ("10", SOURCES),
    "sources-v9-pnpm12": ("12", SOURCES),
    "single-v5": ("7", PLAIN),
    "single-v6": ("8", PLAIN),
    "two-documents": ("12", PLAIN),
}
# A catalog needs pnpm 9.5; the file for the old tree has one all the same.
PROJECTS["tree-v9"][1]["pnpm-workspace.yaml"] = "packages:\n  - packages/*\n\ncatalogs:\n  old:\n    ms: 2.1.2\n"


def pnpm(version: str, scratch: Path) -> list[str]:
    """Return the command of one major version, installed where it is not yet."""
    home = scratch / f"pnpm{version}"
    if not home.exists():
        run(["npm", "install", "--silent", "--ignore-scripts", "--prefix", str(home), f"pnpm@{version}"], scratch)
    native = list(home.glob("node_modules/@pnpm/exe.*/pnpm"))
    return [str(native[0])] if native else ["node", str(home / "node_modules/pnpm/bin/pnpm.cjs")]


def _without_paths(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "path"}


def make(name: str, version: str, files: Files, scratch: Path, registry: str) -> None:
    """Make one project."""
    work = scratch / name
    bare = repository(scratch / f"{name}-git")
    text = json.dumps(files).replace("{git}", str(bare)).replace("{registry}", registry)
    write(work, json.loads(text))
    if "packed-1.0.0.tgz" in text:
        shutil.copy(packed(scratch / f"{name}-packed", PACKED), work)
    command = pnpm(version, scratch)
    if name == "two-documents":
        run([*command, "add", "--config", "is-number@7.0.0"], work)
    run([*command, "install", "--lockfile-only", "--ignore-scripts", "--no-strict-peer-dependencies"], work)
    listed = ""
    if version == "12":
        listed = run([*command, "list", "--json", "--recursive", "--depth", "Infinity", "--lockfile-only"], work)
    if listed:
        text = json.dumps(json.loads(listed, object_hook=_without_paths), indent=2)
        (work / "list.json").write_text(text + "\n", encoding="utf-8")
    replaced = [
        (f"{registry}ansi-regex/-/", "https://files.example.test/"),
        (registry, "https://registry.npmjs.org/"),
        (f"git+file://{bare}", f"git+{GIT_ADDRESS}"),
        (f"file://{bare}", GIT_ADDRESS),
        (str(work), "/fixture"),
    ]
    keep(work, TARGET / name, replaced, suffixes={".json", ".yaml"})
    print(name)


def main() -> None:
    """Make the named fixtures, or all."""
    names = sys.argv[1:] or list(PROJECTS)
    with tempfile.TemporaryDirectory() as directory:
        scratch = Path(os.environ.get("FIXTURE_SCRATCH", directory))
        registry = run(["npm", "config", "get", "registry"], scratch).strip()
        for name in names:
            make(name, *PROJECTS[name], scratch, registry)


if __name__ == "__main__":
    main()
