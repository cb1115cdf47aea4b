"""Make tests/fixtures/npm with the real npm: one project each, lockfile included.

    python -m tools.make_npm_fixtures [NAME …]

Needs npm, git and the registry. npm writes every lockfile; afterwards only the address of the local git repository is
replaced by one under example.test, since a fixture may not name a path of the machine that made it.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from tools._fixtures import FIXTURES, GIT_ADDRESS, Files, keep, packed, repository, run, write

TARGET = FIXTURES / "npm"
INSTALL = [
    "npm",
    "install",
    "--package-lock-only",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--omit-lockfile-registry-resolved=false",
]
# A package that bundles one dependency, which has a postinstall script of its own.
PACKED: Files = {
    "package.json": {
        "name": "packed",
        "version": "1.0.0",
        "dependencies": {"inner": "1.0.0", "ms": "2.1.2"},
        "bundleDependencies": ["inner"],
    },
    "node_modules/inner/package.json": {
        "name": "inner",
        "version": "1.0.0",
        "scripts": {"postinstall": "node -e 0"},
    },
}

WORKSPACES: Files = {
    "package.json": {
        "name": "fixture",
        "version": "1.0.0",
        "private": True,
        "workspaces": ["packages/*"],
        "dependencies": {"ms": "2.1.3", "string-width-cjs": "npm:string-width@4.2.3"},
        "devDependencies": {"is-odd": "^3.0.1"},
        "optionalDependencies": {"fsevents": "2.3.3"},
    },
    "packages/a/package.json": {
        "name": "a",
        "version": "1.0.0",
        "dependencies": {"is-number": "^7.0.0", "@fixture/b": "^1.0.0"},
        "devDependencies": {"ms": "2.1.2"},
    },
    "packages/b/package.json": {"name": "@fixture/b", "version": "1.0.0", "peerDependencies": {"ms": "*"}},
}

PROJECTS: dict[str, tuple[Files, list[str]]] = {
    "workspaces": (WORKSPACES, []),
    "workspaces-v2": (WORKSPACES, ["--lockfile-version=2"]),
    "workspaces-v1": (WORKSPACES, ["--lockfile-version=1"]),
    "sources": (
        {
            "package.json": {
                "name": "fixture",
                "version": "1.0.0",
                "dependencies": {
                    "ansi-regex": "https://registry.npmjs.org/ansi-regex/-/ansi-regex-5.0.1.tgz",
                    "linked": "file:./linked",
                    "packed": "file:./packed-1.0.0.tgz",
                    "from-git": "git+file://{git}",
                },
            },
            "linked/package.json": {"name": "linked", "version": "0.1.0", "dependencies": {"is-odd": "^3.0.0"}},
        },
        [],
    ),
    "overrides": (
        {
            "package.json": {
                "name": "fixture",
                "version": "1.0.0",
                "dependencies": {"is-odd": "3.0.1", "is-even": "1.0.0", "ms": "^2.0.0"},
                "overrides": {"is-odd": {"is-number": "7.0.0"}, "is-buffer": "npm:ms@2.1.2", "ms": "$ms"},
            }
        },
        [],
    ),
    "peers": (
        {
            "package.json": {
                "name": "fixture",
                "version": "1.0.0",
                "dependencies": {"react": "17.0.2", "react-dom": "18.2.0", "ajv-keywords": "5.1.0", "ws": "8.17.0"},
            }
        },
        ["--legacy-peer-deps"],
    ),
    "peers-met": (
        {
            "package.json": {
                "name": "fixture",
                "version": "1.0.0",
                "dependencies": {"react-dom": "18.2.0", "ajv-keywords": "5.1.0", "ws": "8.17.0"},
                "devDependencies": {"tsutils": "3.21.0"},
            }
        },
        [],
    ),
    "bundled": (
        {
            "package.json": {
                "name": "fixture",
                "version": "1.0.0",
                "dependencies": {"packed": "file:./packed-1.0.0.tgz", "ms": "2.1.3"},
                "bundleDependencies": ["ms"],
            }
        },
        [],
    ),
    "shrinkwrap": (
        {"package.json": {"name": "fixture", "version": "1.0.0", "dependencies": {"is-odd": "3.0.1"}}},
        [],
    ),
    "v1-tree": (
        {
            "package.json": {
                "name": "fixture",
                "version": "1.0.0",
                "dependencies": {"is-odd": "3.0.1", "is-even": "1.0.0", "packed": "file:./packed-1.0.0.tgz"},
                "devDependencies": {"ms": "2.1.3"},
            }
        },
        ["--lockfile-version=1"],
    ),
}


def make(name: str, files: Files, flags: list[str], scratch: Path) -> None:
    """Make one project."""
    work = scratch / name
    bare = repository(scratch / f"{name}-git")
    text = json.dumps(files).replace("{git}", str(bare))
    write(work, json.loads(text))
    if "packed-1.0.0.tgz" in text:
        shutil.copy(packed(scratch / f"{name}-packed", PACKED), work)
    run([*INSTALL, *flags], work)
    if name == "shrinkwrap":
        run(["npm", "shrinkwrap", INSTALL[-1]], work)
    keep(work, TARGET / name, [(f"git+file://{bare}", f"git+{GIT_ADDRESS}")], suffixes={".json"})
    print(name)


def main() -> None:
    """Make the named fixtures, or all."""
    names = sys.argv[1:] or list(PROJECTS)
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            make(name, *PROJECTS[name], Path(scratch))


if __name__ == "__main__":
    main()
