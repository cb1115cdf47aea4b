"""What the reader of yarn 2 and later says of lockfiles that an attacker or an accident has touched (CASES 1 to 3)."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from sbomgate import lockfiles, sbom
from sbomgate.errors import InputError
from sbomgate.model import DependencyGraph, EdgeKind, Kind
from sbomgate.project import MemoryFiles

HEAD = "# Manual changes might be lost - proceed with caution!\n\n__metadata:\n  version: {}\n  cacheKey: 10c0\n\n"
ROOT = '"shop@workspace:.":\n  version: 0.0.0-use.local\n  resolution: "shop@workspace:."\n  dependencies:\n'
LOCATOR = "locator=shop%40workspace%3A."
SHA1 = "a" * 40


def block(
    key: str, resolution: str, version: str = "1.0.0", *more: str, checksum: str | None = "10c0/", soft: bool = False
) -> str:
    """Return one entry as yarn 4 writes it."""
    lines = [f'"{key}":', f"  version: {version}", f'  resolution: "{resolution}"', *(f"  {line}" for line in more)]
    if checksum is not None and not soft:
        lines.append(f"  checksum: {checksum}{hashlib.sha512(resolution.encode()).hexdigest()}")
    lines += ["  languageName: node", f"  linkType: {'soft' if soft else 'hard'}"]
    return "\n".join(lines) + "\n\n"


GOOD = block("good@npm:^1.0.0", "good@npm:1.0.0")


def read(
    lock: str,
    manifest: dict[str, Any] | None = None,
    links: frozenset[str] = frozenset(),
    *,
    version: str = "10",
    root: str | None = None,
    files: dict[str, str] | None = None,
) -> DependencyGraph:
    """Read a project whose only dependency is `good`; the root's block says what package.json says."""
    told = {"name": "shop", "version": "1.0.0", "dependencies": {"good": "^1.0.0"}, **(manifest or {})}
    asked = {**told.get("dependencies", {}), **told.get("devDependencies", {}), **told.get("optionalDependencies", {})}
    if root is None:
        root = ROOT + "".join(
            f'    "{name}": "{spec if ":" in spec else "npm:" + spec}"\n' for name, spec in sorted(asked.items())
        )
        root = root if asked else root.replace("  dependencies:\n", "")
        root += "  languageName: unknown\n  linkType: soft\n\n"
    contents = {name: text.encode() for name, text in (files or {}).items()}
    text = HEAD.format(version) + root + lock
    contents |= {"package.json": json.dumps(told).encode(), "yarn.lock": text.encode()}
    return lockfiles.read(MemoryFiles(contents, links))


def codes(graph: DependencyGraph) -> set[str]:
    return {finding.code for finding in graph.findings} - {"declared-range", "no-integrity-format"}


ATTACKS: dict[str, tuple[str, set[str]]] = {
    "nothing wrong": (GOOD, set()),
    "A06 another package under the name": (
        block("good@npm:^1.0.0", "evil@npm:1.0.0"),
        {"resolved-name-differs", "lock-drift"},
    ),
    "A10 version lie": (
        block("good@npm:^1.0.0", "good@npm:1.0.1", "1.0.0"),
        {"resolved-version-differs"},
    ),
    "an archive from elsewhere": (
        block("good@npm:^1.0.0", "good@npm:1.0.0::__archiveUrl=https%3A%2F%2Fevil.test%2Fgood%2F-%2Fgood-1.0.0.tgz"),
        {"resolved-foreign-host"},
    ),
    "an archive of another package": (
        block(
            "good@npm:^1.0.0",
            "good@npm:1.0.0::__archiveUrl=https%3A%2F%2Fregistry.npmjs.org%2Fevil%2F-%2Fevil-1.0.0.tgz",
        ),
        {"resolved-name-differs"},
    ),
    "an archive that is no registry's": (
        block("good@npm:^1.0.0", "good@npm:1.0.0::__archiveUrl=https%3A%2F%2Fevil.test%2Fx.tgz"),
        {"tarball-url"},
    ),
    "A21 checksum removed": (
        block("good@npm:^1.0.0", "good@npm:1.0.0", "1.0.0", 'dependencies:\n    other: "npm:1.0.0"', checksum=None)
        + block("other@npm:1.0.0", "other@npm:1.0.0"),
        {"missing-checksum"},
    ),
    "no checksum anywhere": (block("good@npm:^1.0.0", "good@npm:1.0.0", checksum=None), {"missing-checksum"}),
    "no checksum for another platform": (
        block(
            "good@npm:^1.0.0", "good@npm:1.0.0", "1.0.0", "conditions: os=darwin & (cpu=x64 | cpu=arm64)", checksum=None
        ),
        {"platform-unchecked"},
    ),
    "checksum that is none": (
        GOOD.replace("checksum: 10c0/", "checksum: sha512-"),
        {"malformed-integrity"},
    ),
    "A28 upper case": (
        GOOD + block("Good@npm:1", "Good@npm:1.0.0"),
        {"name-case", "name-case-collision", "unreachable-entry"},
    ),
    "L15 nothing depends on it": (GOOD + block("evil@npm:1.0.0", "evil@npm:1.0.0"), {"unreachable-entry"}),
    "L17 not in the lockfile": (
        block("good@npm:^2.0.0", "good@npm:2.0.0", "2.0.0"),
        {"lock-drift", "unreachable-entry"},
    ),
    "L17 another version": (block("good@npm:^1.0.0", "good@npm:2.0.0", "2.0.0"), {"lock-drift"}),
    "S01 git under a range": (
        block("good@npm:^1.0.0", f"good@git@h.test:o/r.git#commit={SHA1}"),
        {"git", "lock-drift"},
    ),
    "S05 tarball under a range": (
        block("good@npm:^1.0.0", "good@https://h.test/x.tgz"),
        {"tarball-url", "lock-drift"},
    ),
    "S10 prerelease": (block("good@npm:^1.0.0", "good@npm:1.0.0-rc.1", "1.0.0-rc.1"), {"prerelease", "lock-drift"}),
    "version that is none": (block("good@npm:^1.0.0", "good@npm:latest", "latest"), {"version-invalid"}),
    "a plugin's protocol": (block("good@npm:^1.0.0", "good@magic:1.0.0"), {"source-missing", "lock-drift"}),
    "a dependency that is not there": (
        block("good@npm:^1.0.0", "good@npm:1.0.0", "1.0.0", 'dependencies:\n    gone: "npm:^1"'),
        {"dependency-missing"},
    ),
    "a dependency out of range": (
        block("good@npm:^1.0.0", "good@npm:1.0.0", "1.0.0", 'dependencies:\n    other: "npm:^2"')
        + block("other@npm:^2", "other@npm:1.0.0"),
        {"range-unsatisfied"},
    ),
    "a patch of another package": (
        block("good@npm:^1.0.0", "good@npm:1.0.0")
        + block("evil@npm:1.0.0", "evil@npm:1.0.0")
        + block(
            "good@patch:good@npm%3A^1.0.0#optional!builtin<compat/good>",
            "good@patch:evil@npm%3A1.0.0#optional!builtin<compat/good>::version=1.0.0&hash=abcdef",
        ),
        {"unreachable-entry", "lock-drift"},
    ),
    "a patch of nothing": (
        block(
            "good@patch:good@npm%3A^1.0.0#optional!builtin<compat/good>",
            "good@patch:good@npm%3A1.0.0#optional!builtin<compat/good>::version=1.0.0&hash=abcdef",
        ),
        {"source-missing"},
    ),
    "a peer that nobody provides": (
        block("good@npm:^1.0.0", "good@npm:1.0.0", "1.0.0", 'peerDependencies:\n    gone: ">=1"'),
        {"peer-unmet"},
    ),
    "an optional peer that nobody provides": (
        block(
            "good@npm:^1.0.0",
            "good@npm:1.0.0",
            "1.0.0",
            'peerDependencies:\n    gone: ">=1"',
            "peerDependenciesMeta:\n    gone:\n      optional: true",
        ),
        set(),
    ),
    "exec": (
        block("good@npm:^1.0.0", "good@exec:./gen.js#./gen.js::hash=abcdef&" + LOCATOR),
        {"exec", "lock-drift"},
    ),
}


@pytest.mark.parametrize("case", ATTACKS)
def test_attacks(case: str) -> None:
    lock, expected = ATTACKS[case]
    assert codes(read(lock)) == expected


REFUSED: dict[str, tuple[str, str, str]] = {
    "L03 duplicate entry": (GOOD + GOOD, "stands twice", "line 22"),
    "a descriptor in two entries": (GOOD + block("a@npm:1, good@npm:^1.0.0", "a@npm:1.0.0"), "stands twice", "line 22"),
    "a resolution in two entries": (GOOD + block("good@npm:1", "good@npm:1.0.0"), "stands twice", "line 22"),
    "duplicate field": (GOOD.replace("  linkType", "  version: 2.0.0\n  linkType"), "stands twice", "line 20"),
    "an anchor": (GOOD.replace("version: 1.0.0", "version: &a 1.0.0"), "an anchor", "line 16"),
    "an alias": (GOOD.replace("version: 1.0.0", "version: *a"), "a YAML alias", "line 16"),
    "a tag": (GOOD.replace("version: 1.0.0", "version: !!str 1.0.0"), "a YAML tag", "line 16"),
    "a merge key": (GOOD.replace("version: 1.0.0", "<<: x"), "not a line", "line 16"),
    "a list": (GOOD + "x:\n  - a\n", "a list", "line 23"),
    "a second document": (GOOD + "---\n", "a list or document mark", "line 22"),
    "a flow mapping": (GOOD.replace("version: 1.0.0", "version: {a: b}"), "not a line", "line 16"),
    "a block scalar": (GOOD.replace("version: 1.0.0", "version: |"), "not a line", "line 16"),
    "single quotes": (GOOD.replace("version: 1.0.0", "version: '1.0.0'"), "not a line", "line 16"),
    "a comment behind a value": (GOOD.replace("version: 1.0.0", "version: 1.0.0 # 2"), "not a line", "line 16"),
    "a tab": (GOOD.replace("version: 1", "version:\t1"), "a tab", "line 16"),
    "cut in a key": (GOOD + '? "a@npm:1"\n', "ends within a key", "line 23"),
    "no resolution": (GOOD + '"a@npm:1":\n  version: 1.0.0\n', "no `resolution`", "line 22"),
    "resolution without a reference": (block("good@npm:^1.0.0", "good"), "not `name@reference`", "line 15"),
    "a key without a range": (block("good", "good@npm:1.0.0"), "not `name@range`", "line 15"),
    "virtual": (block("good@npm:^1.0.0", "good@virtual:abc#npm:1.0.0"), "a virtual package", "line 15"),
    "a long locator": (block("good@npm:^1.0.0", "good@npm:" + "1" * 5000), "4,096 characters", "line 15"),
    "checksum of the wrong type": (
        GOOD.replace("  checksum: ", "  checksum:\n    x: "),
        "a text was expected",
        "line 15",
    ),
    "dependencies of the wrong type": (
        GOOD.replace("  linkType", "  dependencies: x\n  linkType"),
        "expected a mapping",
        "line 15",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_no_single_meaning(case: str) -> None:
    lock, message, place = REFUSED[case]
    with pytest.raises(InputError, match=message) as caught:
        read(lock)
    assert (caught.value.place, caught.value.where) == (place, "yarn.lock")
    assert caught.value.hint


@pytest.mark.parametrize("version", ["4", "5", "6", "7", "8", "9", "10"])
def test_versions(version: str) -> None:
    assert read(GOOD, version=version).lockfile.version == version


@pytest.mark.parametrize("version", ["3", "11", "99999999999", "8.0", '"-8"', "x", "²"])
def test_unknown_versions(version: str) -> None:
    """L07."""
    with pytest.raises(InputError) as caught:
        read(GOOD, version=version)
    assert caught.value.place in ("__metadata.version", "line 4")


def test_without_the_project_itself() -> None:
    with pytest.raises(InputError, match="the project itself"):
        read(GOOD, root="")


def test_numbers_are_texts() -> None:
    """A range that YAML would read as a number is what yarn reads: `4.10` is not `4.1`, `y` is a name."""
    lock = block("good@npm:^1.0.0", "good@npm:1.0.0", "1.0.0", "dependencies:\n    y: 4.10")
    graph = read(lock + block("y@npm:4.10", "y@npm:4.10.2", "4.10.2"), version="6")
    assert [(edge.name, edge.target) for edge in graph.edges if edge.source] == [("y", "y@npm:4.10.2")]
    assert codes(graph) == set()


def test_a_long_key() -> None:
    """More than 1,024 characters: yarn writes `? key` and the colon on the next line."""
    keys = ", ".join(["good@npm:^1.0.0", *(f"good@npm:^1.0.{n}" for n in range(1, 90))])
    graph = read(block(keys, "good@npm:1.0.100", "1.0.100").replace(f'"{keys}":', f'? "{keys}"\n:'))
    assert [package.id for package in graph.packages] == ["", "good@npm:1.0.100"]
    assert codes(graph) == set()


def test_what_a_patch_patches_has_its_real_name() -> None:
    """The bytes are those of what is patched: a list of malicious packages is asked about that name."""
    lock, _ = ATTACKS["a patch of another package"]
    graph = read(lock)
    patched = next(package for package in graph.packages if package.kind is Kind.PATCH)
    assert (patched.name, patched.alias, patched.target) == ("evil", "good", "evil@npm:1.0.0")


def test_a_patch_is_held_by_its_content() -> None:
    declared = {"dependencies": {"good": "patch:good@npm%3A1.0.0#~/p.patch"}}
    lock = block("good@npm:1.0.0", "good@npm:1.0.0") + block(
        "good@patch:good@npm%3A1.0.0#~/p.patch", "good@patch:good@npm%3A1.0.0#~/p.patch::version=1.0.0&hash=abcdef"
    )
    one, two = (read(lock, declared, files={"p.patch": text}) for text in "ab")
    assert codes(one) == {"patch"}
    assert one.packages[2].resolved != two.packages[2].resolved
    assert "p.patch" in one.manager.files
    missing = read(lock, declared)
    assert [f.message for f in missing.findings if f.code == "patch"] == ["patched by p.patch, which is not there"]


def test_package_json_counts() -> None:
    """L18: the block of the root says something else than package.json."""
    root = ROOT + '    good: "npm:^1.0.0"\n    evil: "npm:1.0.0"\n  languageName: unknown\n\n'
    graph = read(GOOD + block("evil@npm:1.0.0", "evil@npm:1.0.0"), root=root)
    assert codes(graph) == {"root-differs", "unreachable-entry"}
    graph = read(GOOD, {"name": "other"})
    assert codes(graph) == {"root-renamed"}
    graph = read(GOOD, {"devDependencies": {"extra": "^1.0.0"}}, root=ROOT + '    good: "npm:^1.0.0"\n\n')
    assert codes(graph) == {"root-differs", "lock-drift"}


def test_workspaces() -> None:
    lock = GOOD + block("a@workspace:^, a@workspace:packages/a", "a@workspace:packages/a", "0.0.0-use.local", soft=True)
    lock += block("out@workspace:../out", "out@workspace:../out", "0.0.0-use.local", soft=True)
    declared = {"workspaces": ["packages/*"], "dependencies": {"good": "^1.0.0", "a": "workspace:^"}}
    graph = read(
        lock,
        declared,
        files={"packages/a/package.json": '{"name": "a", "version": "3.1.4"}', "packages/a/yarn.lock": ""},
    )
    assert codes(graph) == {"link-outside", "manifest-missing", "nested-lockfile"}
    packages = {package.id: package for package in graph.packages}
    assert packages["a@workspace:packages/a"].version == "3.1.4"
    assert packages["a@workspace:packages/a"].kind is Kind.WORKSPACE
    assert packages["out@workspace:../out"].version is None
    assert EdgeKind.WORKSPACE in {edge.kind for edge in graph.edges if edge.source == ""}


def test_a_link_out_of_the_repository() -> None:
    """L31."""
    lock = block(f"l@link:../out::{LOCATOR}", f"l@link:../out::{LOCATOR}", "0.0.0-use.local", soft=True)
    assert codes(read(lock, {"dependencies": {"l": "link:../out"}})) == {"link-outside"}


def test_paths_are_bound_to_who_names_them() -> None:
    """The same `link:./x` of two workspaces is two directories."""
    binding = "locator=a%40workspace%3Apackages%2Fa"
    lock = block(
        "a@workspace:packages/a",
        "a@workspace:packages/a",
        "0.0.0-use.local",
        'dependencies:\n    x: "link:./x"',
        soft=True,
    )
    for locator in (LOCATOR, binding):
        lock += block(f"x@link:./x::{locator}", f"x@link:./x::{locator}", "0.0.0-use.local", soft=True)
    graph = read(
        lock,
        {"dependencies": {"x": "link:./x"}},
        files={"packages/a/package.json": '{"name": "a", "dependencies": {"x": "link:./x"}}'},
    )
    targets = {edge.source: edge.target for edge in graph.edges if edge.name == "x"}
    assert targets == {"": f"x@link:./x::{LOCATOR}", "a@workspace:packages/a": f"x@link:./x::{binding}"}
    assert {p.resolved for p in graph.packages if p.name == "x"} == {"link:x", "link:packages/a/x"}


def test_resolutions() -> None:
    """L19: the replacement is what is judged."""
    lock = block("good@npm:2.0.0", "good@npm:2.0.0", "2.0.0")
    graph = read(lock, {"resolutions": {"good": "2.0.0"}})
    assert [(edge.target, edge.satisfied) for edge in graph.edges] == [("good@npm:2.0.0", True)]
    assert codes(graph) == {"override"}
    with pytest.raises(InputError, match="not a pattern"):
        read(lock, {"resolutions": {"a/b/c/d": "1"}})


def test_platforms() -> None:
    lock, _ = ATTACKS["no checksum for another platform"]
    package = read(lock).packages[1]
    assert (package.os, package.cpu, package.libc) == (("darwin",), ("x64", "arm64"), ())


def test_credentials_do_not_leave() -> None:
    """P40."""
    url = "https://user:s3cret@h.test/x.tgz"
    git = "https://user:s3cret@h.test/x.git"
    declared = {"dependencies": {"t": url, "g": git, "p": f"patch:t@{url.replace(':', '%3A', 1)}#~/p.patch"}}
    lock = block(f"t@{url}", f"t@{url}") + block(f"g@{git}", f"g@{git}#commit={SHA1}")
    source = f"p@patch:t@{url.replace(':', '%3A', 1)}#~/p.patch"
    lock += block(source, f"{source}::version=1.0.0&hash=abcdef")
    settings = (
        "npmAuthToken: s3cret\nnpmRegistries:\n  //h.test:\n    npmAuthToken: s3cret\nhttpProxy: http://u:s3cret@p\n"
    )
    settings += "npmScopes:\n  acme:\n    npmRegistryServer: https://u:s3cret@npm.acme.test\n    npmAuthIdent: s3cret\n"
    graph = read(lock, declared, files={".yarnrc.yml": settings})
    written = sbom.write(graph, {}, timestamp=None, tool_version="0")
    assert b"s3cret" not in written
    assert graph.manager.scopes == {"@acme": "https://npm.acme.test/"}
    assert len(graph.packages) == 4


SETTINGS: dict[str, tuple[str, set[str]]] = {
    "yarn's own registry": ("npmRegistryServer: https://registry.yarnpkg.com\n", set()),
    "npm's registry": ("npmRegistryServer: https://registry.npmjs.org\n", set()),
    "A20 registry": ("npmRegistryServer: https://evil.test\n", {"npmrc-registry"}),
    "A20 scope": ("npmScopes:\n  acme:\n    npmRegistryServer: https://evil.test\n", {"npmrc-registry"}),
    "a scope without a registry": ("npmScopes:\n  acme:\n    npmAuthToken: x\n", set()),
    "C02 yarnPath": ("yarnPath: .yarn/releases/yarn.cjs\n", {"npmrc-runs-code"}),
    "C02 plugins": ("plugins:\n  - path: p.cjs\n    spec: https://x.test\n  - q.cjs\n", {"npmrc-runs-code"}),
    "checksums ignored": ("checksumBehavior: ignore\n", {"npmrc-weakens"}),
    "strict SSL": ("enableStrictSsl: false\n", {"npmrc-weakens"}),
    "proxy": ("httpsProxy: http://p\n", {"npmrc-redirects"}),
    "packageExtensions": (
        "packageExtensions:\n  good@*:\n    dependencies:\n      evil: 1.0.0\n",
        {"override", "dependency-missing"},
    ),
    "errors that nobody sees": ("logFilters:\n  - code: YN0018\n    level: info\n", {"npmrc-weakens"}),
    "another lockfile": ("lockfileFilename: evil.lock\n", {"lockfile-elsewhere"}),
    "another lockfile, its own": ("lockfileFilename: yarn.lock\n", set()),
    "no files of variables": ("injectEnvironmentFiles: []\n", {"npmrc-runs-code"}),
    "harmless": ("nodeLinker: node-modules\nenableScripts: false\nenableTelemetry: false\n", set()),
    "empty": ("# nothing\n", set()),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_settings(case: str) -> None:
    text, expected = SETTINGS[case]
    graph = read(GOOD, files={".yarnrc.yml": text})
    assert codes(graph) == expected
    assert ".yarnrc.yml" in graph.manager.files


@pytest.mark.parametrize(
    "text",
    [
        "nodeLinker: a\nnodeLinker: b\n",
        "nodeLinker: &a x\n",
        "plugins: x\n",
        "plugins:\n  - spec: x\n",
        "npmRegistryServer:\n  - x\n",
        "catalog: x\n",
        "catalogs:\n  dev: x\n",
        "npmScopes: x\n",
        "packageExtensions: x\n",
        "- a\n",
        "a: b\n---\na: b\n",
    ],
)
def test_settings_without_one_meaning(text: str) -> None:
    with pytest.raises(InputError) as caught:
        read(GOOD, files={".yarnrc.yml": text})
    assert caught.value.where == ".yarnrc.yml"


def test_C03_variables_for_every_script() -> None:
    """yarn 4 sets those of .env.yarn, or of the files that `injectEnvironmentFiles` names: NODE_OPTIONS runs a file."""
    one, two = (read(GOOD, files={".env.yarn": f"NODE_OPTIONS=-r ./{text}.js\n"}) for text in "ab")
    assert codes(one) == {"npmrc-runs-code"}
    assert one.manager.settings != two.manager.settings
    named = {".yarnrc.yml": "injectEnvironmentFiles:\n  - ./ci/env?\n", "ci/env": "A=1"}
    assert "ci/env sha256" in read(GOOD, files=named).manager.settings
    assert "A=1" not in str(one.manager.settings)


def test_commands_that_the_lockfile_names() -> None:
    """yarn puts them on the path of scripts, whatever the package's own package.json says."""
    graph = read(GOOD.rstrip("\n") + "\n  bin:\n    node: ./x.js\n")
    assert [p.commands for p in graph.packages if p.name == "good"] == [("node",)]


def test_what_yarn_runs_is_held_by_its_content() -> None:
    """C02: another file at the same path is another setting; one outside the repository is not read."""
    one, two = (read(GOOD, files={".yarnrc.yml": "yarnPath: y.cjs\n", "y.cjs": text}) for text in "ab")
    assert one.manager.settings != two.manager.settings
    assert one.manager.settings["yarnPath"] == "y.cjs"
    assert codes(read(GOOD, files={".yarnrc.yml": "yarnPath: ../../y.cjs\n"})) == {"npmrc-runs-code"}


def test_npmrc_is_nothing_to_yarn() -> None:
    assert codes(read(GOOD, files={".npmrc": "registry=https://elsewhere.test/\n"})) == set()


def test_built_packages_are_settings() -> None:
    graph = read(GOOD, {"dependenciesMeta": {"good": {"built": True}, "x": {"optional": True}, "y": 1}})
    assert graph.manager.settings == {"dependenciesMeta.good.built": "true"}


def test_too_many_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    from sbomgate.lockfiles import _yarn_berry

    monkeypatch.setattr(_yarn_berry, "MAX_PEER_CHECKS", 0)
    with pytest.raises(InputError, match="peers to check"):
        read(ATTACKS["a peer that nobody provides"][0])


def test_a_whole_lock_without_hashes_is_one_finding() -> None:
    """The format has no integrity: that is said once, not for every package."""
    lock = "".join(block(f"p{n}@npm:1.0.0", f"p{n}@npm:1.0.0") for n in range(50))
    graph = read(lock, {"dependencies": {f"p{n}": "1.0.0" for n in range(50)}})
    assert [finding.code for finding in graph.findings] == ["no-integrity-format"]


def test_a_root_without_a_name() -> None:
    """yarn makes one up for its lockfile; it is no name of the project."""
    lock = HEAD.format("8") + ROOT.replace("shop@", "root-workspace-0b6124@") + '    l: "link:./l"\n\n'
    binding = "l@link:./l::locator=root-workspace-0b6124%40workspace%3A."
    lock += block(binding, binding, "0.0.0-use.local", soft=True)
    files = {"package.json": b'{"dependencies": {"l": "link:./l"}}', "yarn.lock": lock.encode()}
    graph = lockfiles.read(MemoryFiles(files))
    assert graph.packages[0].name == ""
    assert [edge.target for edge in graph.edges] == [binding]
    assert codes(graph) == {"link"}


@pytest.mark.parametrize("blank", ["\xa0", "\u2009", "\u3000", " \xa0"])
def test_a_blank_that_is_none_to_yaml(blank: str) -> None:
    """Ranges hold them as they were published (`^16.8 ||\\u00a017.x`); yarn copies them unquoted."""
    lock = block("good@npm:^1.0.0", "good@npm:1.0.0", "1.0.0", "dependencies:", f"  other: ^0.9 ||{blank}1.x")
    lock += block(f"other@npm:^0.9 ||{blank}1.x", "other@npm:1.2.0", "1.2.0")
    graph = read(lock)
    (edge,) = (edge for edge in graph.edges if edge.name == "other")
    assert (edge.target, edge.satisfied) == ("other@npm:1.2.0", True)
    for wrong in (f"{blank}^1.0.0", f"^1.0.0{blank}"):  # where readers might strip it, it has no single meaning
        with pytest.raises(InputError, match="not a line"):
            read(block("good@npm:^1.0.0", "good@npm:1.0.0", "1.0.0", "dependencies:", f"  other: {wrong}"))


def depending(spec: str) -> dict[str, Any]:
    return {"dependencies": {"good": spec}}


def bound(key: str, reference: str, *, soft: bool = False) -> str:
    """An entry whose path is relative to the project."""
    return block(f"good@{key}::{LOCATOR}", f"good@{reference}{LOCATOR}", soft=soft)


REPOSITORY = "https://github.com/o/r.git"
PINNED = f"{REPOSITORY}#commit={SHA1}"
EVE = "https%3A%2F%2Fnpm.jsr.io%2F~%2F11%2F%40jsr%2Feve__x%2F1.0.0.tgz"
JSR = block("good@jsr:^1.0.0", "good@jsr:1.0.0") + block("good@npm:@jsr/good@^1.0.0", "@jsr/good@npm:1.0.0")
SOURCES: dict[str, tuple[str, str, set[str]]] = {
    # what package.json asks for → the entry, and what is found
    "git": (REPOSITORY, block(f"good@{REPOSITORY}", f"good@{PINNED}"), {"git", "declared-floating"}),
    "git, a commit": (PINNED, block(f"good@{PINNED}", f"good@{PINNED}"), {"git"}),
    "git, another commit than declared": (
        f"{REPOSITORY}#commit={'b' * 40}",
        block(f"good@{REPOSITORY}#commit={'b' * 40}", f"good@{PINNED}"),
        {"git", "lock-drift"},
    ),
    "git, a tag": ("o/r#v1", block("good@o/r#v1", f"good@{PINNED}"), {"git", "declared-floating"}),
    "git, a tag in the resolution": (
        "o/r#v1", block("good@o/r#v1", f"good@{REPOSITORY}#v1"), {"git", "git-not-commit", "declared-floating"}
    ),
    "git by SSH": (
        "git@h.test:o/r.git", block("good@git@h.test:o/r.git", f"good@git@h.test:o/r.git#commit={SHA1}"),
        {"git", "declared-floating"},
    ),
    "the registry's, where git was asked for": (
        REPOSITORY, block(f"good@{REPOSITORY}", "good@npm:1.0.0"), {"lock-drift", "declared-floating"}
    ),
    "the registry's, where a repository was asked for": (
        "o/r", block("good@o/r", "good@npm:1.0.0"), {"lock-drift", "declared-floating"}
    ),
    "a tarball": (
        "https://h.test/x.tgz", block("good@https://h.test/x.tgz", "good@https://h.test/x.tgz"),
        {"tarball-url", "declared-floating"},
    ),
    "another tarball than declared": (
        "https://h.test/x.tgz", block("good@https://h.test/x.tgz", "good@https://h.test/y.tgz"),
        {"tarball-url", "declared-floating", "lock-drift"},
    ),
    "a file": ("file:./t.tgz", bound("file:./t.tgz", "file:./t.tgz#./t.tgz::hash=abc&"), {"file"}),
    "a directory": ("file:./d", bound("file:./d", "file:./d#./d::hash=abc&"), {"directory"}),
    "a directory outside": ("file:../d", bound("file:../d", "file:../d#../d::hash=abc&"), {"file"}),
    "the registry's, where a file was asked for": (
        "file:./d", block(f"good@file:./d::{LOCATOR}", "good@npm:1.0.0"), {"lock-drift"}
    ),
    "the registry's, where a link was asked for": (
        "link:./d", block(f"good@link:./d::{LOCATOR}", "good@npm:1.0.0"), {"lock-drift"}
    ),
    "the registry's, where a workspace was asked for": (
        "workspace:^", block("good@workspace:^", "good@npm:1.0.0"), {"lock-drift"}
    ),
    "a link, where the registry was asked": (
        "^1.0.0", block("good@npm:^1.0.0", f"good@link:./l::{LOCATOR}", soft=True), {"link", "lock-drift"}
    ),
    "a portal": ("portal:./l", bound("portal:./l", "portal:./l::", soft=True), {"link"}),
    "an alias": ("npm:other@^1.0.0", block("good@npm:other@^1.0.0", "other@npm:1.0.0"), set()),
    "an alias of anything": (
        "npm:other@*", block("good@npm:other@*", "other@npm:1.0.0"), {"declared-floating"}
    ),
    "an alias of another package": (
        "npm:other@^1.0.0", block("good@npm:other@^1.0.0", "evil@npm:1.0.0"), {"resolved-name-differs", "lock-drift"}
    ),
    "of JSR": ("jsr:^1.0.0", JSR, set()),
    "of JSR under another name": (
        "jsr:@l/cases@^1.0.0",
        block("good@jsr:@l/cases@^1.0.0", "@l/cases@jsr:1.0.0")
        + block("good@npm:@jsr/l__cases@^1.0.0", "@jsr/l__cases@npm:1.0.0"),
        set(),
    ),
    "of JSR, another package": (
        "jsr:@l/cases@^1.0.0",
        block("good@jsr:@l/cases@^1.0.0", "@eve/cases@jsr:1.0.0")
        + block("good@npm:@jsr/l__cases@^1.0.0", "@jsr/l__cases@npm:1.0.0"),
        {"resolved-name-differs", "lock-drift"},
    ),
    "of JSR, another version": (
        "jsr:^2.0.0", JSR.replace("^1.0.0", "^2.0.0"), {"lock-drift", "range-unsatisfied"}
    ),
    "of JSR, an archive of another package": (
        "jsr:^1.0.0",
        JSR.replace("jsr:1.0.0", f"jsr:1.0.0::__archiveUrl={EVE}"),
        {"resolved-name-differs"},
    ),
    "as yarn 2 spells it": ("npm:^1.0.0", block("good@^1.0.0", "good@npm:1.0.0"), set()),
}  # fmt: skip


@pytest.mark.parametrize("case", SOURCES)
def test_where_it_comes_from(case: str) -> None:
    spec, lock, expected = SOURCES[case]
    assert codes(read(lock, depending(spec))) == expected


def test_a_package_of_jsr() -> None:
    """yarn locks it twice: as what was asked for, and as what JSR's npm registry calls it; it asks that one unasked."""
    archive = "https%3A%2F%2Fnpm.jsr.io%2F~%2F11%2F%40jsr%2Fluca__cases%2F1.0.0.tgz"
    graph = read(
        block("@luca/cases@jsr:^1.0.0", f"@luca/cases@jsr:1.0.0::__archiveUrl={archive}")
        + block("@luca/cases@npm:@jsr/luca__cases@^1.0.0", f"@jsr/luca__cases@npm:1.0.0::__archiveUrl={archive}"),
        {"dependencies": {"@luca/cases": "jsr:^1.0.0"}},
    )
    assert codes(graph) == set()
    assert graph.manager.scopes == {"@jsr": "https://npm.jsr.io/"}
    asked, called = [package for package in graph.packages if package.id]
    if called.id.startswith("@luca"):
        asked, called = called, asked
    assert {(one.name, one.alias, one.version, one.kind) for one in (asked, called)} == {
        ("@jsr/luca__cases", "@luca/cases", "1.0.0", Kind.REGISTRY)
    }
    assert [edge.target for edge in graph.edges if edge.source == asked.id] == [called.id]
    assert read(GOOD).manager.scopes == {}


def asking(*names: str) -> str:
    return "".join(
        block(f"{name}@npm:1", f"{name}@npm:1.0.0", "1.0.0", 'dependencies:\n    good: "npm:^1.0.0"') for name in names
    )


@pytest.mark.parametrize(
    ("pattern", "replaced"),
    [
        ("good", "ab"),
        ("a/good", "a"),
        ("**/a/good", "a"),
        ("a@npm:1.0.0/good", "a"),
        ("a@npm:2.0.0/good", ""),
        ("good@npm:^1.0.0", "ab"),
        ("good@^1.0.0", "ab"),
        ("good@^2.0.0", ""),
        ("c/good", ""),
    ],
)
def test_L19_what_a_resolution_is_about(pattern: str, replaced: str) -> None:
    lock = asking("a", "b") + GOOD + block("good@npm:1.5.0", "good@npm:1.5.0", "1.5.0")
    graph = read(lock, {"dependencies": {"a": "1", "b": "1"}, "resolutions": {pattern: "1.5.0"}})
    targets = {edge.source: edge.target for edge in graph.edges if edge.source}
    assert targets == {f"{name}@npm:1.0.0": "good@npm:1.5.0" if name in replaced else "good@npm:1.0.0" for name in "ab"}


@pytest.mark.parametrize(
    ("spec", "target"),
    [
        ("catalog:", "good@npm:1.0.0"),
        ("catalog:default", "good@npm:1.0.0"),
        ("catalog:old", "good@npm:1.5.0"),
        ("catalog:none", None),
    ],
)
def test_what_a_catalog_says(spec: str, target: str | None) -> None:
    settings = "catalog:\n  good: ^1.0.0\ncatalogs:\n  old:\n    good: 1.5.0\n"
    lock = GOOD + block("good@npm:1.5.0", "good@npm:1.5.0", "1.5.0")
    graph = read(lock, depending(spec), files={".yarnrc.yml": settings})
    assert [edge.target for edge in graph.edges] == [target]
    assert ("lock-drift" in codes(graph)) is (target is None)


@pytest.mark.parametrize(
    ("range_", "declared", "expected"),
    [
        pytest.param("good@^1", "", "extra@npm:1.0.0", id="it fits"),
        pytest.param("good@*", "", "extra@npm:1.0.0", id="any fits"),
        pytest.param("good@^2", "", None, id="it does not fit"),
        pytest.param("other@*", "", None, id="another package"),
        pytest.param("good@^1", 'dependencies:\n    extra: "npm:^2"', "extra@npm:2.0.0", id="its own word counts"),
    ],
)
def test_what_packageExtensions_add(range_: str, declared: str, expected: str | None) -> None:
    settings = f"packageExtensions:\n  {range_}:\n    dependencies:\n      extra: 1.0.0\n"
    lock = block("good@npm:^1.0.0", "good@npm:1.0.0", "1.0.0", *([declared] if declared else []))
    lock += block("extra@npm:1.0.0", "extra@npm:1.0.0") + block("extra@npm:^2", "extra@npm:2.0.0", "2.0.0")
    graph = read(lock, files={".yarnrc.yml": settings})
    assert {edge.name: edge.target for edge in graph.edges}.get("extra") == expected


PEER = 'peerDependencies:\n    peer: "^1.0.0"'
NEEDY = block("good@npm:^1.0.0", "good@npm:1.0.0", "1.0.0", PEER)


@pytest.mark.parametrize(
    ("lock", "dependencies", "expected"),
    [
        pytest.param("", {"good": "^1.0.0", "peer": "1.2.0"}, set(), id="who depends on it provides it"),
        pytest.param("", {"good": "^1.0.0", "peer": "2.0.0"}, {"peer-invalid"}, id="in another version"),
        pytest.param("", {"good": "^1.0.0"}, {"peer-unmet", "unreachable-entry"}, id="nobody does"),
        pytest.param(
            block("a@npm:1", "a@npm:1.0.0", "1.0.0", 'dependencies:\n    good: "npm:^1.0.0"', PEER),
            {"a": "1", "peer": "1.2.0"},
            set(),
            id="who depends on it wants it from his own dependents",
        ),
        pytest.param(
            asking("a"), {"a": "1", "good": "^1.0.0", "peer": "1.2.0"}, {"peer-unmet"}, id="one of two dependents"
        ),
    ],
)
def test_peers(lock: str, dependencies: dict[str, str], expected: set[str]) -> None:
    version = dependencies.get("peer", "1.2.0")
    lock += block(f"peer@npm:{version}", f"peer@npm:{version}", version)
    assert codes(read(lock + NEEDY, {"dependencies": dependencies})) == expected


def test_a_peer_may_be_the_dependent_itself() -> None:
    lock = block("peer@npm:1", "peer@npm:1.2.0", "1.2.0", 'dependencies:\n    good: "npm:^1.0.0"') + NEEDY
    assert codes(read(lock, {"dependencies": {"peer": "1"}})) == set()


def own(*directories: str) -> str:
    """The entries of workspaces, each called as its directory ends."""
    locators = [f"{one.rpartition('/')[2]}@workspace:{one}" for one in directories]
    return "".join(block(one, one, "0.0.0-use.local", soft=True) for one in locators)


@pytest.mark.parametrize(
    ("workspaces", "lock", "expected"),
    [
        pytest.param(["packages/*"], own("packages/a", "packages/a/b"), set(), id="one inside another"),
        pytest.param(["packages/*"], own("packages/a"), {"lock-drift"}, id="one that stands not in the lockfile"),
        pytest.param([], own("packages/a", "packages/a/b"), {"lock-drift"}, id="one that package.json does not name"),
    ],
)
def test_the_workspaces_are_those_of_package_json(workspaces: list[str], lock: str, expected: set[str]) -> None:
    """`yarn install --immutable` refuses another set."""
    files = {
        "packages/a/package.json": '{"name": "a", "workspaces": ["*"]}',
        "packages/a/b/package.json": '{"name": "b"}',
    }
    assert codes(read(GOOD + lock, {"workspaces": workspaces}, files=files)) == expected


def test_an_archive_of_the_registry_that_is_configured() -> None:
    archive = "https%3A%2F%2Fnpm.acme.test%2Fgood%2F-%2Fgood-1.0.0.tgz"
    lock = block("good@npm:^1.0.0", f"good@npm:1.0.0::__archiveUrl={archive}")
    graph = read(lock, files={".yarnrc.yml": "npmRegistryServer: https://npm.acme.test\n"})
    assert codes(graph) == {"npmrc-registry"}
    assert [(package.kind, package.resolved) for package in graph.packages[1:]] == [
        (Kind.REGISTRY, "https://npm.acme.test/good/-/good-1.0.0.tgz")
    ]


def test_a_range_may_stand_inside_a_patch() -> None:
    """A patch of a range floats as far as that does."""
    lock = block("good@npm:^1.0.0", "good@npm:1.0.0") + block(
        "good@patch:good@npm%3A^1.0.0#~/p.patch", "good@patch:good@npm%3A1.0.0#~/p.patch::version=1.0.0&hash=abcdef"
    )
    graph = read(lock, depending("patch:good@npm%3A^1.0.0#~/p.patch"), files={"p.patch": "x"})
    assert {finding.code for finding in graph.findings} == {"no-integrity-format", "declared-range", "patch"}


def test_a_patch_outside_the_repository_is_not_read() -> None:
    lock = block("good@npm:1.0.0", "good@npm:1.0.0") + block(
        "good@patch:good@npm%3A1.0.0#../p.patch",
        f"good@patch:good@npm%3A1.0.0#../p.patch::version=1.0.0&hash=abcdef&{LOCATOR}",
    )
    graph = read(lock, depending("patch:good@npm%3A1.0.0#../p.patch"))
    assert [f.message for f in graph.findings if f.code == "patch"] == ["patched by ../p.patch, which is not there"]


def test_what_exec_runs_is_held_by_its_content() -> None:
    def made(text: str) -> DependencyGraph:
        lock = bound("exec:./g.js", "exec:./g.js#./g.js::hash=abc&")
        return read(lock, depending("exec:./g.js"), files={"g.js": text})

    one, two = made("a"), made("b")
    assert codes(one) == {"exec", "declared-floating"}
    assert one.packages[1].resolved != two.packages[1].resolved
    outside = read(bound("exec:../g.js", "exec:../g.js#../g.js::hash=abc&"), depending("exec:../g.js"))
    assert outside.packages[1].resolved == "exec:../g.js"


def test_a_condition_may_say_no() -> None:
    lock = block("good@npm:^1.0.0", "good@npm:1.0.0", "1.0.0", "conditions: os=!win32 & libc=glibc")
    package = read(lock).packages[1]
    assert (package.os, package.cpu, package.libc) == (("!win32",), (), ("glibc",))


def test_P9_too_many_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    from sbomgate.lockfiles import _yarn_berry

    monkeypatch.setattr(_yarn_berry, "MAX_ENTRIES", 1)
    with pytest.raises(InputError, match="at most 1 are read"):
        read(GOOD)


def test_L07_a_lockfile_without_its_version() -> None:
    manifest = b'{"name": "shop", "dependencies": {"good": "^1.0.0"}}'
    text = HEAD.format("8").replace("  version: 8\n", "")
    with pytest.raises(InputError) as caught:
        lockfiles.read(MemoryFiles({"package.json": manifest, "yarn.lock": (text + GOOD).encode()}))
    assert "version" in str(caught.value)


def test_a_path_inside_a_portal_is_the_portals() -> None:
    """The directory of what is bound to a package that is bound itself."""
    inner = "locator=p%40portal%3A.%2Fp%3A%3Alocator%3Dshop%2540workspace%253A."
    lock = block(
        f"p@portal:./p::{LOCATOR}",
        f"p@portal:./p::{LOCATOR}",
        "0.0.0-use.local",
        'dependencies:\n    x: "link:./x"',
        soft=True,
    ) + block(f"x@link:./x::{inner}", f"x@link:./x::{inner}", "0.0.0-use.local", soft=True)
    graph = read(lock, {"dependencies": {"p": "portal:./p"}})
    assert {package.resolved for package in graph.packages if package.id} == {"portal:p", "link:p/x"}
    assert ("x", f"x@link:./x::{inner}") in {(edge.name, edge.target) for edge in graph.edges}


def test_what_is_bound_to_another_spelling_is_found_where_there_is_no_choice() -> None:
    other = "locator=shop%40workspace%3A.%2F"
    lock = block(f"l@link:./l::{other}", f"l@link:./l::{other}", "0.0.0-use.local", soft=True)
    graph = read(lock, {"dependencies": {"l": "link:./l"}})
    assert [edge.target for edge in graph.edges] == [f"l@link:./l::{other}"]


def test_a_link_has_the_version_of_its_directory() -> None:
    files = {"l/package.json": '{"name": "l", "version": "3.0.0"}'}
    graph = read(bound("link:./l", "link:./l::", soft=True), depending("link:./l"), files=files)
    assert [(package.kind, package.version) for package in graph.packages[1:]] == [(Kind.LINK, "3.0.0")]


def test_a_workspace_without_a_name_is_not_renamed() -> None:
    lock = GOOD + block("made-up@workspace:packages/a", "made-up@workspace:packages/a", "0.0.0-use.local", soft=True)
    files = {"packages/a/package.json": '{"version": "1.0.0"}'}
    assert codes(read(lock, {"workspaces": ["packages/*"]}, files=files)) == set()


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param({}, {"peer-unmet"}, id="nobody depends on the workspace"),
        pytest.param({"a": "workspace:^"}, set(), id="the project does, and provides it"),
    ],
)
def test_a_workspaces_peer_is_for_who_depends_on_it(asked: dict[str, str], expected: set[str]) -> None:
    """That it is a workspace of the project makes the project no dependent."""
    lock = GOOD + block(
        "a@workspace:^, a@workspace:packages/a",
        "a@workspace:packages/a",
        "0.0.0-use.local",
        'peerDependencies:\n    good: "^1.0.0"',
        soft=True,
    )
    files = {"packages/a/package.json": '{"name": "a", "version": "1.0.0", "peerDependencies": {"good": "^1.0.0"}}'}
    declared = {"workspaces": ["packages/*"], "dependencies": {"good": "^1.0.0", **asked}}
    assert codes(read(lock, declared, files=files)) == expected


@pytest.mark.parametrize(("protocol", "found"), [("file", {"file"}), ("link", {"link-outside"})])
def test_an_absolute_path_is_outside_wherever_the_lockfile_lies(protocol: str, found: set[str]) -> None:
    """Below a directory of the repository, `/d` is no `d` of that directory."""
    spec = f"{protocol}:/d"
    manifest = json.dumps({"name": "shop", **depending(spec)}).encode()
    root = ROOT + f'    good: "{spec}"\n  languageName: unknown\n  linkType: soft\n\n'
    reference = f"{spec}#/d::hash=abc&" if protocol == "file" else f"{spec}::"
    text = HEAD.format("10") + root + bound(spec, reference, soft=protocol == "link")
    files = {"sub/package.json": manifest, "sub/yarn.lock": text.encode(), "sub/d/package.json": b"{}"}
    assert codes(lockfiles.read(MemoryFiles(files), "sub/yarn.lock")) == found
