"""Make tests/fixtures/bun with the real bun: one project each, lockfile included.

    python -m tools.make_bun_fixtures [NAME …]

Needs npm, git and the registry; bun is installed into a scratch directory. bun writes every lockfile; afterwards only
addresses of the machine that made them are replaced, as in make_pnpm_fixtures.py. `list.txt` is what `bun pm ls --all`
says of the project once it is installed.
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
from tools.make_pnpm_fixtures import PATCH

TARGET = FIXTURES / "bun"
TREE: Files = {
    "package.json": {
        "name": "fixture",
        "version": "1.0.0",
        "private": True,
        "workspaces": ["packages/*"],
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
        "overrides": {"strip-ansi": "6.0.0"},
        "patchedDependencies": {"ms@2.1.3": "patches/ms@2.1.3.patch"},
        "trustedDependencies": ["@esbuild/linux-x64"],
    },
    "packages/a/package.json": {
        "name": "a",
        "version": "1.0.0",
        "dependencies": {"ms": "2.1.2", "@fixture/b": "workspace:^1.0.0"},
        "devDependencies": {"react-dom": "18.2.0", "react": "18.2.0"},
    },
    "packages/b/package.json": {
        "name": "@fixture/b",
        "version": "1.0.0",
        "dependencies": {"packed": "file:../../packed-1.0.0.tgz"},
        "peerDependencies": {"ms": "*"},
    },
    "patches/ms@2.1.3.patch": PATCH,
}
ROOT: dict[str, Any] = TREE["package.json"]  # type: ignore[assignment]
CATALOG_TREE: Files = {
    **TREE,
    "package.json": {
        **ROOT,
        "workspaces": {"packages": ["packages/*"], "catalog": {"ms": "2.1.3"}, "catalogs": {"old": {"ms": "2.1.2"}}},
    },
    "packages/c/package.json": {
        "name": "c",
        "version": "1.0.0",
        "dependencies": {"ms": "catalog:old", "is-even": "1.0.0"},
    },
    "packages/d/package.json": {"name": "d", "version": "1.0.0", "dependencies": {"ms": "catalog:"}},
}
SOURCES: Files = {
    "package.json": {
        "name": "fixture",
        "version": "1.0.0",
        "dependencies": {
            "ansi-regex": "{registry}ansi-regex/-/ansi-regex-5.0.1.tgz",
            "from-git": "git+file://{git}",
            "packed": "file:packed-1.0.0.tgz",
            "copied": "file:copied",
        },
    },
    "copied/package.json": {"name": "copied", "version": "0.2.0", "dependencies": {"is-number": "7.0.0"}},
}
# bun 1.2 finds no commit behind a file: address.
SOURCES_WITHOUT_GIT: Files = json.loads(json.dumps(SOURCES).replace('"from-git": "git+file://{git}", ', ""))
# A tarball that bundles a package which the registry has too: bun asks for it all the same.
PACKED: Files = {
    "package.json": {
        "name": "packed",
        "version": "1.0.0",
        "dependencies": {"ms": "2.1.2"},
        "bundleDependencies": ["ms"],
    },
    "node_modules/ms/package.json": {"name": "ms", "version": "2.1.2"},
}
PROJECTS: dict[str, tuple[str, Files]] = {
    "tree-v0": ("1.1.45", TREE),
    "tree-v1": ("1.2.23", CATALOG_TREE),
    "tree-v2": ("1.4", CATALOG_TREE),
    "sources-v1": ("1.2.23", SOURCES_WITHOUT_GIT),
    "sources-v2": ("1.4", SOURCES),
}


def bun(version: str, scratch: Path) -> str:
    """Return the binary of one version, installed where it is not yet."""
    home = scratch / f"bun{version}"
    if not home.exists():
        run(["npm", "install", "--silent", "--ignore-scripts", "--prefix", str(home), f"bun@{version}"], scratch)
    return str(next(home.glob("node_modules/@oven/bun-linux-x64/bin/bun")))


def make(name: str, version: str, files: Files, scratch: Path, registry: str) -> None:
    """Make one project."""
    work = scratch / name
    bare = repository(scratch / f"{name}-git")
    text = (
        json.dumps(files)
        .replace("{git}", f"{bare}#{run(['git', 'rev-parse', 'HEAD'], bare).strip()}")
        .replace("{registry}", registry)
    )
    write(work, json.loads(text))
    if "packed-1.0.0.tgz" in text:
        shutil.copy(packed(scratch / f"{name}-packed", PACKED), work)
    command = bun(version, scratch)
    flags = ["--save-text-lockfile"] if version.startswith("1.1") else []
    # bun 1.1 has no --lockfile-only, and `bun pm ls` wants an installed tree.
    run([command, "install", "--ignore-scripts", *flags], work)
    listed = run([command, "pm", "ls", "--all"], work)
    (work / "list.txt").write_text("\n".join(listed.splitlines()[1:]) + "\n", encoding="utf-8")
    replaced = [
        (f"{registry}ansi-regex/-/", "https://files.example.test/"),
        (registry, "https://registry.npmjs.org/"),
        (f"git+file://{bare}", f"git+{GIT_ADDRESS}"),
        (f"file://{bare}", GIT_ADDRESS),
        (str(bare), GIT_ADDRESS),
        (str(work), "/fixture"),
    ]
    keep(work, TARGET / name, replaced, suffixes={".json", ".lock", ".txt"})
    print(name)


def main() -> None:
    """Make the named fixtures, or all."""
    names = sys.argv[1:] or list(PROJECTS)
    with tempfile.TemporaryDirectory() as directory:
        scratch = Path(os.environ.get("FIXTURE_SCRATCH", directory))
        os.environ["BUN_INSTALL_CACHE_DIR"] = str(scratch / "cache")
        registry = run(["npm", "config", "get", "registry"], scratch).strip()
        os.environ["BUN_CONFIG_REGISTRY"] = registry
        for name in names:
            make(name, *PROJECTS[name], scratch, registry)


if __name__ == "__main__":
    main()
