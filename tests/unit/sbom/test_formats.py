"""Every version and format of CycloneDX: valid, the same bytes, read by others; what cannot be written says where."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from sbomgate import lockfiles, sbom
from sbomgate.errors import InputError, UsageError
from sbomgate.model import DependencyGraph, Kind, Package
from sbomgate.project import DiskFiles
from sbomgate.sbom.parties import NOBODY, Heading, Party
from testkit import graphs, sboms
from testkit.schema import errors, xml_errors

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "sbom"
FIXTURES = sorted(
    f"{folder.name}/{project.name}"
    for folder in sboms.FIXTURES.iterdir()
    for project in folder.iterdir()
    if folder.name != "sarif"  # the schema of another format
    if folder.name != "foreign" or project.suffix in (".json", ".xml")  # SBOMs that other tools made
)
FORMS = [(version, xml) for version in sbom.SPEC_VERSIONS for xml in (False, True)]


def write(graph: DependencyGraph, version: str = "1.6", *, xml: bool = False, **more: Any) -> bytes:
    known = {"timestamp": sboms.TIME, "tool_version": "0", "parties": sboms.PARTIES, "spec_version": version}
    return sbom.write(graph, sboms.facts_of(graph), xml=xml, **{**known, **more})


def valid(data: bytes, version: str, *, xml: bool) -> list[str]:
    return xml_errors(data, version) if xml else errors(data, version)


@pytest.mark.parametrize("name", FIXTURES)
def test_every_fixture_in_every_form(name: str) -> None:
    """P38: valid by the official schemas, no dangling reference, the same bytes twice, and read back as it was."""
    graph = sboms.fixture(name)
    plain = sbom.read(write(graph))
    for version, xml in FORMS:
        data = write(graph, version, xml=xml)
        assert valid(data, version, xml=xml) == []
        assert data == write(graph, version, xml=xml)
        if not xml:
            again = sbom.read(data)
            assert (again.graph, again.facts) == (plain.graph, plain.facts)


@pytest.mark.parametrize("name", sorted(sboms.goldens()))
def test_golden(name: str) -> None:
    """The bytes do not change by accident: `tools/make_sbom_goldens.py` writes them anew."""
    assert sboms.goldens()[name] == (GOLDEN / name).read_bytes()


@pytest.mark.shared
@pytest.mark.parametrize(
    "name",
    [
        "apollo-client",
        "apollo-client-2021-v1",
        "babel",
        "create-react-app",
        "hono",
        "payload",
        "sigstore-js",
        "vscode-eslint",
        "vue-core",
        "vue-core-2023-v6",
        "yarn-classic-yarn",
    ],
)
def test_real_locks(real_locks: Path, name: str) -> None:
    """Every real lockfile is valid in every form."""
    graph = lockfiles.read(DiskFiles(real_locks / "lockfiles" / name))
    for version, xml in FORMS:
        assert (
            valid(
                sbom.write(graph, {}, timestamp=sboms.TIME, tool_version="0", spec_version=version, xml=xml),
                version,
                xml=xml,
            )
            == []
        )


@pytest.mark.filterwarnings("ignore:.*is deprecated from CycloneDX")  # `author` of 1.5
@pytest.mark.parametrize(("version", "xml"), FORMS)
def test_the_reference_implementation_reads_it(version: str, xml: bool) -> None:
    """cyclonedx-python-lib as a consumer: the same components, hashes and edges from JSON and XML."""
    from cyclonedx.model.bom import Bom

    graph = sboms.fixture("npm/workspaces")
    data = write(graph, version, xml=xml)
    if xml:
        import io

        bom = Bom.from_xml(io.StringIO(data.decode()))  # type: ignore[attr-defined]
    else:
        bom = Bom.from_json(json.loads(data))  # type: ignore[attr-defined]
    assert {str(one.bom_ref) for one in bom.components} == {f"/{package.id}" for package in graph.packages[1:]}
    assert sum(len(one.hashes) for one in bom.components) == sum(len(package.hashes) for package in graph.packages)
    wanted = {(f"/{e.source}", f"/{e.target}") for e in graph.edges if e.target not in (None, e.source)}
    wanted |= {(f"/{p.id}", f"/{p.target}") for p in graph.packages if p.target is not None}
    assert {(str(d.ref), str(t.ref)) for d in bom.dependencies for t in d.dependencies} == wanted


def test_json_and_xml_are_one_document_and_versions_are_several() -> None:
    graph = sboms.fixture("npm/workspaces")
    serials = {}
    for version in sbom.SPEC_VERSIONS:
        serials[version] = json.loads(write(graph, version))["serialNumber"]
        assert ElementTree.fromstring(write(graph, version, xml=True)).attrib["serialNumber"] == serials[version]
    assert len(set(serials.values())) == 3


def test_citations() -> None:
    """1.7: every field of every component is cited once, and the sources are in the document."""
    graph = sboms.fixture("npm/sources")
    document = json.loads(write(graph, "1.7"))
    by_source = {item["attributedTo"].rpartition(":")[2]: set(item["pointers"]) for item in document["citations"]}
    assert set(by_source) == {"sbomgate", "user", "lockfile", "registry", "tarball", "log"}
    pointers = [pointer for item in document["citations"] for pointer in item["pointers"]]
    assert len(pointers) == len(set(pointers))
    for index, component in enumerate(document["components"]):
        for field in component.keys() - {"bom-ref", "type", "properties", "externalReferences"}:
            assert f"/components/{index}/{field}" in pointers
    assert "/metadata/component/supplier" in by_source["user"]
    attested = next(i for i, one in enumerate(document["components"]) if one.get("authors"))
    assert f"/components/{attested}/authors" in by_source["tarball"]
    assert f"/components/{attested}/hashes" in by_source["lockfile"]
    assert f"/components/{attested}/publisher" in by_source["registry"]


def test_no_citations_without_a_time() -> None:
    document = json.loads(write(sboms.fixture("npm/sources"), "1.7", timestamp=None))
    assert "citations" not in document
    said = {item["name"]: item["value"] for item in document["metadata"]["properties"]}
    assert said["sbomgate:citations"].startswith("none: no time is known")


def test_people() -> None:
    component = next(one for one in json.loads(write(sboms.fixture("npm/sources")))["components"] if "authors" in one)
    assert component["authors"] == [{"name": "Ann", "email": "ann@author.example"}]
    assert component["supplier"]["url"] == ["https://author.example/"]
    assert component["publisher"] == "jason"
    assert component["externalReferences"][-1] == {
        "type": "source-distribution",
        "url": f"https://github.com/o/r/tree/{'c' * 40}",
        "comment": f"by verified provenance: commit {'c' * 40}",
    }


def test_heading_comes_back() -> None:
    found = sbom.heading(write(sboms.fixture("npm/peers")))
    assert (found.timestamp, found.parties) == (sboms.TIME, sboms.PARTIES)
    assert sbom.heading(write(sboms.fixture("npm/peers"), timestamp=None, parties=NOBODY)) == Heading(
        timestamp=None, parties=NOBODY
    )
    with pytest.raises(InputError, match="time and authors"):
        sbom.heading(b'{"metadata": {"authors": [{}]}}')


PARTY = {
    "Acme": ("Acme", None, None),
    " Acme Ltd  <a@b.example> ": ("Acme Ltd", "a@b.example", None),
    "Acme <https://acme.example/x>": ("Acme", None, "https://acme.example/x"),
}
NO_PARTY = [
    "",
    "<a@b.example>",
    "Acme <x>",
    "Acme <javascript:x>",
    "Acme <a@b.example",
    "A <..a@b.example>",
    "A\nB",
    "A" * 2000,
]


@pytest.mark.parametrize("text", PARTY)
def test_party(text: str) -> None:
    found = Party.parse(text, where="--author")
    assert (found.name, found.email, found.url) == PARTY[text]


@pytest.mark.parametrize("text", NO_PARTY, ids=lambda text: ascii(text[:20]))
def test_no_party(text: str) -> None:
    with pytest.raises(UsageError, match="expected NAME <EMAIL> or NAME <URL>"):
        Party.parse(text, where="--author")


COMPOSITIONS = {
    "npm/bundled": {("complete", "dependencies"), ("complete", "assemblies")},
    "npm/peers": {("complete", "dependencies"), ("complete", "assemblies"), ("incomplete", "dependencies")},
    "npm/v1-tree": {("complete", "dependencies"), ("unknown", "dependencies"), ("complete", "assemblies")},
    "pnpm/single-v6": {("complete", "dependencies"), ("complete", "assemblies"), ("unknown", "assemblies")},
    # what a link leads to outside of the project is not in the lockfile
    "pnpm/tree-v9": {
        ("complete", "dependencies"),
        ("unknown", "dependencies"),
        ("complete", "assemblies"),
        ("unknown", "assemblies"),
    },
    "bun/tree-v1": {("complete", "dependencies"), ("complete", "assemblies")},
}


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_compositions(name: str) -> None:
    """What the format of a lockfile does not say is `unknown`, and every component has one answer."""
    graph = sboms.fixture(name)
    found = json.loads(write(graph))["compositions"]
    answered = [ref for one in found for ref in one.get("dependencies", ())]
    assert sorted(answered) == sorted(f"/{package.id}" for package in graph.packages)
    kinds = {(one["aggregate"], key) for one in found for key in one if key != "aggregate"}
    assert kinds == COMPOSITIONS[name]


def test_what_is_not_known_is_said() -> None:
    graph = graphs.graph(graphs.package("a", "1.0.0"))
    (component,) = json.loads(sbom.write(graph, {}, timestamp=None, tool_version="0"))["components"]
    said = {item["name"]: item["value"] for item in component["properties"]}
    assert said["sbomgate:licence"] == "unknown"
    assert said["sbomgate:integrity:missing"] == "true"


def test_what_is_withheld_is_said_and_stays_said() -> None:
    """P40: what was left out of an address is left out, and whoever writes it again says so again."""
    graph = graphs.graph(graphs.package("a", "1.0.0", resolved="https://u:p@npm.acme.example/a/-/a-1.0.0.tgz?x=1"))
    data = sbom.write(graph, {}, timestamp=None, tool_version="0")
    assert b'"sbomgate:withheld","value":"resolved"' in data
    assert sbom.write(sbom.read(data).graph, {}, timestamp=None, tool_version="0") == data


def test_derived_address() -> None:
    """pnpm leaves out the addresses that everybody expects: they are given, and said to be derived."""
    graph = graphs.graph(
        graphs.package("@s/a", "1.0.0", sha512="ab" * 64),
        graphs.package("b", "1.0.0"),
        scopes={"@s": "https://npm.acme.example/x"},
    )
    npm = json.loads(sbom.write(graph, {}, timestamp=None, tool_version="0"))
    assert not any("externalReferences" in one for one in npm["components"])
    graph = replace(graph, lockfile=replace(graph.lockfile, kind="pnpm"))
    data = sbom.write(graph, {}, timestamp=None, tool_version="0")
    scoped, plain = json.loads(data)["components"]
    assert scoped["externalReferences"][0]["url"] == "https://npm.acme.example/x/@s/a/-/a-1.0.0.tgz"
    assert scoped["externalReferences"][0]["hashes"][0]["content"] == "ab" * 64
    assert plain["externalReferences"][0]["url"] == "https://registry.npmjs.org/b/-/b-1.0.0.tgz"
    assert sbom.read(data).graph == graph


HOSTILE = {
    "markup": "</name><x a='1'>&amp;]]>",
    "cdata": "<![CDATA[ ]]>",
    "entity": "&xxe;<!DOCTYPE x [<!ENTITY xxe SYSTEM 'file:///etc/passwd'>]>",
    "quotes": "\"'",
    "line ends": "a\r\nb\tc\u0085\u2028",
    "direction": "\u202egood",
    "beyond the first plane": "\U0001f600",
    "10 MB": "x" * 10_000_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text(text: str) -> None:
    """P39: whatever stands in a name is data, in JSON and in XML."""
    graph = graphs.graph(
        Package(id=f"node_modules/{text}", name=text, version=text, kind=Kind.REGISTRY, alias=text, licence=text)
    )
    for version, xml in FORMS if len(text) < 1000 else [("1.6", False), ("1.6", True)]:
        data = sbom.write(graph, {}, timestamp=None, tool_version="0", spec_version=version, xml=xml)
        if xml and len(text) > 1000:  # libxml2 itself reads no text node beyond 10 MB
            root = ElementTree.fromstring(data)
            names = [found.text for found in root.iter("{http://cyclonedx.org/schema/bom/1.6}name")]
            assert text in names
            continue
        assert valid(data, version, xml=xml) == []
        if not xml:
            assert sbom.read(data).graph == graph


REFUSED_IN_XML = ["\x00", "\x1b[2J", "\x0b", "\ufffe", "\uffff"]


@pytest.mark.parametrize("text", REFUSED_IN_XML, ids=ascii)
def test_what_xml_cannot_hold(text: str) -> None:
    """A control character is no part of XML 1.0: refused with its place, not changed; JSON holds it."""
    graph = graphs.graph(graphs.package("a", "1.0.0", deprecated=f"x{text}"))
    assert errors(sbom.write(graph, {}, timestamp=None, tool_version="0")) == []
    with pytest.raises(InputError, match=r"U\+\w{4} .* cannot stand in XML 1.0") as caught:
        sbom.write(graph, {}, timestamp=None, tool_version="0", xml=True)
    assert caught.value.place == "component '/node_modules/a'"


@pytest.mark.parametrize(("version", "xml"), FORMS)
def test_half_of_a_surrogate_pair(version: str, xml: bool) -> None:
    """No text: refused with its place, in every form."""
    graph = graphs.graph(graphs.package("a", "1.0.0", deprecated="x\ud800"))
    with pytest.raises(InputError, match=r"U\+D800, half of a surrogate pair") as caught:
        sbom.write(graph, {}, timestamp=None, tool_version="0", spec_version=version, xml=xml)
    assert "'/node_modules/a'" in caught.value.place


def test_no_vulnerability_data() -> None:
    """BSI TR-03183-2, 3.1: an SBOM holds none."""
    for version in sbom.SPEC_VERSIONS:
        assert "vulnerabilities" not in json.loads(write(sboms.fixture("npm/sources"), version))
