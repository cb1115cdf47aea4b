"""Make tests/fixtures/every-source: one project for each package manager and format, and what its manager lists.

    python tools/make_source_fixtures.py [NAME …]

Each has every kind of source and declaration that its manager knows: aliases (also of a dependency's own), git, a
tarball's URL, `file:` tarball and directory, link, patch, overrides or resolutions, bundled dependencies, peers met and
unmet, optional packages and such for another platform, a registry that knows a sha1 alone, and one without any hash.

The real managers run against a registry and a git host on this machine (tests/testkit/loopback.py), so that the same
files come out whenever and wherever this runs; a test makes those of the pinned managers again. The managers come from
tools/managers (package-lock.json there); older ones are fetched by npm into a scratch folder.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from testkit.loopback import Loopback, loopback  # noqa: E402
from tools._fixtures import run  # noqa: E402

TARGET = ROOT / "tests" / "fixtures" / "every-source"
MANAGERS = ROOT / ".tools" / "managers" / "node_modules"
Files = dict[str, Any]

PATCH = """diff --git a/index.js b/index.js
--- a/index.js
+++ b/index.js
@@ -1 +1,2 @@
 module.exports = 1
+// patched
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixture:
    """One project: who makes it (`version` is None for the pinned one), and its files."""

    manager: str
    version: str | None = None
    files: Files = field(default_factory=dict)
    flags: tuple[str, ...] = ()


def manifest(**more: Any) -> dict[str, Any]:
    """Return the root's package.json: what every manager knows."""
    dependencies = {
        "leaf": "1.0.0",
        "renamed": "npm:@fx/scoped@^1.0.0",
        "alias-user": "1.0.0",
        "bundles": "1.0.0",
        "needs-peer": "1.0.0",
        "overridden": "~1.0.0",
        "only-sha1": "1.0.0",
        "no-hash": "1.0.0",
        "packed": "file:packed-1.0.0.tgz",
        "copied": "file:copied",
        "from-url": "{files}from-url-1.0.0.tgz",
        "from-git": "git+{git}",
    }
    without = more.pop("without", ())
    return {
        "name": "fixture",
        "version": "1.0.0",
        "private": True,
        "dependencies": {k: v for k, v in {**dependencies, **more.pop("further", {})}.items() if k not in without},
        "devDependencies": {"scripted": "1.0.0"},
        "optionalDependencies": {"platforms": "1.0.0"},
        **more,
    }


BESIDE: Files = {
    "copied/package.json": {"name": "copied", "version": "0.2.0", "dependencies": {"leaf": "^1.0.0"}},
    "linked/package.json": {"name": "linked", "version": "0.1.0"},
    "packages/met/package.json": {
        "name": "met",
        "version": "1.0.0",
        "dependencies": {"needs-peer": "1.0.0", "leaf": "2.0.0"},
    },
    "packages/uses/package.json": {"name": "@fx/uses", "version": "1.0.0", "dependencies": {"met": "^1.0.0"}},
}
SPACES = {"workspaces": ["packages/*"]}
NPM = {
    **BESIDE,
    "package.json": manifest(**SPACES, overrides={"overridden": {"leaf": "2.0.0"}}, bundleDependencies=["no-hash"]),
}
PNPM_PATCHED = {"only-sha1@1.0.0": "patches/only-sha1.patch"}
PNPM_SETTINGS = "packages:\n  - packages/*\n"
PNPM_OVERRIDES = {"overridden>leaf": "2.0.0"}
LINKED = {"linked": "link:linked"}


def pnpm(**more: Any) -> Files:
    """Return pnpm's project."""
    settled = {
        "packages/uses/package.json": {
            "name": "@fx/uses",
            "version": "1.0.0",
            "dependencies": {"met": "workspace:^1.0.0"},
        }
    }
    return {**BESIDE, **settled, "patches/only-sha1.patch": PATCH, "package.json": manifest(further=LINKED, **more)}


OLD_PNPM = {"pnpm": {"overrides": PNPM_OVERRIDES, "patchedDependencies": PNPM_PATCHED}}
NEW_PNPM = {
    **pnpm(),
    "pnpm-workspace.yaml": PNPM_SETTINGS
    + "\noverrides:\n  overridden>leaf: 2.0.0\n\npatchedDependencies:\n  only-sha1@1.0.0: patches/only-sha1.patch\n"
    + "\nblockExoticSubdeps: false\n",
}
BERRY_PATCH = {"only-sha1": "patch:only-sha1@npm%3A1.0.0#~/patches/only-sha1.patch"}
BERRY = {
    **BESIDE,
    "ported/package.json": {"name": "ported", "version": "0.3.0", "dependencies": {"leaf": "^1.0.0"}},
    "patches/only-sha1.patch": PATCH,
    "package.json": manifest(
        **SPACES,
        further={
            "linked": "link:./linked",
            "ported": "portal:./ported",
            "packed": "file:./packed-1.0.0.tgz",
            "copied": "file:./copied",
            "from-git": "{git}",
            **BERRY_PATCH,
        },
        resolutions={"overridden/leaf": "2.0.0"},
    ),
    ".yarnrc.yml": 'approvedGitRepositories:\n  - "**"\n\nunsafeHttpWhitelist:\n  - 127.0.0.1\n  - localhost\n',
}
OLD_BERRY = {
    **BERRY,
    ".yarnrc.yml": "unsafeHttpWhitelist:\n  - 127.0.0.1\n  - localhost\n",
    "package.json": {
        **BERRY["package.json"],
        "dependencies": {
            **BERRY["package.json"]["dependencies"],
            "only-sha1": "patch:only-sha1@npm%3A1.0.0#./patches/only-sha1.patch",
        },
    },
}
BUN = {
    **BESIDE,
    "patches/only-sha1.patch": PATCH,
    "package.json": manifest(
        **SPACES, overrides={"inner": "1.0.0"}, patchedDependencies={"only-sha1@1.0.0": "patches/only-sha1.patch"}
    ),
}
NEW_BUN = {**BUN, "package.json": {**BUN["package.json"], "overrides": {"overridden": {"leaf": "2.0.0"}}}}
CLASSIC = {
    **BESIDE,
    "package.json": manifest(
        **SPACES,
        without=("no-hash",),  # yarn 1 stops with a TypeError
        further={"linked": "link:./linked", "packed": "file:./packed-1.0.0.tgz", "copied": "file:./copied"},
        resolutions={"overridden/leaf": "2.0.0"},
    ),
}

FIXTURES: Mapping[str, Fixture] = {
    "npm-3": Fixture(manager="npm", files=NPM),
    "npm-2": Fixture(manager="npm", files=NPM, flags=("--lockfile-version=2",)),
    "npm-1": Fixture(manager="npm", files=NPM, flags=("--lockfile-version=1",)),
    "pnpm-5": Fixture(
        manager="pnpm", version="7.33.7", files={**pnpm(**OLD_PNPM), "pnpm-workspace.yaml": PNPM_SETTINGS}
    ),
    "pnpm-6": Fixture(
        manager="pnpm", version="8.15.9", files={**pnpm(**OLD_PNPM), "pnpm-workspace.yaml": PNPM_SETTINGS}
    ),
    "pnpm-9-by-9": Fixture(
        manager="pnpm", version="9.15.9", files={**pnpm(**OLD_PNPM), "pnpm-workspace.yaml": PNPM_SETTINGS}
    ),
    "pnpm-9-by-10": Fixture(manager="pnpm", version="10.34.0", files=NEW_PNPM),
    "pnpm-9": Fixture(manager="pnpm", files=NEW_PNPM),
    "yarn-1": Fixture(manager="yarn", files=CLASSIC),
    "berry-6": Fixture(manager="@yarnpkg/cli-dist", version="3.8.7", files=OLD_BERRY),
    "berry-10": Fixture(manager="@yarnpkg/cli-dist", files=BERRY),
    "bun-0": Fixture(manager="bun", version="1.1.45", files=BUN, flags=("--save-text-lockfile",)),
    "bun-1": Fixture(manager="bun", version="1.2.23", files=BUN),
    "bun-2": Fixture(manager="bun", files=NEW_BUN),
}
PINNED = tuple(name for name, one in FIXTURES.items() if one.version is None)
LISTINGS = {"npm": "listing.json", "pnpm": "listing.json", "bun": "listing.txt"}


def program(one: Fixture, scratch: Path) -> list[str]:
    """Return the command of a manager: the pinned one, or an older one that npm fetches."""
    modules = MANAGERS
    if one.version is not None:
        home = scratch / f"{one.manager.rpartition('/')[2]}-{one.version}"
        modules = home / "node_modules"
        if not home.exists():
            home.mkdir(parents=True)
            (home / "package.json").write_text('{"private": true}\n')
            flags = ["--silent", "--ignore-scripts", "--no-audit", "--no-fund"]
            run(["npm", "install", *flags, f"{one.manager}@{one.version}"], home)
    match one.manager:
        case "bun":
            return [str(modules / "@oven/bun-linux-x64/bin/bun")]
        case "pnpm" if native := list(modules.glob("@pnpm/exe.*/pnpm")):
            return [str(native[0])]
        case "pnpm":
            return ["node", str(modules / "pnpm/bin/pnpm.cjs")]
        case "npm":
            return ["node", str(modules / "npm/bin/npm-cli.js")]
        case _:
            return ["node", str(modules / one.manager / "bin/yarn.js")]


def environment(here: Loopback, home: Path) -> dict[str, str]:
    """Return the variables of a process that asks this machine's registry, and in which no setting of a user counts."""
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.lower().startswith(("npm_", "yarn_", "bun_", "pnpm_", "node_", "git_", "xdg_"))
    }
    return kept | {
        "HOME": str(home),
        "CI": "",
        "GIT_CONFIG_NOSYSTEM": "1",
        "npm_config_registry": here.registry,
        "npm_config_cache": str(home / "npm"),
        "npm_config_userconfig": str(home / ".npmrc"),
        "npm_config_globalconfig": str(home / "global"),
        "npm_config_store_dir": str(home / "store"),
        "npm_config_update_notifier": "false",
        "YARN_NPM_REGISTRY_SERVER": here.registry.rstrip("/"),
        "YARN_ENABLE_SCRIPTS": "false",
        "YARN_ENABLE_TELEMETRY": "0",
        "YARN_ENABLE_IMMUTABLE_INSTALLS": "false",
        "YARN_GLOBAL_FOLDER": str(home / "berry"),
        "BUN_CONFIG_REGISTRY": here.registry,
        "BUN_INSTALL_CACHE_DIR": str(home / "bun"),
        "DO_NOT_TRACK": "1",
        "COREPACK_ENABLE_STRICT": "0",
    }


def lay_out(files: Files, work: Path, here: Loopback) -> None:
    """Write a project."""
    for name, content in files.items():
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content, indent=2) + "\n"
        path.write_text(text.replace("{files}", here.files).replace("{git}", here.git), "utf-8")
    (work / "packed-1.0.0.tgz").write_bytes(_packed())


def _packed() -> bytes:
    from testkit import tarballs
    from testkit.cases import stored

    inner = {"name": "inner", "version": "1.0.0"}
    told = {"dependencies": {"inner": "1.0.0", "leaf": "1.1.0"}, "bundleDependencies": ["inner"]}
    files = {"node_modules/inner/package.json": json.dumps(inner).encode()}
    return stored(tarballs.package("packed", "1.0.0", manifest=told, files=files))


def _plain(entry: dict[str, Any]) -> dict[str, Any]:
    """Leave out where it lies, and how much of it pnpm counts as shown before, which differs from run to run."""
    return {key: value for key, value in entry.items() if key not in ("path", "dedupedDependenciesCount")}


def make(name: str, here: Loopback, scratch: Path, target: Path) -> None:
    """Make one fixture in `target`: the manager installs, then lists."""
    one = FIXTURES[name]
    command = program(one, scratch / "managers")
    work, home = scratch / name / "project", scratch / name / "home"
    for folder in (work, home):
        folder.mkdir(parents=True)
    lay_out(one.files, work, here)
    (home / ".npmrc").write_text(f"registry={here.registry}\n")  # pnpm 12 takes no registry from the environment
    env = environment(here, home)
    match one.manager:
        case "npm":
            flags = ["--legacy-peer-deps", "--no-audit", "--no-fund", "--omit-lockfile-registry-resolved=false"]
            flags += ["--allow-git=all", "--allow-remote=all", "--allow-file=all"]
            run([*command, "install", "--package-lock-only", "--ignore-scripts", *flags, *one.flags], work, env)
            listing = run([*command, "ls", "--all", "--json", "--package-lock-only"], work, env, may_fail=True)
        case "pnpm":
            run([*command, "install", "--ignore-scripts", "--no-strict-peer-dependencies", *one.flags], work, env)
            alone = ["--lockfile-only"] if one.version is None else []  # older ones list what is installed
            told = run([*command, "list", "--json", "--recursive", "--depth", "Infinity", *alone], work, env)
            listing = json.dumps(json.loads(told, object_hook=_plain), indent=2) + "\n"
        case "yarn":
            run(
                [*command, "install", "--ignore-scripts", "--non-interactive", "--cache-folder", f"{home}/v1"],
                work,
                env,
            )
            listing = run([*command, "list", "--json", "--no-progress"], work, env)
        case "bun":
            run([*command, "install", "--ignore-scripts", *one.flags], work, env)
            listing = "\n".join(run([*command, "pm", "ls", "--all"], work, env).splitlines()[1:]) + "\n"
        case _:
            (work / "yarn.lock").write_text("")
            run([*command, "install", "--mode=update-lockfile"], work, env)
            listing = run([*command, "info", "--all", "--recursive", "--dependents", "--json"], work, env)
    (work / LISTINGS.get(one.manager, "listing.jsonl")).write_text(listing, "utf-8")
    shutil.rmtree(target, ignore_errors=True)
    skip = {"node_modules", ".yarn", ".pnp.cjs", ".pnp.loader.mjs"}
    for path in sorted(work.rglob("*")):
        if not path.is_file() or skip & set(path.relative_to(work).parts):
            continue
        copy = target / path.relative_to(work)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".tgz":
            copy.write_bytes(path.read_bytes())
        else:
            copy.write_text(here.public(path.read_text("utf-8")).replace(str(work), "/fixture"), "utf-8")


def main() -> int:
    """Make the named fixtures, or all."""
    names = sys.argv[1:] or list(FIXTURES)
    failed = 0
    with tempfile.TemporaryDirectory() as directory:
        scratch = Path(os.environ.get("FIXTURE_SCRATCH", directory))
        with loopback(Path(directory) / "git") as here:
            for name in names:
                shutil.rmtree(scratch / name, ignore_errors=True)
                try:
                    make(name, here, scratch, TARGET / name)
                except (OSError, RuntimeError) as error:
                    failed = 1
                    print(f"{name}: {error}", file=sys.stderr)
                else:
                    print(name)
    return failed


if __name__ == "__main__":
    sys.exit(main())
