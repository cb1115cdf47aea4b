"""CycloneDX, written and read: what the format demands, what must not be in it, what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sbomgate import lockfiles, sbom
from sbomgate.errors import InputError
from sbomgate.model import DependencyGraph, Kind
from sbomgate.project import DiskFiles
from testkit.projects import Project, entry
from testkit.schema import errors

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "npm"
NAMES = sorted(path.name for path in FIXTURES.iterdir())


def fixture(name: str) -> DependencyGraph:
    return lockfiles.read(DiskFiles(FIXTURES / name, FIXTURES / name))


def written(graph: DependencyGraph, timestamp: datetime | None = None) -> dict[str, Any]:
    data = sbom.write(graph, {}, timestamp=timestamp, tool_version="1.2.3")
    assert errors(data) == []
    document: dict[str, Any] = json.loads(data)
    return document


@pytest.mark.parametrize("name", NAMES)
def test_fixture(name: str) -> None:
    """Valid, complete, without dangling references, and read again as it was."""
    graph = fixture(name)
    document = written(graph)
    references = [component["bom-ref"] for component in [document["metadata"]["component"], *document["components"]]]
    assert len(references) == len(set(references)) == len(graph.packages)
    assert [item["ref"] for item in document["dependencies"]] == references
    assert {ref for item in document["dependencies"] for ref in item.get("dependsOn", [])} <= set(references)
    assert sbom.read(sbom.write(graph, {}, timestamp=None, tool_version="1")).graph == graph


@pytest.mark.parametrize("name", NAMES)
def test_cyclonedx_library_reads_it(name: str) -> None:
    """The reference implementation reads what we write."""
    from cyclonedx.model.bom import Bom

    graph = fixture(name)
    bom = Bom.from_json(written(graph))  # type: ignore[attr-defined]
    assert len(bom.components) == len(graph.packages) - 1


def by_path(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {component["bom-ref"]: component for component in document["components"]}


def test_purls() -> None:
    components = by_path(written(fixture("workspaces")))
    assert components["/node_modules/string-width-cjs"]["purl"] == "pkg:npm/string-width@4.2.3"
    assert components["/packages/b"]["purl"] == "pkg:npm/%40fixture/b@1.0.0"
    assert components["/packages/b"]["group"] == "@fixture"
    sources = by_path(written(fixture("sources")))
    assert sources["/node_modules/packed"]["purl"] == "pkg:npm/packed@1.0.0?download_url=file:packed-1.0.0.tgz"
    assert sources["/node_modules/from-git"]["purl"].startswith(
        "pkg:npm/from-git@1.2.3?vcs_url=git%2Bssh://git%40example.test/owner/from-git.git%23"
    )


def test_copies_are_components_of_their_own() -> None:
    components = by_path(written(fixture("workspaces")))
    assert components["/node_modules/ms"]["version"] == "2.1.3"
    assert components["/packages/a/node_modules/ms"]["version"] == "2.1.2"


def test_hashes_and_scope() -> None:
    component = by_path(written(fixture("workspaces")))["/node_modules/is-odd"]
    (digest,) = component["hashes"]
    assert (digest["alg"], len(digest["content"])) == ("SHA-512", 128)
    assert component["externalReferences"][0]["hashes"] == component["hashes"]
    assert component["scope"] == "excluded"


def test_same_input_same_bytes() -> None:
    """P38: no clock, no random id; the serial number follows the content."""
    first, second = (sbom.write(fixture("peers"), {}, timestamp=None, tool_version="1") for _ in range(2))
    assert first == second
    assert b"timestamp" not in first
    other = sbom.write(fixture("bundled"), {}, timestamp=None, tool_version="1")
    assert json.loads(other)["serialNumber"] != json.loads(first)["serialNumber"]


def test_serial_number_is_a_version_5_uuid() -> None:
    import uuid

    assert uuid.UUID(written(fixture("peers"))["serialNumber"]).version == 5
    name = "x" * 64
    assert sbom._uuid5(name) == str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def test_timestamp() -> None:
    document = written(fixture("peers"), datetime(2026, 11, 20, 1, 2, 3, tzinfo=UTC))
    assert document["metadata"]["timestamp"] == "2026-11-20T01:02:03Z"


def test_no_secret() -> None:
    """P40: user information, queries and absolute paths go; what was judged stays."""
    project = Project(good="1.0.0", git="1.0.0", local="1.0.0")
    project.files[".npmrc"] = (
        b"registry=https://u:hunter2@npm.acme.test/?token=hunter2\n//npm.acme.test/:_authToken=hunter2\n"
    )
    project.packages["node_modules/good"]["resolved"] = (
        "https://u:hunter2@evil.test/good/-/good-1.0.0.tgz?token=hunter2"
    )
    project.packages["node_modules/git"]["resolved"] = "git+https://hunter2:x@github.com/o/r.git?t=hunter2#" + "a" * 40
    project.packages["node_modules/local"]["resolved"] = "file:/home/hunter2/secret/local.tgz"
    declared = {
        "good": "https://u:hunter2@evil.test/good.tgz?token=hunter2",
        "git": "git+https://hunter2:x@github.com/o/r.git#main",
        "local": "/home/hunter2/secret/local.tgz",
        "forge": "github:hunter2:x@o/r",
    }
    project.manifest["dependencies"] = project.packages[""]["dependencies"] = declared
    project.manifest["overrides"] = {"x": "https://u:hunter2@evil.test/x.tgz"}
    graph = project.read()
    data = sbom.write(graph, {}, timestamp=None, tool_version="1")
    assert b"hunter2" not in data
    assert errors(data) == []
    again = {package.id: package for package in sbom.read(data).graph.packages}
    assert again["node_modules/git"].resolved == "git+https://github.com/o/r.git#" + "a" * 40
    assert again["node_modules/local"].resolved == "file:local.tgz"


LICENCES = {
    "MIT": "id",
    "(MIT OR Apache-2.0)": "expression",
    "GPL-2.0-only WITH Classpath-exception-2.0": "expression",
    "Classpath-exception-2.0": "name",
    "MIT OR": "name",
    "SEE LICENSE IN LICENSE.txt": "name",
    "UNLICENSED": "name",
    "mit": "name",
    "<script>": "name",
}


@pytest.mark.parametrize("text", LICENCES)
def test_licences(text: str) -> None:
    project = Project(good="1.0.0")
    project.packages["node_modules/good"]["license"] = text
    document = written(project.read())
    said = {LICENCES[text]: text, "acknowledgement": "declared"}
    assert document["components"][0]["licenses"] == [said if "expression" in said else {"license": said}]


def test_first_party_without_version_has_no_purl() -> None:
    project = Project()
    project.manifest["workspaces"] = ["app"]
    project.packages["node_modules/app"] = {"resolved": "app", "link": True}
    project.packages["app"] = {"name": "app"}
    project.files["app/package.json"] = b'{"name": "app"}'
    graph = project.read()
    assert {package.kind for package in graph.packages} == {Kind.ROOT, Kind.WORKSPACE}
    assert not any("purl" in component for component in written(graph)["components"])


def component_property(name: str, value: str) -> Callable[[dict[str, Any]], None]:
    def spoil(document: dict[str, Any]) -> None:
        document["components"][0]["properties"].append({"name": name, "value": value})

    return spoil


REFUSED: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "not CycloneDX": (lambda d: d.pop("bomFormat"), "not a CycloneDX document"),
    "another tool's": (lambda d: d["metadata"].pop("properties"), "not supported yet"),
    "another version": (lambda d: d.update(specVersion="1.4"), "expected one of 1.5, 1.6, 1.7"),
    "another format": (lambda d: d["metadata"]["properties"][0].update(value="2"), "format 2, expected 1"),
    "kind twice": (component_property("sbomgate:kind", "registry"), "expected one value"),
    "a flag that is no flag": (component_property("sbomgate:peer", "yes"), "expected true"),
    "an edge to nowhere": (
        component_property("sbomgate:edge", '{"kind":"prod","name":"x","range":"","satisfied":null,"target":"gone"}'),
        "a target among the components",
    ),
    "an edge of no kind": (
        component_property("sbomgate:edge", '{"kind":"x","name":"x","range":"","satisfied":null,"target":null}'),
        "expected kind, name",
    ),
    "an edge that is no JSON": (component_property("sbomgate:edge", "{"), "expected JSON"),
    "facts without a source": (component_property("sbomgate:scripts:state", "none"), "expected a value"),
    "a component twice": (lambda d: d["components"].append(d["components"][0]), "each install path once"),
    "an unknown kind": (lambda d: d["components"][0]["properties"][1].update(value="x"), "expected kind"),
    "no lockfile": (lambda d: d["metadata"]["properties"].pop(1), "expected a value"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    """P1: an SBOM that is not as we write it gives no graph."""
    spoil, message = REFUSED[name]
    document = written(Project(good="1.0.0").read())
    spoil(document)
    with pytest.raises(InputError, match=message) as caught:
        sbom.read(json.dumps(document).encode())
    assert caught.value.where == "SBOM"


def test_duplicate_keys_are_refused() -> None:
    data = sbom.write(Project(good="1.0.0").read(), {}, timestamp=None, tool_version="1")
    with pytest.raises(InputError, match="stands twice"):
        sbom.read(data.replace(b'"version":1,', b'"version":1,"version":1,', 1))


def test_hostile_names_stay_valid() -> None:
    """P39: markup and control characters are data, and the schema still holds."""
    project = Project(good="1.0.0")
    project.packages['node_modules/<img src=x onerror="1">'] = entry("\u202egood\n")
    written(project.read())
