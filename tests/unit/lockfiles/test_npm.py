"""What the npm reader says of lockfiles that an attacker, or an accident, has touched (CASES 1 to 3)."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sbomgate.errors import InputError
from sbomgate.lockfiles import npm
from sbomgate.model import Kind
from sbomgate.project import MemoryFiles
from testkit.projects import REGISTRY, Project, entry, integrity

GOOD, EVIL = "node_modules/good", "node_modules/evil"


def good() -> Project:
    return Project(good="1.0.0")


def resolved(url: str) -> Callable[[Project], None]:
    return lambda p: p.packages[GOOD].update(resolved=url)


def field(**values: Any) -> Callable[[Project], None]:
    return lambda p: p.packages[GOOD].update(values)


def drop(*keys: str) -> Callable[[Project], None]:
    def spoil(p: Project) -> None:
        for key in keys:
            del p.packages[GOOD][key]

    return spoil


def file(name: str, text: str) -> Callable[[Project], None]:
    return lambda p: p.files.update({name: text.encode()})


def declare(spec: str, section: str = "dependencies") -> Callable[[Project], None]:
    def spoil(p: Project) -> None:
        p.manifest["dependencies"] = {}
        p.packages[""].pop("dependencies", None)
        p.manifest[section] = {"good": spec}
        p.packages[""][section] = {"good": spec}

    return spoil


def both(*steps: Callable[[Project], None]) -> Callable[[Project], None]:
    def spoil(p: Project) -> None:
        for step in steps:
            step(p)

    return spoil


def add_dependency(name: str) -> Callable[[Project], None]:
    def spoil(p: Project) -> None:
        p.manifest["dependencies"][name] = "1.0.0"
        p.packages[""]["dependencies"][name] = "1.0.0"
        p.packages[f"node_modules/{name}"] = entry(name)

    return spoil


def two_hashes(p: Project) -> None:
    add_dependency("parent")(p)
    p.packages["node_modules/parent"]["dependencies"] = {"good": "1.0.0"}
    p.packages["node_modules/parent/node_modules/good"] = {**entry("good"), "integrity": integrity("x")}


def sections_disagree(p: Project) -> None:
    p.lock["lockfileVersion"] = 2
    p.lock["dependencies"] = {"good": {**entry("good"), "version": "1.0.1"}}


def undeclared_alias(p: Project) -> None:
    p.packages[GOOD]["name"] = "evil"
    p.packages[GOOD]["resolved"] = f"{REGISTRY}evil/-/evil-1.0.0.tgz"


def link(target: str) -> Callable[[Project], None]:
    def spoil(p: Project) -> None:
        declare(f"file:{target}")(p)
        p.packages[GOOD] = {"resolved": target, "link": True}
        p.packages[target] = {"version": "1.0.0"}
        p.files[f"{target}/package.json"] = b'{"name": "good", "version": "1.0.0"}'

    return spoil


def bundled_in_nothing(p: Project) -> None:
    p.packages[GOOD]["dependencies"] = {"evil": "1.0.0"}
    p.packages[GOOD + "/" + EVIL] = {"version": "1.0.0", "inBundle": True}


def bundled_and_unlisted(names: object, beside: str | None) -> Callable[[Project], None]:
    """A package that bundles `inner`, which the lockfile lists in no version, or in another one beside it."""

    def spoil(p: Project) -> None:
        p.packages[GOOD] |= {"dependencies": {"inner": "^2.0.0"}, "bundleDependencies": names}
        if beside is not None:
            add_dependency("inner")(p)
            p.packages["node_modules/inner"]["version"] = beside
            p.packages["node_modules/inner"]["resolved"] = f"{REGISTRY}inner/-/inner-{beside}.tgz"
            p.manifest["dependencies"]["inner"] = p.packages[""]["dependencies"]["inner"] = beside

    return spoil


ATTACKS: dict[str, tuple[Callable[[Project], None], set[tuple[str, str]]]] = {
    "A06 alias without its name": (
        both(declare("npm:evil@1.0.0"), resolved(f"{REGISTRY}evil/-/evil-1.0.0.tgz")),
        {("bound_bytes", "resolved-name-differs"), ("pinned", "lock-drift")},
    ),
    "A06 name that nothing declares": (undeclared_alias, {("bound_bytes", "alias-undeclared")}),
    "A09 another tarball": (
        resolved(f"{REGISTRY}evil/-/evil-1.0.0.tgz"),
        {("bound_bytes", "resolved-name-differs")},
    ),
    "A09 another scope": (
        resolved(f"{REGISTRY}@evil/good/-/good-1.0.0.tgz"),
        {("bound_bytes", "resolved-name-differs")},
    ),
    "A10 another version": (
        resolved(f"{REGISTRY}good/-/good-1.0.1.tgz"),
        {("bound_bytes", "resolved-version-differs")},
    ),
    "A10 another version with zeros": (
        resolved(f"{REGISTRY}good/-/good-01.0.00001.tgz"),
        {("bound_bytes", "resolved-version-differs")},
    ),
    "A10 a version of more numbers": (
        resolved(f"{REGISTRY}good/-/good-1.0.0.1.tgz"),
        {("bound_bytes", "resolved-version-differs")},
    ),
    "A12 dot segments": (
        resolved(f"{REGISTRY}good/-/../../evil/-/evil-1.0.0.tgz"),
        {("bound_bytes", "resolved-not-canonical"), ("bound_bytes", "resolved-name-differs")},
    ),
    "A12 encoded": (
        resolved(f"{REGISTRY}good/-/%2e%2e/%2E%2E/evil/-/evil-1.0.0.tgz"),
        {("bound_bytes", "resolved-not-canonical"), ("bound_bytes", "resolved-name-differs")},
    ),
    "A12 encoded twice": (
        resolved(f"{REGISTRY}good/-/%252e%252e/%252e%252e/evil/-/evil-1.0.0.tgz"),
        {("bound_bytes", "resolved-not-canonical"), ("bound_bytes", "resolved-name-differs")},
    ),
    "A12 backslashes": (
        resolved(f"{REGISTRY}good\\-\\good-1.0.0.tgz"),
        {
            ("bound_bytes", "resolved-not-canonical"),
            ("exotic_sources", "tarball-url"),
            ("bound_bytes", "source-undeclared"),
        },
    ),
    "A14 user information": (
        resolved("https://registry.npmjs.org@evil.test/good/-/good-1.0.0.tgz"),
        {("registries", "resolved-userinfo"), ("registries", "resolved-foreign-host")},
    ),
    "A16 trailing dot": (
        resolved("https://registry.npmjs.org./good/-/good-1.0.0.tgz"),
        {("registries", "resolved-trailing-dot")},
    ),
    "other port": (
        resolved("https://registry.npmjs.org:8443/good/-/good-1.0.0.tgz"),
        {("registries", "resolved-foreign-host")},
    ),
    "yarn's host": (
        resolved("https://registry.yarnpkg.com/good/-/good-1.0.0.tgz"),
        {("registries", "resolved-foreign-host")},
    ),
    "no TLS": (resolved("http://registry.npmjs.org/good/-/good-1.0.0.tgz"), {("registries", "resolved-http")}),
    "no host": (resolved("https:///good/-/good-1.0.0.tgz"), {("bound_bytes", "resolved-malformed")}),
    "other scheme": (resolved("ftp://x/good-1.0.0.tgz"), {("bound_bytes", "resolved-malformed")}),
    "A19 no resolved": (drop("resolved"), {("registries", "resolved-missing")}),
    "A20 registry": (file(".npmrc", "registry=https://evil.test/"), {("registries", "npmrc-registry")}),
    "A20 scope": (file(".npmrc", "@acme:registry=https://evil.test/"), {("registries", "npmrc-registry")}),
    "A21 no integrity": (drop("integrity"), {("lockfile_sound", "missing-integrity")}),
    "A22 no integrity, other tarball": (
        both(drop("integrity"), resolved(f"{REGISTRY}evil/-/evil-1.0.0.tgz")),
        {("lockfile_sound", "missing-integrity"), ("bound_bytes", "resolved-name-differs")},
    ),
    "A23 sha1": (field(integrity=integrity("x", "sha1")), {("lockfile_sound", "weak-integrity")}),
    "A23 sha256": (field(integrity=integrity("x", "sha256")), {("lockfile_sound", "weak-integrity")}),
    "A25 several": (
        field(integrity=f"{integrity('x')} {integrity('y')}"),
        {("lockfile_sound", "several-hashes")},
    ),
    "integrity cut": (
        field(integrity=integrity("x")[:60]),
        {("lockfile_sound", "malformed-integrity"), ("lockfile_sound", "missing-integrity")},
    ),
    "integrity empty": (field(integrity=""), {("lockfile_sound", "missing-integrity")}),
    "integrity md5": (
        field(integrity="md5-1B2M2Y8AsgTpgAmY7PhCfg=="),
        {("lockfile_sound", "malformed-integrity"), ("lockfile_sound", "missing-integrity")},
    ),
    "A28 upper case": (
        add_dependency("Good"),
        {("lockfile_sound", "name-case"), ("lockfile_sound", "name-case-collision")},
    ),
    "L01 shrinkwrap beside": (
        lambda p: p.files.update({"npm-shrinkwrap.json": json.dumps({**p.lock, "packages": p.packages}).encode()}),
        {("lockfile_sound", "shrinkwrap-shadow")},
    ),
    "P5 two hashes of one version": (two_hashes, {("lockfile_sound", "integrity-differs")}),
    "L02 a section that version 3 does not have": (
        lambda p: p.lock.update(dependencies={"evil": entry("evil")}),
        {("lockfile_sound", "sections-disagree")},
    ),
    "L02 sections disagree": (sections_disagree, {("lockfile_sound", "sections-disagree")}),
    "L13 symbolic link": (
        lambda p: setattr(p, "links", frozenset({"package-lock.json"})),
        {("lockfile_sound", "symlinked-lockfile")},
    ),
    "L15 nothing depends on it": (
        lambda p: p.packages.update({EVIL: entry("evil")}),
        {("lockfile_sound", "unreachable-entry")},
    ),
    "L15 nothing depends on it, and it asks for what is not there": (
        lambda p: p.packages.update({EVIL: {**entry("evil"), "dependencies": {"good": "^9", "gone": "1"}}}),
        {("lockfile_sound", "unreachable-entry")},
    ),
    "L15 what a directory asks for that no link leads to": (
        lambda p: p.packages.update({"old": {"version": "1.0.0", "extraneous": True, "dependencies": {"good": "^9"}}}),
        {("lockfile_sound", "unreachable-entry"), ("lockfile_sound", "manifest-missing")},
    ),
    "L17 drift": (
        both(declare("^2.0.0")),
        {("pinned", "lock-drift"), ("pinned", "declared-range")},
    ),
    "L17 not in the lockfile": (
        lambda p: p.packages.pop(GOOD) and None,
        {("pinned", "lock-drift")},
    ),
    "L18 root lies": (
        lambda p: p.packages[""]["dependencies"].update(evil="1.0.0"),
        {("lockfile_sound", "root-differs")},
    ),
    "L20 dev flag": (field(dev=True), {("lockfile_sound", "flag-mismatch")}),
    "L20 optional flag": (field(optional=True), {("lockfile_sound", "flag-mismatch")}),
    "L23 bundled in nothing": (
        bundled_in_nothing,
        {
            ("lockfile_sound", "bundle-undeclared"),
            ("lockfile_sound", "missing-integrity"),
            ("registries", "resolved-missing"),
        },
    ),
    "L23 another name than the bundled one": (
        both(bundled_in_nothing, field(bundleDependencies=["other"])),
        {
            ("lockfile_sound", "bundle-undeclared"),
            ("lockfile_sound", "missing-integrity"),
            ("registries", "resolved-missing"),
        },
    ),
    "L24 bundled, and not in the lockfile": (
        bundled_and_unlisted(["inner"], None),
        {("lockfile_sound", "bundle-unlisted")},
    ),
    "L24 bundled, and another version beside it": (
        bundled_and_unlisted(["inner"], "1.0.0"),
        {("lockfile_sound", "bundle-unlisted")},
    ),
    "L24 all are bundled": (bundled_and_unlisted(True, "1.0.0"), {("lockfile_sound", "bundle-unlisted")}),
    "L24 another one is bundled": (
        bundled_and_unlisted(["other"], "1.0.0"),
        {("lockfile_sound", "range-unsatisfied")},
    ),
    "L24 another one is bundled, and this one is nowhere": (
        bundled_and_unlisted(["other"], None),
        {("lockfile_sound", "dependency-missing")},
    ),
    "scripts that npm would run in place of the package's own": (
        field(scripts={"postinstall": "node evil.js"}),
        {("lockfile_sound", "scripts-in-lockfile")},
    ),
    "a script of a bundled package": (
        lambda p: (
            p.packages.update(
                {
                    f"{GOOD}/node_modules/inner": {
                        "version": "1.0.0",
                        "inBundle": True,
                        "scripts": {"install": "node evil.js"},
                    }
                }
            )
            or p.packages[GOOD].update(bundleDependencies=["inner"], dependencies={"inner": "1.0.0"})
        ),
        {("lockfile_sound", "scripts-in-lockfile")},
    ),
    "a command is a fact, not a finding": (field(bin={"../node": "x.js"}), set()),
    "scripts that are empty": (field(scripts={}), set()),
    "flagged as bundled beside the root": (
        both(field(inBundle=True, resolved=f"{REGISTRY}evil/-/evil-1.0.0.tgz"), drop("integrity")),
        {("lockfile_sound", "missing-integrity"), ("bound_bytes", "resolved-name-differs")},
    ),
    "a tag as version": (
        both(field(version="latest"), drop("resolved")),
        {("bound_bytes", "version-invalid"), ("registries", "resolved-missing")},
    ),
    "no version": (drop("version"), {("bound_bytes", "version-invalid")}),
    "neither version nor resolved": (
        both(drop("version"), drop("resolved")),
        {("bound_bytes", "source-missing")},
    ),
    "directory that no link leads to": (
        lambda p: p.packages.update({"evil": {"version": "1.0.0"}}),
        {("lockfile_sound", "unreachable-entry"), ("lockfile_sound", "manifest-missing")},
    ),
    "a workspace inside node_modules": (
        both(
            lambda p: p.manifest.update(workspaces=["node_modules/*", "**"]),
            lambda p: p.packages.update({EVIL: entry("evil")}),
            lambda p: p.packages.update({"node_modules/link": {"link": True, "resolved": EVIL}}),
        ),
        {("exotic_sources", "link"), ("lockfile_sound", "unreachable-entry"), ("bound_bytes", "alias-undeclared")},
    ),
    "L26 shrinkwrap inside": (field(hasShrinkwrap=True), {("pinned", "nested-shrinkwrap")}),
    "L31 link outside": (link("../../reg"), {("exotic_sources", "link-outside")}),
    "link inside": (link("local/good"), {("exotic_sources", "link")}),
    "S01 git nobody asked for": (
        resolved("git+ssh://git@evil.test/x.git#" + "a" * 40),
        {("exotic_sources", "git"), ("bound_bytes", "source-undeclared")},
    ),
    "S02 git branch": (
        both(declare("github:x/good#main"), resolved("git+ssh://git@github.com/x/good.git#main"), drop("integrity")),
        {("exotic_sources", "git"), ("pinned", "git-not-commit"), ("pinned", "declared-floating")},
    ),
    "git, another commit than declared": (
        both(
            declare("github:x/good#" + "b" * 40),
            resolved("git+ssh://git@github.com/x/good.git#" + "a" * 40),
            drop("integrity"),
        ),
        {("exotic_sources", "git"), ("pinned", "lock-drift")},
    ),
    "S05 tarball nobody asked for": (
        resolved("https://evil.test/good.tgz"),
        {("exotic_sources", "tarball-url"), ("bound_bytes", "source-undeclared")},
    ),
    "S07 file": (
        both(declare("file:good.tgz"), resolved("file:good.tgz")),
        {("exotic_sources", "file")},
    ),
    "S08 star": (declare("*"), {("pinned", "declared-floating")}),
    "S08 empty": (declare(""), {("pinned", "declared-floating")}),
    "S08 at least": (declare(">=1"), {("pinned", "declared-floating")}),
    "S08 tag": (declare("latest"), {("pinned", "declared-floating")}),
    "S08 or": (declare("1 || 2"), {("pinned", "declared-floating")}),
    "S09 caret": (declare("^1.0.0"), {("pinned", "declared-range")}),
    "S10 prerelease": (
        both(declare("2.0.0-rc.1"), lambda p: p.packages.update({GOOD: entry("good", "2.0.0-rc.1")})),
        {("pinned", "prerelease")},
    ),
    "C03 script-shell": (file(".npmrc", "script-shell=./evil.sh"), {("manager_code", "npmrc-runs-code")}),
    "C04 packageManager": (
        lambda p: p.manifest.update(packageManager="npm@11.0.0"),
        {("manager_code", "package-manager")},
    ),
    "deno.lock beside": (file("deno.lock", "{}"), {("lockfile_sound", "other-lockfile")}),
    "name with a blank": (
        lambda p: p.packages.update(
            {
                GOOD: {**entry("good"), "dependencies": {"e vil": "1"}},
                "node_modules/e vil": {**entry("good"), "version": "1.0.0"},
            }
        ),
        {("lockfile_sound", "name-invalid"), ("bound_bytes", "resolved-name-differs")},
    ),
}


def needing(name: str, spec: str = "1.0.0", section: str = "dependencies", **more: Any) -> Callable[[Project], None]:
    """The package needs another one, which is there as 1.0.0 unless `name` is `absent`."""

    def spoil(p: Project) -> None:
        p.packages[GOOD].update({section: {name: spec}, **more})
        if name != "absent":
            p.packages[f"node_modules/{name}"] = entry(name)

    return spoil


def replacing(overrides: Any) -> Callable[[Project], None]:
    return lambda p: p.manifest.update(overrides=overrides)


def as_version_1(p: Project) -> None:
    """The same project as npm 6 writes it."""
    trees = {key.removeprefix("node_modules/"): dict(one) for key, one in p.packages.items() if key}
    p.packages.clear()
    lock = {"name": "shop", "version": "1.0.0", "lockfileVersion": 1, "requires": True, "dependencies": trees}
    p.files["package-lock.json"] = json.dumps(lock).encode()


def with_sections(old: dict[str, Any], new: dict[str, Any] | None = None) -> Callable[[Project], None]:
    """Version 2, whose `dependencies` say something of the package, as does `packages`."""

    def spoil(p: Project) -> None:
        p.lock["lockfileVersion"] = 2
        p.packages[GOOD].update(new or {})
        p.lock["dependencies"] = {"good": {**entry("good"), **old}}

    return spoil


COMMIT = "a" * 40
DISAGREE = {("lockfile_sound", "sections-disagree")}
ATTACKS |= {
    "L02 not in the older section": (
        both(with_sections({}), lambda p: p.lock.update(dependencies={})), DISAGREE
    ),
    "L02 another tarball in the older section": (with_sections({"resolved": f"{REGISTRY}evil/-/x.tgz"}), DISAGREE),
    "L02 another integrity in the older section": (with_sections({"integrity": integrity("y")}), DISAGREE),
    "L02 another package in the older section": (with_sections({"version": "npm:evil@1.0.0"}), DISAGREE),
    "L02 the same commit in two spellings": (
        both(
            declare(f"github:x/good#{COMMIT}"),
            with_sections(
                {"version": f"git+https://u:p@github.com/x/good.git#{COMMIT}"},
                {"resolved": f"git+https://github.com/x/good.git#{COMMIT}"},
            ),
        ),
        {("exotic_sources", "git")},
    ),
    "L02 two commits": (
        both(
            declare(f"github:x/good#{COMMIT}"),
            with_sections(
                {"version": f"git+ssh://git@github.com/x/good.git#{'b' * 40}"},
                {"resolved": f"git+ssh://git@github.com/x/good.git#{COMMIT}"},
            ),
        ),
        {("exotic_sources", "git"), *DISAGREE},
    ),
    "a name that differs from package.json's": (
        lambda p: p.manifest.update(name="another"), {("lockfile_sound", "root-renamed")}
    ),
    "a version that differs from package.json's": (
        lambda p: p.manifest.update(version="9.0.0"), {("lockfile_sound", "root-renamed")}
    ),
    "two names in the lockfile": (
        lambda p: p.lock.update(name="another"),
        {("lockfile_sound", "root-renamed")},
    ),
    "a dependency that is not there": (needing("absent"), {("lockfile_sound", "dependency-missing")}),
    "a peer that is not there": (
        needing("absent", section="peerDependencies"), {("lockfile_sound", "peer-unmet")}
    ),
    "a dependency out of its range": (needing("other", "2"), {("lockfile_sound", "range-unsatisfied")}),
    "a peer out of its range": (
        needing("other", "2", section="peerDependencies"), {("lockfile_sound", "peer-invalid")}
    ),
    "an accepted dependency out of both ranges": (
        needing("other", "2", acceptDependencies={"other": "3"}), {("lockfile_sound", "range-unsatisfied")}
    ),
    "L19 a dependency that no override accepts": (
        both(needing("other", "2"), replacing({"other": "3"})),
        {("lockfile_sound", "range-unsatisfied"), ("pinned", "override")},
    ),
    "L19 an override beside another declaration": (
        replacing({"good": "1.0.1"}), {("pinned", "override"), ("pinned", "lock-drift")}
    ),
    "C04 packageManager with a digest": (
        lambda p: p.manifest.update(packageManager="npm@11.0.0+sha512.ab"),
        {("manager_code", "package-manager-hashed")},
    ),
    "L13 a manifest that is a symbolic link": (
        lambda p: setattr(p, "links", frozenset({"package.json"})), {("lockfile_sound", "symlinked-manifest")}
    ),
    "L26 an old lockfile": (as_version_1, {("lockfile_sound", "lockfile-v1")}),
    "a name too long": (
        needing("a" * 215), {("lockfile_sound", "name-invalid")}
    ),
    "git that the range does not ask for": (
        both(needing("other"), lambda p: p.packages["node_modules/other"].update(resolved=f"git+ssh://git@h/x#{COMMIT}")),
        {("exotic_sources", "git"), ("bound_bytes", "source-undeclared")},
    ),
    "a file without a digest": (
        both(declare("file:good.tgz"), resolved("file:good.tgz"), drop("integrity")),
        {("exotic_sources", "file"), ("lockfile_sound", "missing-integrity")},
    ),
    "a link to what is no entry": (
        both(link("local/good"), lambda p: p.packages.pop("local/good") and None),
        {("exotic_sources", "link"), ("lockfile_sound", "link-target-missing"), ("pinned", "lock-drift")},
    ),
}  # fmt: skip


def workspace(p: Project, **more: Any) -> None:
    """The workspace `a`, which needs the package too."""
    manifest = {"name": "a", "version": "1.0.0", "dependencies": {"good": "1.0.0"}, **more}
    p.manifest["workspaces"] = p.packages[""]["workspaces"] = ["packages/*"]
    p.packages["packages/a"] = dict(manifest)
    p.packages["node_modules/a"] = {"resolved": "packages/a", "link": True}
    p.files["packages/a/package.json"] = json.dumps(manifest).encode()


def _renamed(p: Project) -> None:
    """package.json of the workspace has another name."""
    path = "packages/a/package.json"
    p.files[path] = p.files[path].replace(b'"a"', b'"b"', 1)


def inner(asked: str = "1", **fields: Any) -> Callable[[Project], None]:
    """Version 1, where a package holds another one, as npm 6 nests them."""

    def spoil(p: Project) -> None:
        p.packages[GOOD].update(requires={"inner": asked}, dependencies={"inner": fields})
        as_version_1(p)

    return spoil


OLD = ("lockfile_sound", "lockfile-v1")
ATTACKS |= {
    "L26 shrinkwrap inside, and nothing of it listed": (
        both(needing("other"), lambda p: p.packages[GOOD].update(hasShrinkwrap=True)),
        {("pinned", "nested-shrinkwrap"), ("lockfile_sound", "shrinkwrap-unlisted")},
    ),
    "a workspace's own lockfile": (
        both(workspace, file("packages/a/package-lock.json", "{}")), {("lockfile_sound", "nested-lockfile")}
    ),
    "a workspace that stands not in the lockfile": (
        both(workspace, file("packages/b/package.json", '{"name": "b"}')), {("pinned", "lock-drift")}
    ),
    "a workspace that no link leads to, which `npm ci` refuses": (
        both(workspace, lambda p: p.packages.pop("node_modules/a") and None), {("pinned", "lock-drift")}
    ),
    "a workspace of another name than its link, which `npm ci` refuses": (
        both(workspace, _renamed),
        {("pinned", "lock-drift"), ("lockfile_sound", "root-renamed")},
    ),
    "a workspace whose package.json says something else": (
        both(workspace, lambda p: p.packages["packages/a"].update(dependencies={"good": "^1.0.0"})),
        {("lockfile_sound", "workspace-differs")},
    ),
    "a workspace's dependency that is not there": (
        lambda p: workspace(p, dependencies={"gone": "1.0.0"}), {("pinned", "lock-drift")}
    ),
    "a directory outside the repository": (
        lambda p: p.packages.update({"../out": {"version": "1.0.0"}}), {("lockfile_sound", "unreachable-entry")}
    ),
    "a link to what is nowhere, and somebody asks for it": (
        both(
            needing("absent"),
            lambda p: p.packages.update({"node_modules/absent": {"resolved": "gone", "link": True}}),
        ),
        {
            ("exotic_sources", "link"),
            ("lockfile_sound", "link-target-missing"),
            ("lockfile_sound", "dependency-missing"),
        },
    ),
    "L26 a dependency out of its range": (
        inner(**entry("inner"), asked="2"), {OLD, ("lockfile_sound", "range-unsatisfied")}
    ),
    "L23 L26 bundled in what does not ask for it": (
        both(
            lambda p: p.packages[GOOD].update(dependencies={"inner": {"version": "1.0.0", "bundled": True}}),
            as_version_1,
        ),
        {
            OLD,
            ("lockfile_sound", "bundle-undeclared"),
            ("lockfile_sound", "missing-integrity"),
            ("lockfile_sound", "unreachable-entry"),
            ("registries", "resolved-missing"),
        },
    ),
    "L23 L26 bundled": (inner(version="1.0.0", bundled=True), {OLD}),
}  # fmt: skip


def bundled(p: Project) -> None:
    """A bundled dependency, its own dependency beside it, and one below it."""
    p.packages[GOOD].update(dependencies={"inner": "1"}, bundleDependencies=["inner"])
    p.packages[f"{GOOD}/node_modules/inner"] = {
        "version": "1.0.0",
        "inBundle": True,
        "dependencies": {"beside": "1", "below": "1"},
    }
    p.packages[f"{GOOD}/node_modules/beside"] = {"version": "1.0.0", "inBundle": True}
    p.packages[f"{GOOD}/node_modules/inner/node_modules/below"] = {"version": "1.0.0", "inBundle": True}


LEGITIMATE: dict[str, Callable[[Project], None]] = {
    "L23 bundled": bundled,
    "nothing special": lambda p: None,
    "A07 alias": both(
        declare("npm:string-width@4.2.3"),
        lambda p: p.packages.update({GOOD: entry("string-width", "4.2.3", name="string-width")}),
    ),
    "A16 case of the host": resolved("https://REGISTRY.npmjs.ORG/good/-/good-1.0.0.tgz"),
    "A16 default port": resolved("https://registry.npmjs.org:443/good/-/good-1.0.0.tgz"),
    "L11 constructor": both(
        lambda p: p.packages[GOOD].update(dependencies={"constructor": "1.0.0"}),
        lambda p: p.packages.update({"node_modules/constructor": entry("constructor")}),
    ),
    "dev flag on a dev dependency": both(declare("1.0.0", "devDependencies"), field(dev=True)),
    "missing optional dependency": lambda p: p.packages[GOOD].update(optionalDependencies={"fsevents": "2"}),
    "missing optional peer": needing(
        "absent", section="peerDependencies", peerDependenciesMeta={"absent": {"optional": True}}
    ),
    "an accepted dependency": needing("other", "2", acceptDependencies={"other": "1"}),
    "L02 both sections agree": with_sections({}),
    "a version with build metadata": both(declare("1.0.0"), field(version="1.0.0+a-b")),
    "a workspace": workspace,
    "flags that are false": field(dev=False, optional=False, peer=False),
    "an alias of its own name": declare("npm:good@1.0.0"),
    "the project as a dependency of its own": lambda p: p.packages.update(
        {"node_modules/shop": {"resolved": "", "link": True}}
    ),
    "L02 a name said in one section": with_sections({}, {"name": "good"}),
    "L02 bundled in both sections": both(
        bundled,
        lambda p: p.lock.update(
            lockfileVersion=2,
            dependencies={
                "good": {
                    **entry("good"),
                    "requires": {"inner": "1"},
                    "dependencies": {
                        "inner": {
                            "version": "1.0.0",
                            "bundled": True,
                            "requires": {"beside": "1", "below": "1"},
                            "dependencies": {"below": {"version": "1.0.0", "bundled": True}},
                        },
                        "beside": {"version": "1.0.0", "bundled": True},
                    },
                }
            },
        ),
    ),
    "os and cpu": field(os=["linux"], cpu="x64", libc=["glibc"]),
    "extra hash of a weaker algorithm": field(integrity=f"{integrity('x', 'sha1')} {integrity('x')}"),
    "zeros in the name of an old file": both(
        declare("3001.10.0"), field(version="3001.10.0", resolved=f"{REGISTRY}good/-/good-3001.0010.0000.tgz")
    ),
    "scoped": both(
        lambda p: p.packages[GOOD].update(dependencies={"@scope/name": "1.0.0"}),
        lambda p: p.packages.update({"node_modules/@scope/name": entry("@scope/name")}),
    ),
    "scope written with %2f": both(
        lambda p: p.packages[GOOD].update(dependencies={"@scope/name": "1.0.0"}),
        lambda p: p.packages.update(
            {
                "node_modules/@scope/name": {
                    **entry("@scope/name"),
                    "resolved": f"{REGISTRY}@scope%2fname/-/name-1.0.0.tgz",
                }
            }
        ),
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_findings(name: str) -> None:
    """P5: what contradicts itself is an explicit finding, and nothing else is found."""
    spoil, expected = ATTACKS[name]
    project = good()
    spoil(project)
    assert project.codes() == expected


@pytest.mark.parametrize("name", LEGITIMATE)
def test_legitimate(name: str) -> None:
    """Must allow: no finding at all."""
    project = good()
    LEGITIMATE[name](project)
    assert project.read().findings == ()


def test_a_workspace_is_the_projects_own() -> None:
    project = good()
    workspace(project)
    graph = project.read()
    assert {package.id for package in graph.packages if package.kind is Kind.WORKSPACE} == {
        "packages/a",
        "node_modules/a",
    }
    assert [directory for one in graph.packages if (directory := npm.directory_of(one)) is not None] == ["packages/a"]
    assert {(edge.source, edge.target, edge.satisfied) for edge in graph.edges} == {
        ("", "packages/a", True),
        ("", GOOD, True),
        ("packages/a", GOOD, True),
    }


def test_L23_what_lies_beside_the_bundler_is_not_in_its_tarball() -> None:
    """What a bundled package depends on may stand at the root: that is fetched, and its hash counts."""
    project = good()
    bundled(project)
    add_dependency("tool")(project)
    project.packages[f"{GOOD}/node_modules/inner"]["dependencies"]["tool"] = "1.0.0"
    kinds = {package.id: package.kind for package in project.read().packages}
    assert kinds["node_modules/tool"] is Kind.REGISTRY
    del project.packages["node_modules/tool"]["integrity"]
    assert project.codes() == {("lockfile_sound", "missing-integrity")}


def test_L19_an_override_by_an_alias_is_of_that_package_alone() -> None:
    project = good()
    project.manifest["overrides"] = {"evil": "npm:good@1.0.1"}
    project.packages[GOOD]["dependencies"] = {"evil": "^3.0.0"}
    project.packages[EVIL] = entry("bad", "1.0.1", name="bad")
    assert ("bound_bytes", "alias-undeclared") in project.codes()


def test_L19_L26_inside_a_shrinkwrap_nothing_is_replaced() -> None:
    """Which entries come from one, the lockfile does not say: then the declaration counts."""
    project = good()
    needing("other")(project)
    replacing({"other": "3"})(project)
    project.packages["node_modules/other"]["hasShrinkwrap"] = True
    (edge,) = (one for one in project.read().edges if one.name == "other")
    assert edge.satisfied


def test_a_link_has_the_name_that_its_directory_says() -> None:
    project = good()
    link("local/good")(project)
    project.files["local/good/package.json"] = b'{"name": "real", "version": "1.0.0"}'
    found = next(package for package in project.read().packages if package.id == GOOD)
    assert (found.name, found.alias, found.target) == ("real", "good", "local/good")


def test_a_directory_without_a_name_is_called_as_it_is() -> None:
    project = good()
    workspace(project)
    for one in (project.packages["packages/a"], manifest := json.loads(project.files["packages/a/package.json"])):
        del one["name"]
    project.files["packages/a/package.json"] = json.dumps(manifest).encode()
    assert {package.name for package in project.read().packages if package.id == "packages/a"} == {"a"}


def test_L31_an_absolute_link_is_outside_wherever_the_lockfile_lies() -> None:
    """Below a directory of the repository, `/d` is no `d` of that directory."""
    project = good()
    link("/d")(project)
    del project.packages["/d"]
    lock = {**project.lock, "packages": project.packages}
    files = {
        "sub/package.json": json.dumps(project.manifest).encode(),
        "sub/package-lock.json": json.dumps(lock).encode(),
        "sub/d/package.json": b"{}",
    }
    graph = npm.read(MemoryFiles(files), "sub/package-lock.json")
    assert "link-outside" in {finding.code for finding in graph.findings}


def test_the_name_of_what_comes_from_git_is_the_one_in_its_own_package_json() -> None:
    project = good()
    spoil = both(
        declare(f"github:x/good#{COMMIT}"),
        resolved(f"git+ssh://git@github.com/x/good.git#{COMMIT}"),
        drop("integrity"),
        field(name="real"),
    )
    spoil(project)
    assert project.codes() == {("exotic_sources", "git")}


@pytest.mark.parametrize(
    ("version", "place"),
    [(1, "dependencies.good.requires.inner"), (3, 'packages["node_modules/good"].dependencies.inner')],
)
def test_the_place_of_a_declaration_is_the_lockfiles(version: int, place: str) -> None:
    project = good()
    if version == 1:
        inner(**entry("inner"), asked="2")(project)
    else:
        needing("inner", "2")(project)
    assert [one.place for one in project.read().findings if one.code == "range-unsatisfied"] == [place]


def test_a_lockfile_that_is_not_there() -> None:
    with pytest.raises(InputError, match="no such file"):
        npm.read(MemoryFiles({"package.json": b"{}"}), "package-lock.json")


def test_findings_name_place_and_package() -> None:
    project = good()
    project.packages[GOOD]["integrity"] = integrity("x", "sha1")
    (finding,) = project.read().findings
    assert finding.place == 'packages["node_modules/good"].integrity'
    assert finding.package == GOOD


def test_A28_of_names_that_differ_by_case_both_are_named() -> None:
    project = good()
    add_dependency("Good")(project)
    found = {f.package for f in project.read().findings if f.code == "name-case-collision"}
    assert found == {"node_modules/Good", GOOD}


def test_tampered_registry_of_a_scope() -> None:
    """A URL of the project's own registry is canonical, one of a third is not."""
    project = good()
    project.files[".npmrc"] = b"registry=https://npm.acme.test/repo/npm/\n"
    project.packages[GOOD]["resolved"] = "https://npm.acme.test/repo/npm/good/-/good-1.0.0.tgz"
    assert project.codes() == {("registries", "npmrc-registry")}
    project.packages[GOOD]["resolved"] = f"{REGISTRY}good/-/good-1.0.0.tgz"  # npm replaces the host
    assert project.codes() == {("registries", "npmrc-registry")}
    project.packages[GOOD]["resolved"] = "https://npm.acme.test/other/good/-/good-1.0.0.tgz"
    assert project.codes() == {("registries", "npmrc-registry"), ("registries", "resolved-foreign-host")}
    project.packages[GOOD]["resolved"] = "https://npm.acme.test/repo/npm/evil/good/-/good-1.0.0.tgz"
    assert {("exotic_sources", "tarball-url"), ("bound_bytes", "source-undeclared")} <= project.codes()


GITLAB = "https://git.acme.test/api/v4"
LAYOUTS: dict[str, tuple[str, str, str, set[str]]] = {
    # the registry of the scope, a name of it, and what `resolved` says → what is found
    "GitHub Packages": (
        "https://npm.pkg.github.com/", "@acme/ui", "https://npm.pkg.github.com/download/@acme/ui/1.0.0/0a1b2c", set()
    ),
    "JSR": ("https://npm.jsr.io/", "@jsr/luca__cases", "https://npm.jsr.io/~/11/@jsr/luca__cases/1.0.0.tgz", set()),
    "JSR, as npm lays out": (
        "https://npm.jsr.io/", "@jsr/a__b", "https://npm.jsr.io/@jsr/a__b/-/a__b-1.0.0.tgz", set()
    ),
    "JSR, another package": (
        "https://npm.jsr.io/", "@jsr/luca__cases", "https://npm.jsr.io/~/11/@jsr/eve__cases/1.0.0.tgz",
        {"resolved-name-differs"},
    ),
    "JSR, another version": (
        "https://npm.jsr.io/", "@jsr/luca__cases", "https://npm.jsr.io/~/11/@jsr/luca__cases/1.0.1.tgz",
        {"resolved-version-differs"},
    ),
    "JSR's layout on another host": (
        "https://npm.jsr.io/", "@jsr/a__b", "https://npm.evil.test/~/11/@jsr/a__b/1.0.0.tgz",
        {"tarball-url", "source-undeclared"},
    ),
    "Font Awesome": (
        "https://npm.fa.test/", "@fa/pro", "https://npm.fa.test/@fa/pro/-/1.0.0/pro-1.0.0.tgz", set()
    ),
    "Font Awesome, another version": (
        "https://npm.fa.test/", "@fa/pro", "https://npm.fa.test/@fa/pro/-/1.0.1/pro-1.0.1.tgz",
        {"resolved-version-differs"},
    ),
    "a folder of another version": (
        "https://npm.fa.test/", "@fa/pro", "https://npm.fa.test/@fa/pro/-/6.5.0/pro-1.0.0.tgz",
        {"resolved-not-canonical"},
    ),
    "GitLab, the project itself": (
        f"{GITLAB}/projects/7/packages/npm/", "@acme/ui",
        f"{GITLAB}/projects/7/packages/npm/@acme/ui/-/@acme/ui-1.0.0.tgz", set(),
    ),
    "GitLab, a project of the group": (
        f"{GITLAB}/groups/5/-/packages/npm/", "@acme/ui",
        f"{GITLAB}/projects/7/packages/npm/@acme/ui/-/@acme/ui-1.0.0.tgz", {"resolved-foreign-host"},
    ),
    "GitLab, another package of a project": (
        f"{GITLAB}/groups/5/-/packages/npm/", "@acme/ui",
        f"{GITLAB}/projects/7/packages/npm/@eve/ui/-/@eve/ui-1.0.0.tgz",
        {"resolved-foreign-host", "resolved-name-differs"},
    ),
    "Azure, by the feed's number": (
        "https://az.test/acme/_packaging/feed/npm/registry/", "@acme/ui",
        "https://az.test/acme/3cc/_packaging/36a/npm/registry/@acme/ui/-/ui-1.0.0.tgz", {"resolved-foreign-host"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", LAYOUTS)
def test_where_registries_keep_their_tarballs(case: str) -> None:
    """A registry's own layout is no tarball from elsewhere; name and version in it count all the same."""
    registry, name, address, expected = LAYOUTS[case]
    project = Project(**{name: "1.0.0"})
    project.files[".npmrc"] = f"{name.partition('/')[0]}:registry={registry}\n".encode()
    project.packages[f"node_modules/{name}"]["resolved"] = address
    assert {code for _, code in project.codes()} == expected | {"npmrc-registry"}


def test_override_is_honoured_and_noted() -> None:
    """L19."""
    project = good()
    project.manifest["overrides"] = {"evil": "npm:good@1.0.1"}
    project.packages[GOOD]["dependencies"] = {"evil": "^3.0.0"}
    project.packages[EVIL] = entry("good", "1.0.1", name="good")
    graph = project.read()
    assert {f.code for f in graph.findings} == {"override"}
    package = next(p for p in graph.packages if p.id == EVIL)
    assert (package.name, package.alias, package.version) == ("good", "evil", "1.0.1")
    assert all(edge.satisfied for edge in graph.edges)


def test_what_is_reached_how() -> None:
    """By the edges alone: what only peers that may be missing lead to is neither there for development nor needed."""
    project = good()
    project.manifest["optionalDependencies"] = project.packages[""]["optionalDependencies"] = {"maybe": "1.0.0"}
    project.packages["node_modules/maybe"] = entry("maybe") | {"optional": True}
    project.packages[GOOD] |= {
        "peerDependencies": {"near": "1.0.0"},
        "peerDependenciesMeta": {"near": {"optional": True}},
    }
    project.packages["node_modules/near"] = entry("near") | {"optional": True, "peer": True}
    found = {p.id: (p.dev, p.optional, p.peer) for p in project.read().packages if p.id}
    assert found == {
        GOOD: (False, False, False),
        "node_modules/maybe": (False, True, False),
        "node_modules/near": (False, True, True),
    }


REFUSED: dict[str, tuple[str, Callable[[dict[str, Any]], Any]]] = {
    "L07 true": ("lockfileVersion", lambda lock: lock.update(lockfileVersion=True)),
    "L07 string": ("lockfileVersion", lambda lock: lock.update(lockfileVersion="3")),
    "L07 float": ("lockfileVersion", lambda lock: lock.update(lockfileVersion=3.0)),
    "L07 99": ("lockfileVersion", lambda lock: lock.update(lockfileVersion=99)),
    "L07 missing": ("lockfileVersion", lambda lock: lock.pop("lockfileVersion")),
    "packages missing": ("packages", lambda lock: lock.pop("packages")),
    "packages an array": ("packages", lambda lock: lock.update(packages=[])),
    "no root": ("packages", lambda lock: lock["packages"].pop("")),
    "entry null": ("packages", lambda lock: lock["packages"].update({GOOD: None})),
    "version a number": ("version", lambda lock: lock["packages"][GOOD].update(version=1)),
    "flag a string": ("dev", lambda lock: lock["packages"][GOOD].update(dev="false")),
    "flag a number": ("dev", lambda lock: lock["packages"][GOOD].update(dev=1)),
    "dependencies an array": ("dependencies", lambda lock: lock["packages"][GOOD].update(dependencies=["x"])),
    "range null": ("dependencies.x", lambda lock: lock["packages"][GOOD].update(dependencies={"x": None})),
    "dot segments": ("node_modules/../evil", lambda lock: lock["packages"].update({"node_modules/../evil": {}})),
    "same place twice": ("node_modules//good", lambda lock: lock["packages"].update({"node_modules//good": {}})),
    "absolute": ("/etc", lambda lock: lock["packages"].update({"/etc": {}})),
    "a slash at the end": ("node_modules/good/", lambda lock: lock["packages"].update({"node_modules/good/": {}})),
    "a dot before it": ("./good", lambda lock: lock["packages"].update({"./good": {}})),
    "a drive": ("C:", lambda lock: lock["packages"].update({"C:good": {}})),
    "a NUL": ("a\\u0000b", lambda lock: lock["packages"].update({"a\0b": {}})),
    "resolved a list": ("resolved", lambda lock: lock["packages"][GOOD].update(resolved=[])),
    "os a number": ("os", lambda lock: lock["packages"][GOOD].update(os=1)),
    "os of numbers": ("os", lambda lock: lock["packages"][GOOD].update(os=["linux", 1])),
    "version 1 with the section of version 2": ("packages", lambda lock: lock.update(lockfileVersion=1)),
    "backslash": ("node_modules", lambda lock: lock["packages"].update({"node_modules\\good": {}})),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    """P1: without one single meaning there is no graph."""
    place, spoil = REFUSED[name]
    project = good()
    lock = copy.deepcopy({**project.lock, "packages": project.packages})
    spoil(lock)
    project.files["package-lock.json"] = json.dumps(lock).encode()
    with pytest.raises(InputError) as caught:
        project.read()
    assert place.split(".")[0] in caught.value.place or caught.value.place.endswith(place)
    assert caught.value.where == "package-lock.json"


def test_version_1_needs_the_manifest() -> None:
    """It does not say what the project declares."""
    project = good()
    as_version_1(project)
    with pytest.raises(InputError, match="missing, and a lockfile of version 1"):
        npm.read(MemoryFiles(project.files), "package-lock.json")


@pytest.mark.parametrize("overrides", [[], "x", {"good": 1}, {"good": {".": None}}])
def test_overrides_of_another_kind(overrides: Any) -> None:
    project = good()
    replacing(overrides)(project)
    with pytest.raises(InputError) as caught:
        project.read()
    assert (caught.value.where, caught.value.place[:9]) == ("package.json", "overrides")


@pytest.mark.parametrize(
    ("overrides", "spec", "expected"),
    [
        pytest.param({"other": "1.0.0"}, "2", True, id="for everybody"),
        pytest.param({"other@2": "1.0.0"}, "2", True, id="for one range"),
        pytest.param({"other": {".": "1.0.0"}}, "2", True, id="with its own dependencies"),
        pytest.param({"good": {"other": "1.0.0"}}, "2", True, id="below a package"),
        pytest.param({"other": "$good"}, "2", True, id="as the project declares another"),
        pytest.param({"other": "3"}, "1.0.0", False, id="what is there is not what replaces it"),
        pytest.param({"another": "1.0.0"}, "2", False, id="of another package"),
        pytest.param({"other": ""}, "2", False, id="with nothing"),
    ],
)
def test_L19_what_an_override_replaces(overrides: Any, spec: str, expected: bool) -> None:
    project = good()
    needing("other", spec)(project)
    replacing(overrides)(project)
    (edge,) = (one for one in project.read().edges if one.name == "other")
    assert edge.satisfied is expected


def test_link_without_resolved_is_refused() -> None:
    project = good()
    project.packages[GOOD] = {"link": True}
    with pytest.raises(InputError, match="link without"):
        project.read()


def test_too_many_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    """P9, L09."""
    monkeypatch.setattr("sbomgate.lockfiles.npm.MAX_ENTRIES", 1)
    with pytest.raises(InputError, match="at most 1 are read"):
        good().read()


def test_no_lockfile() -> None:
    from sbomgate import lockfiles
    from sbomgate.project import MemoryFiles

    with pytest.raises(InputError, match="no lockfile here"):
        lockfiles.read(MemoryFiles({"package.json": b"{}"}))


@pytest.mark.parametrize("name", ["deno.lock"])
def test_not_supported_yet(name: str) -> None:
    from sbomgate import lockfiles
    from sbomgate.project import MemoryFiles

    for path in (None, name):
        with pytest.raises(InputError, match="not supported yet"):
            lockfiles.read(MemoryFiles({name: b"x"}), path)


def test_several_lockfiles_are_refused_by_name_unless_one_is_named() -> None:
    """L32: which of them is installed from is not ours to guess."""
    from sbomgate import lockfiles
    from sbomgate.project import MemoryFiles

    other = b"lockfileVersion: '9.0'\nimporters:\n  .: {}\n"

    def read(path: str | None, **manifest: str) -> str:
        files = {"package.json": json.dumps(manifest).encode(), "pnpm-lock.yaml": other}
        files["package-lock.json"] = b'{"lockfileVersion": 3, "packages": {"": {}}}'
        graph = lockfiles.read(MemoryFiles(files), path)
        assert ("lockfile_sound", "other-lockfile") in {(f.rule, f.code) for f in graph.findings}
        return graph.lockfile.path

    with pytest.raises(InputError, match=r"several lockfiles: package-lock\.json, pnpm-lock\.yaml"):
        read(None)
    with pytest.raises(InputError, match="several lockfiles"):
        read(None, packageManager="yarn@4.0.0")
    assert read(None, packageManager="pnpm@10.0.0") == "pnpm-lock.yaml"
    assert read(None, packageManager="npm@11.0.0+sha512.ab") == "package-lock.json"
    assert read("package-lock.json") == "package-lock.json"
    assert read("pnpm-lock.yaml", packageManager="npm@11.0.0") == "pnpm-lock.yaml"


def test_shrinkwrap_is_the_one_that_is_read() -> None:
    """L01: npm uses the shrinkwrap."""
    project = good()
    evil = {**project.lock, "packages": {**project.packages, GOOD: entry("good", "1.0.1")}}
    project.files["npm-shrinkwrap.json"] = json.dumps(evil).encode()
    graph = project.read()
    assert graph.lockfile.path == "npm-shrinkwrap.json"
    assert {p.version for p in graph.packages if p.id == GOOD} == {"1.0.1"}


def test_flags_are_recomputed() -> None:
    """L20: never the lockfile's word."""
    project = good()
    project.packages[GOOD]["dev"] = True
    package = next(p for p in project.read().packages if p.id == GOOD)
    assert not package.dev
    assert package.kind is Kind.REGISTRY


def test_secrets_never_reach_the_settings() -> None:
    """P40."""
    project = good()
    project.files[".npmrc"] = (
        b"//registry.npmjs.org/:_authToken=npm_secret\n_auth=c2VjcmV0\n_password=secret\nusername=secret\n"
        b"registry=https://user:secret@npm.acme.test/?token=secret\nproxy=http://u:secret@proxy.test:8080\n"
        b"key=secret\ncert=secret\nMY_TOKEN=secret\nscript-shell=${SECRET_SHELL}\n"
    )
    graph = project.read()
    assert "secret" not in repr(graph).lower().replace("${secret_shell}", "")
    assert graph.manager.registry == "https://npm.acme.test/"
    assert graph.manager.settings == {"proxy": "http://proxy.test:8080", "script-shell": "${SECRET_SHELL}"}


def test_every_code_is_documented() -> None:
    """The tables in docs/lockfiles.md and docs/foreign-sbom.md are complete."""
    root = Path(__file__).resolve().parents[3]
    source = "".join(path.read_text(encoding="utf-8") for path in (root / "sbomgate" / "lockfiles").glob("*.py"))
    rules = "lockfile_sound|bound_bytes|registries|pinned|exotic_sources|manager_code"
    codes = set(re.findall(rf'"([a-z0-9]+(?:-[a-z0-9]+)*)",\s*(?:rule=)?"(?:{rules})"', source))
    codes |= {"root-differs", "workspace-differs", "package-manager", "package-manager-hashed", "npmrc-weakens"}
    assert len(codes) > 40
    pages = [(root / "docs" / name).read_text(encoding="utf-8") for name in ("lockfiles.md", "foreign-sbom.md")]
    documented = set(re.findall(r"`([a-z0-9-]+)`", "".join(pages)))
    assert codes <= documented, codes - documented


def test_bundled_in() -> None:
    """L23: what a tarball holds is listed as inside it, and nothing else is."""
    project = good()
    bundled(project)
    found = {package.id: package.bundled_in for package in project.read().packages if package.bundled_in is not None}
    assert found == {f"{GOOD}/node_modules/{name}": GOOD for name in ("inner", "beside", "inner/node_modules/below")}


def test_the_commands_that_npm_links() -> None:
    """npm links the `bin` of the lockfile's entry; version 1 has none, and npm then reads the package's own."""
    project = good()
    for bin_, names in (({"b": "b.js", "../node": "x.js"}, ("b", "node")), (7, ()), (None, ())):
        field(bin=bin_)(project)
        assert {package.id: package.commands for package in project.read().packages}[GOOD] == names
    drop("bin")(project)
    assert {package.id: package.commands for package in project.read().packages}[GOOD] == ()
