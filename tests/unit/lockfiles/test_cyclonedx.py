"""SBOMs that others made: what is read, what is only claimed, what is refused (docs/foreign-sbom.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from sbomgate import diff, lockfiles, sbom
from sbomgate.errors import InputError
from sbomgate.lockfiles import cyclonedx
from sbomgate.model import DependencyGraph, EdgeKind, Kind, Package
from sbomgate.project import DiskFiles, MemoryFiles
from testkit.schema import errors

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "foreign"
NAMES = sorted(path.name for path in FIXTURES.iterdir() if path.is_file())
SHA512 = "ab" * 64
URL = "https://registry.npmjs.org/left-pad/-/left-pad-1.3.0.tgz"


def read(data: bytes | str, name: str = "bom.json") -> DependencyGraph:
    return lockfiles.read(MemoryFiles({name: data.encode() if isinstance(data, str) else data}), name)


def fixture(name: str) -> DependencyGraph:
    return lockfiles.read(DiskFiles(FIXTURES, FIXTURES), name)


def codes(graph: DependencyGraph) -> set[str]:
    return {finding.code for finding in graph.findings}


def component(**fields: Any) -> dict[str, Any]:
    made = {
        "type": "library",
        "bom-ref": "left-pad",
        "name": "left-pad",
        "version": "1.3.0",
        "purl": "pkg:npm/left-pad@1.3.0",
        "hashes": [{"alg": "SHA-512", "content": SHA512}],
        "externalReferences": [{"type": "distribution", "url": URL}],
    }
    made |= {key.replace("_", "-"): value for key, value in fields.items()}
    return {key: value for key, value in made.items() if value is not None}


def bom(*components: Any, **fields: Any) -> str:
    document: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": {"component": {"type": "application", "bom-ref": "root", "name": "shop", "version": "1.0.0"}},
        "components": list(components),
        "dependencies": [
            {"ref": "root", "dependsOn": [one["bom-ref"] for one in components if "bom-ref" in one]},
            *({"ref": one["bom-ref"]} for one in components if "bom-ref" in one),
        ],
    }
    document |= fields
    return json.dumps({key: value for key, value in document.items() if value is not None})


def only(graph: DependencyGraph) -> Package:
    (package,) = graph.packages[1:]
    return package


# --------------------------------------------------------------------------------------------------------------------
# Real tools

EXACT = {name for name in NAMES if name.startswith(("npm-", "cyclonedx-npm-", "cdxgen-npm-"))}


@pytest.mark.parametrize("name", sorted(EXACT))
def test_what_npms_tools_state_is_the_lockfile(name: str) -> None:
    """Aliases, JSONStream's case, copies and edges come out as our own reader has them from the lockfile itself."""
    lock = lockfiles.read(DiskFiles(FIXTURES / "project", FIXTURES / "project"))
    difference = diff.diff(lock, fixture(name))
    assert not difference.new
    assert not difference.removed
    assert not difference.updated
    assert not difference.other_bytes
    assert not difference.edges_added
    assert not difference.edges_removed


@pytest.mark.filterwarnings("ignore:.*is deprecated from CycloneDX")
@pytest.mark.parametrize("name", NAMES)
def test_the_library_reads_the_same(name: str) -> None:
    """The oracle: names, versions and edges of cyclonedx-python-lib, but for purls, which it writes in lower case."""
    from cyclonedx.model.bom import Bom

    data = (FIXTURES / name).read_bytes()
    library: Any = Bom
    parsed = (
        library.from_xml(ElementTree.fromstring(data)) if name.endswith(".xml") else library.from_json(json.loads(data))
    )
    theirs: set[tuple[str, str]] = set()
    todo = [*parsed.components, *parsed.metadata.component.components]
    refs = {parsed.metadata.component.bom_ref.value: ""}
    while todo:
        one = todo.pop()
        todo += one.components
        if one.purl is not None and one.purl.type == "npm":
            full = f"{one.purl.namespace}/{one.purl.name}" if one.purl.namespace else one.purl.name
            theirs.add((full.lower(), one.purl.version or one.version))
            refs[one.bom_ref.value] = one.bom_ref.value
    graph = fixture(name)
    assert {(package.name.lower(), package.version) for package in graph.packages[1:]} == theirs
    edges = {
        (refs[entry.ref.value], refs[to.ref.value])
        for entry in parsed.dependencies
        for to in entry.dependencies
        if entry.ref.value in refs and to.ref.value in refs
    }
    assert {(edge.source, edge.target) for edge in graph.edges} == edges


@pytest.mark.parametrize("name", NAMES)
def test_normalised(name: str) -> None:
    """P38: valid, sorted, without a dangling reference, the same bytes, and the same packages when it is read again."""
    graph = fixture(name)
    data = sbom.write(graph, {}, timestamp=None, tool_version="1")
    assert errors(data) == []
    assert data == sbom.write(fixture(name), {}, timestamp=None, tool_version="1")
    assert sbom.read(data).graph == graph
    again = read(data)
    assert diff.diff(graph, again).empty
    assert [package.id for package in again.packages] == [package.id for package in graph.packages]


@pytest.mark.parametrize("name", NAMES)
def test_capitals_survive(name: str) -> None:
    """JSONStream and jsonstream are two packages, whatever cyclonedx-npm writes into the purl."""
    names = {package.name for package in fixture(name).packages}
    assert "JSONStream" in names
    assert "jsonstream" not in names


@pytest.mark.parametrize("name", NAMES)
def test_each_rule_of_the_lockfile_is_told_that_there_was_none(name: str) -> None:
    graph = fixture(name)
    said = {(finding.rule, finding.code) for finding in graph.findings if finding.package is None}
    assert said >= {
        ("lockfile_sound", "lockfile-unseen"),
        ("pinned", "ranges-unseen"),
        ("manager_code", "manager-unseen"),
        ("registries", "registries-unseen"),
    }
    assert graph.manager.name == "unknown"
    assert graph.manager.registry == "https://registry.npmjs.org/"
    assert graph.lockfile.kind == "cyclonedx"


def test_what_cdxgen_loses_is_said() -> None:
    """It drops the edges to aliases, dev and optional dependencies of pnpm's lockfile."""
    graph = fixture("cdxgen-pnpm-1.6.json")
    assert "packages-unreached" in codes(graph)
    assert [package.name for package in graph.packages if not package.reachable]


def test_what_syft_lists_besides_is_counted_and_named() -> None:
    graph = fixture("syft-1.6.json")
    said = {finding.code: finding.message for finding in graph.findings}
    assert said["not-judged"] == "nobody judged 1 components that are no npm packages (pkg:pypi): requests@2.31.0"
    assert "files-not-judged" in said
    assert "edges-unknown" in said
    assert all(package.integrity is None for package in graph.packages)


# --------------------------------------------------------------------------------------------------------------------
# What a component is

HASHLESS: dict[str, Any] = {"hashes": None}
WITHOUT_ADDRESS: dict[str, Any] = {"externalReferences": None}
CASES: dict[str, tuple[dict[str, Any], str, str | None, Kind, set[str]]] = {
    "plain": ({}, "left-pad", "1.3.0", Kind.REGISTRY, set()),
    "scope in the group": (
        {"group": "@a", "name": "b", "purl": "pkg:npm/%40a/b@1.3.0", **WITHOUT_ADDRESS},
        "@a/b",
        "1.3.0",
        Kind.REGISTRY,
        set(),
    ),
    "scope not encoded": (
        {"name": "@a/b", "purl": "pkg:npm/@a/b@1.3.0", **WITHOUT_ADDRESS},
        "@a/b",
        "1.3.0",
        Kind.REGISTRY,
        set(),
    ),
    "no hash": (HASHLESS, "left-pad", "1.3.0", Kind.REGISTRY, {"bytes-unknown"}),
    "md5 only": (
        {"hashes": [{"alg": "MD5", "content": "ab" * 16}]},
        "left-pad",
        "1.3.0",
        Kind.REGISTRY,
        {"bytes-unknown"},
    ),
    "sha1 only": (
        {"hashes": [{"alg": "SHA-1", "content": "ab" * 20}]},
        "left-pad",
        "1.3.0",
        Kind.REGISTRY,
        {"weak-integrity"},
    ),
    "two sha512": (
        {"hashes": [{"alg": "SHA-512", "content": SHA512}, {"alg": "SHA-512", "content": "cd" * 64}]},
        "left-pad",
        "1.3.0",
        Kind.REGISTRY,
        {"several-hashes"},
    ),
    "a hash of the address differs": (
        {
            "externalReferences": [
                {"type": "distribution", "url": URL, "hashes": [{"alg": "SHA-512", "content": "cd" * 64}]}
            ]
        },
        "left-pad",
        "1.3.0",
        Kind.REGISTRY,
        {"several-hashes"},
    ),
    "other version in the purl": (
        {"purl": "pkg:npm/left-pad@1.4.0", **WITHOUT_ADDRESS},
        "left-pad",
        "1.4.0",
        Kind.REGISTRY,
        {"purl-version-differs"},
    ),
    "no version": (
        {"version": None, "purl": "pkg:npm/left-pad", **WITHOUT_ADDRESS},
        "left-pad",
        None,
        Kind.REGISTRY,
        {"version-invalid"},
    ),
    "other name, nothing says which": (
        {"name": "evil", **WITHOUT_ADDRESS},
        "left-pad",
        "1.3.0",
        Kind.REGISTRY,
        {"purl-differs"},
    ),
    "an alias: the address is the purl's": ({"name": "pad"}, "left-pad", "1.3.0", Kind.REGISTRY, {"name-is-alias"}),
    "case, the address decides": (
        {
            "name": "JSONStream",
            "version": "1.3.5",
            "purl": "pkg:npm/jsonstream@1.3.5",
            "externalReferences": [
                {"type": "distribution", "url": "https://registry.npmjs.org/JSONStream/-/JSONStream-1.3.5.tgz"}
            ],
        },
        "JSONStream",
        "1.3.5",
        Kind.REGISTRY,
        {"purl-case", "name-case"},
    ),
    "case, nothing decides": (
        {"name": "JSONStream", "version": "1.3.5", "purl": "pkg:npm/jsonstream@1.3.5", **WITHOUT_ADDRESS},
        "JSONStream",
        "1.3.5",
        Kind.REGISTRY,
        {"purl-differs", "name-case"},
    ),
    "another package's address": (
        {"externalReferences": [{"type": "distribution", "url": "https://registry.npmjs.org/evil/-/evil-1.3.0.tgz"}]},
        "left-pad",
        "1.3.0",
        Kind.REGISTRY,
        {"resolved-name-differs"},
    ),
    "two addresses": (
        {
            "externalReferences": [
                {"type": "distribution", "url": URL},
                {"type": "distribution", "url": "https://e.test/x.tgz"},
            ]
        },
        "left-pad",
        "1.3.0",
        Kind.REGISTRY,
        {"several-addresses"},
    ),
    "from git": (
        {
            "purl": f"pkg:npm/left-pad@1.3.0?vcs_url=git%2Bhttps://git.test/a/b%40{'a' * 40}",
            **WITHOUT_ADDRESS,
            **HASHLESS,
        },
        "left-pad",
        "1.3.0",
        Kind.GIT,
        {"git"},
    ),
    "from a branch": (
        {"purl": "pkg:npm/left-pad@1.3.0?vcs_url=git%2Bhttps://git.test/a/b", **WITHOUT_ADDRESS, **HASHLESS},
        "left-pad",
        "1.3.0",
        Kind.GIT,
        {"git", "git-not-commit"},
    ),
    "from a URL": (
        {"purl": "pkg:npm/left-pad@1.3.0?download_url=https://e.test/x.tgz", **WITHOUT_ADDRESS},
        "left-pad",
        "1.3.0",
        Kind.TARBALL,
        {"tarball-url"},
    ),
    "from another registry": (
        {"purl": "pkg:npm/left-pad@1.3.0?repository_url=npm.corp.test", **WITHOUT_ADDRESS},
        "left-pad",
        "1.3.0",
        Kind.REGISTRY,
        {"resolved-foreign-host"},
    ),
    "modified": ({"modified": True}, "left-pad", "1.3.0", Kind.REGISTRY, {"patch"}),
    "no name that npm allows": (
        {"name": "../evil", "purl": "pkg:npm/..%2Fevil@1.3.0", **WITHOUT_ADDRESS},
        "../evil",
        "1.3.0",
        Kind.REGISTRY,
        {"name-invalid"},
    ),
}
UNSEEN = {"lockfile-unseen", "ranges-unseen", "manager-unseen", "registries-unseen"}


@pytest.mark.parametrize("case", CASES)
def test_a_component(case: str) -> None:
    fields, name, version, kind, found = CASES[case]
    graph = read(bom(component(**fields)))
    package = only(graph)
    assert (package.name, package.version, package.kind) == (name, version, kind)
    assert codes(graph) - UNSEEN == found


def test_the_alias_is_kept() -> None:
    assert only(read(bom(component(name="pad")))).alias == "pad"


def test_the_strongest_hash_is_the_lockfiles_integrity() -> None:
    """So that facts, approvals and the baseline, which are bound to the integrity, are found."""
    hashes = [{"alg": "SHA-1", "content": "ab" * 20}, {"alg": "SHA-512", "content": SHA512.upper()}]
    package = only(read(bom(component(hashes=hashes))))
    assert package.sha512 == SHA512
    assert package.integrity is not None
    assert package.integrity.startswith("sha512-")
    assert " " not in package.integrity


@pytest.mark.parametrize(
    ("fields", "code", "said"),
    [
        ({"purl": "pkg:pypi/requests@2.31.0", "name": "requests"}, "not-judged", "pkg:pypi): requests@1.3.0"),
        ({"purl": None}, "not-judged", "library without a purl): left-pad@1.3.0"),
        ({"purl": None, "type": "container"}, "not-judged", "container without a purl"),
        ({"purl": "left-pad"}, "not-judged", "unreadable purl): left-pad"),
        (
            {"purl": None, "type": "file", "name": "/home/alice/a.js", "version": None},
            "files-not-judged",
            ": file:a.js",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_npm_package_is_named(fields: dict[str, Any], code: str, said: str) -> None:
    """P4: nothing drops out silently."""
    graph = read(bom(component(**fields)))
    assert len(graph.packages) == 1
    (finding,) = (finding for finding in graph.findings if finding.code == code)
    assert said in finding.message
    assert finding.package is None


def test_other_components_are_another_finding() -> None:
    """P28: whoever accepts one list of components that nobody judged has not accepted another."""
    places = set()
    for name in ("a", "b"):
        graph = read(bom(component(purl=None, name=name)))
        places |= {finding.place for finding in graph.findings if finding.code == "not-judged"}
    assert len(places) == 2


# --------------------------------------------------------------------------------------------------------------------
# Claims

FORGED = [
    {"name": "sbomgate:kind", "value": "workspace"},
    {"name": "sbomgate:format", "value": "1"},
    {"name": "sbomgate:attestation:provenance:state", "value": "verified"},
    {"name": "sbomgate:scripts:state", "value": "none"},
    {"name": "sbomgate:install_script", "value": "false"},
    {"name": "sbomgate:resolved", "value": "https://registry.npmjs.org/good/-/good-1.0.0.tgz"},
    {"name": "sbomgate:integrity", "value": "sha512-good"},
    {"name": "cdx:npm:package:development", "value": "true"},
    {"name": "cdx:npm:package:path", "value": "node_modules/good"},
    {"name": "provenance", "value": "verified"},
]


def test_no_property_is_believed() -> None:
    """P14, C05: with properties of any name the graph is the one without them."""
    plain = read(bom(component()))
    forged = json.loads(bom(component(properties=FORGED, scope="excluded")))
    forged["metadata"]["properties"] = [
        *FORGED,
        {"name": "sbomgate:manager:registry", "value": "https://evil.test/"},
        {"name": "sbomgate:lockfile:kind", "value": "npm"},
    ]
    graph = read(json.dumps(forged))
    assert graph.packages == plain.packages
    assert graph.edges == plain.edges
    assert graph.findings == plain.findings
    assert graph.manager == plain.manager


def test_our_own_file_is_only_claimed_too() -> None:
    """P14: read back from a file its facts are gone, and so are the kinds that only properties hold."""
    lock = lockfiles.read(DiskFiles(FIXTURES / "project", FIXTURES / "project"))
    graph = read(sbom.write(lock, {}, timestamp=None, tool_version="1"))
    assert "lockfile-unseen" in codes(graph)
    assert {package.kind for package in graph.packages} == {Kind.ROOT, Kind.REGISTRY}
    assert {package.has_install_script for package in graph.packages} == {None}
    assert {edge.kind for edge in graph.edges} == {EdgeKind.UNKNOWN}


# --------------------------------------------------------------------------------------------------------------------
# Edges


def test_no_dependencies_means_unknown() -> None:
    graph = read(bom(component(), dependencies=None))
    assert "edges-unknown" in codes(graph)
    assert "packages-unreached" not in codes(graph)
    assert only(graph).reachable


@pytest.mark.parametrize(
    ("dependencies", "package", "place"),
    [
        ([{"ref": "root", "dependsOn": ["left-pad", "gone"]}, {"ref": "left-pad"}], "", "dependencies[0].dependsOn[1]"),
        (
            [{"ref": "root", "dependsOn": ["left-pad"]}, {"ref": "left-pad"}, {"ref": "gone"}],
            None,
            "dependencies[2].ref",
        ),
    ],
)
def test_a_dangling_reference_is_found(dependencies: Any, package: str | None, place: str) -> None:
    """npm/cli#6967: another tool's SBOM may lead to components that it does not list."""
    graph = read(bom(component(), dependencies=dependencies))
    (finding,) = (finding for finding in graph.findings if finding.code == "reference-dangling")
    assert (finding.package, finding.place) == (package, place)


def test_a_way_through_what_is_no_package_counts() -> None:
    file = component(**{"bom_ref": "lock", "purl": None, "type": "file", "name": "package-lock.json"})
    dependencies = [
        {"ref": "root", "dependsOn": ["lock"]},
        {"ref": "lock", "dependsOn": ["left-pad"]},
        {"ref": "left-pad"},
    ]
    graph = read(bom(component(), file, dependencies=dependencies))
    assert "packages-unreached" not in codes(graph)


def test_nested_components_count() -> None:
    inner = component(bom_ref="inner", name="inner", purl="pkg:npm/inner@1.3.0", externalReferences=None)
    graph = read(bom(component(components=[inner])))
    assert [package.name for package in graph.packages[1:]] == ["inner", "left-pad"]


def test_the_order_of_the_document_does_not_matter() -> None:
    """P38."""
    other = component(
        bom_ref="other", name="other", purl="pkg:npm/other@1.0.0", version="1.0.0", externalReferences=None
    )
    one, two = read(bom(component(), other)), read(bom(other, component()))
    assert (one.packages, one.edges) == (two.packages, two.edges)


def test_an_incomplete_sbom_says_so() -> None:
    graph = read(
        bom(component(), compositions=[{"aggregate": "complete"}, {"aggregate": "incomplete_first_party_only"}])
    )
    (finding,) = (finding for finding in graph.findings if finding.code == "sbom-incomplete")
    assert finding.place == "compositions[1].aggregate"


# --------------------------------------------------------------------------------------------------------------------
# Refused


def xml(body: str = "", head: str = '<?xml version="1.0" encoding="UTF-8"?>', version: str = "1.5") -> str:
    return f'{head}<bom xmlns="http://cyclonedx.org/schema/bom/{version}">{body}</bom>'


ONE = '<components><component type="library" bom-ref="a"><name>a</name>{}</component></components>'
BOMB = '<!DOCTYPE bom [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE bom [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
REFUSED: dict[str, tuple[str | bytes, str]] = {
    "empty": (b"", "empty"),
    "truncated": (bom(component())[:-20], "not JSON"),
    "utf-16": (bom().encode("utf-16"), "UTF-16"),
    "utf-16 without a mark": (bom().encode("utf-16-le"), "UTF-16"),
    "not UTF-8": (b'{"bomFormat": "\xff"}', "not UTF-8"),
    "duplicate key": ('{"bomFormat":"CycloneDX","specVersion":"1.6","specVersion":"1.5"}', "stands twice"),
    "an array": ("[]", "expected an object"),
    "SPDX": ('{"spdxVersion":"SPDX-2.3"}', "not a CycloneDX document"),
    "package.json": ('{"name":"a"}', "not a CycloneDX document"),
    "version 1.3": (bom(specVersion="1.3"), "'1.3', expected one of 1.4"),
    "version as a number": (bom(specVersion=1.5), "a number, expected one of"),
    "no version": (bom(specVersion=None), "null, expected one of"),
    "components an object": (bom(components={}), "components: an object, expected an array"),
    "component null": (bom(components=[None]), "components[0]: null"),
    "component a text": (bom(components=["a"]), "components[0]: a string"),
    "no name": (bom(component(name=None)), "components[0].name: missing"),
    "name a number": (bom(component(name=1)), "components[0].name: a number"),
    "purl a number": (bom(component(purl=1)), "components[0].purl: a number"),
    "duplicate bom-ref": (bom(component(), component()), "components[1][\"bom-ref\"]: 'left-pad' stands twice"),
    "bom-ref of the root": (bom(component(bom_ref="root")), "stands twice"),
    "nested duplicate": (bom(component(components=[component()])), "stands twice"),
    "empty bom-ref": (bom(component(bom_ref="")), "empty bom-ref"),
    "hash too short": (bom(component(hashes=[{"alg": "SHA-512", "content": "ab"}])), "components[0].hashes[0].content"),
    "hash not hexadecimal": (bom(component(hashes=[{"alg": "SHA-512", "content": "x" * 128}])), "no hash of sha512"),
    "hashes an object": (bom(component(hashes={})), "components[0].hashes: an object"),
    "reference a text": (bom(component(externalReferences=["x"])), "components[0].externalReferences[0]: a string"),
    "dependency without ref": (bom(dependencies=[{}]), "dependencies[0].ref: missing"),
    "dependsOn a number": (
        bom(dependencies=[{"ref": "root", "dependsOn": [1]}]),
        "dependencies[0].dependsOn[0]: a number",
    ),
    "deep": ('{"a":' * 300 + "1" + "}" * 300, "deep"),
    "XML truncated": (xml(ONE.format(""))[:-10], "not XML"),
    "XML bomb": (xml("<components>&b;</components>", BOMB), "a document type"),
    "XML entity from a file": (xml("<components>&a;</components>", OUTSIDE), "a document type"),
    "XML document type": (xml("", "<!DOCTYPE bom>"), "a document type"),
    "XML entity nobody declared": (xml(ONE.format("<version>&a;</version>")), "undefined entity"),
    "XML in UTF-16": (xml().encode("utf-16"), "UTF-16"),
    "XML in UTF-16 without a mark": (xml().encode("utf-16-le"), "UTF-16"),
    "XML says latin-1": (xml("", '<?xml version="1.0" encoding="ISO-8859-1"?>'), "encoding 'ISO-8859-1'"),
    "XML not UTF-8": (xml("x").encode().replace(b"x</bom", b"\xff</bom"), "not XML"),
    "XML of another kind": ("<html/>", "not a CycloneDX document"),
    "XML of no namespace": ("<bom/>", "not a CycloneDX document"),
    "XML version 1.3": (xml(version="1.3"), "'1.3', expected one of"),
    "XML two names": (xml(ONE.format("<name>b</name>")), "<name> stands twice"),
    "XML two purls": (xml(ONE.format("<purl>pkg:npm/a@1</purl><purl>pkg:npm/b@1</purl>")), "<purl> stands twice"),
    "XML two lists": (xml("<components/><components/>"), "<components> stands twice"),
    "XML two attributes": (xml('<components><component bom-ref="a" bom-ref="b"/></components>'), "duplicate attribute"),
    "XML deep": (xml("<components>" * 300 + "</components>" * 300), "nested deeper"),
    "XML deep where nothing is read": (xml("<x>" * 300 + "</x>" * 300), "nested deeper"),
    "XML duplicate bom-ref": (
        xml(
            '<components><component bom-ref="a"><name>a</name></component>'
            '<component bom-ref="a"><name>b</name></component></components>'
        ),
        "stands twice",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    """P1: what has no single meaning is no input."""
    data, said = REFUSED[case]
    with pytest.raises(InputError) as caught:
        read(data)
    assert said in str(caught.value)
    assert caught.value.where == "bom.json"


def test_too_many_components(monkeypatch: pytest.MonkeyPatch) -> None:
    """P9."""
    monkeypatch.setattr(cyclonedx, "MAX_ENTRIES", 1)
    with pytest.raises(InputError, match="more than 1 components"):
        read(bom(component(), component(bom_ref="b")))


def test_too_many_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    """P9."""
    monkeypatch.setattr(cyclonedx, "MAX_EDGES", 1)
    with pytest.raises(InputError, match="more than 1 references"):
        read(bom(component(), component(bom_ref="b")))


def test_too_many_elements(monkeypatch: pytest.MonkeyPatch) -> None:
    """P9."""
    from sbomgate.lockfiles import _cyclonedx_xml

    monkeypatch.setattr(_cyclonedx_xml, "MAX_ELEMENTS", 3)
    with pytest.raises(InputError, match="more than 3 elements"):
        read(xml(ONE.format("<version>1</version>")), "bom.xml")


def test_a_reference_that_is_null_says_nothing() -> None:
    found = read(bom(component(externalReferences=[None])))
    assert found.packages == read(bom(component(externalReferences=[]))).packages


@pytest.mark.parametrize("name", ["bom.json", "bom.xml", "shop.cdx"])
def test_by_its_suffix(name: str) -> None:
    assert only(read(bom(component()), name)).name == "left-pad"


def test_an_sbom_is_never_looked_for() -> None:
    with pytest.raises(InputError, match="no lockfile here"):
        lockfiles.read(MemoryFiles({"bom.json": bom(component()).encode()}))


def test_xml_says_what_json_says() -> None:
    body = """<metadata><tools><tool><vendor>v</vendor><name>t</name><version>1</version></tool></tools>
      <component type="application" bom-ref="root"><name>shop</name><version>1.0.0</version></component></metadata>
    <components><component type="library" bom-ref="left-pad"><name>left-pad</name><version>1.3.0</version>
      <hashes><hash alg="SHA-512">SHA</hash></hashes><licenses><license><id>MIT</id></license></licenses>
      <purl> pkg:npm/left-pad@1.3.0
      </purl><externalReferences><reference type="distribution"><url>URL</url></reference></externalReferences>
      <x:own xmlns:x="urn:x"><name>evil</name></x:own></component></components>
    <dependencies><dependency ref="root"><dependency ref="left-pad"/></dependency><dependency ref="left-pad"/>
    </dependencies>"""
    theirs = read(xml(body.replace("SHA<", SHA512 + "<").replace("URL", URL)), "bom.xml")
    ours = read(bom(component(licenses=[{"license": {"id": "MIT"}}])))
    assert (theirs.packages, theirs.edges) == (ours.packages, ours.edges)
