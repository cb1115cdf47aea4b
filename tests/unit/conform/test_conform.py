"""What an SBOM has of the fields that others demand."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from sbomgate import conform, lockfiles, sbom
from sbomgate.cli import _sbom
from sbomgate.conform import Conformance, Level, _rendering
from sbomgate.errors import InputError, UsageError
from sbomgate.sbom.parties import NOBODY
from testkit import graphs, sboms


def document(name: str = "npm/sources", **more: Any) -> dict[str, Any]:
    graph = sboms.fixture(name)
    known = {"timestamp": sboms.TIME, "tool_version": "0", "parties": sboms.PARTIES}
    found: dict[str, Any] = json.loads(sbom.write(graph, sboms.facts_of(graph), **{**known, **more}))
    return found


def counts(report: Conformance) -> dict[str, tuple[int, int, int, int]]:
    return {one.field.id: (one.applicable, one.present, one.unknown, one.withheld) for one in report.answers}


def test_each_profile_is_a_file() -> None:
    folder = Path(conform.__file__).parent
    arguments = argparse.ArgumentParser()
    _sbom.add_arguments(arguments)
    assert {path.stem.replace("_", "-") for path in folder.glob("[!_]*.py")} == set(conform.PROFILES)
    choices = next(one.choices for one in arguments._actions if one.dest == "conform")
    assert tuple(choices or ()) == conform.PROFILES


@pytest.mark.parametrize("profile", conform.PROFILES)
def test_sums(profile: str) -> None:
    """Each field is asked once of the document, or of every component that it applies to; none is lost."""
    found = document()
    report = conform.judge(found, profile)
    assert report.components == len(found["components"]) + 1
    assert len({one.field.id for one in report.answers}) == len(report.answers)
    for one in report.answers:
        assert (one.field.document is None) != (one.field.component is None)
        assert one.applicable == one.present + one.unknown + one.withheld
        assert one.applicable <= (1 if one.field.document else report.components)
    assert report.never


@pytest.mark.parametrize("version", sbom.SPEC_VERSIONS)
@pytest.mark.parametrize("profile", conform.PROFILES)
def test_xml_says_what_json_says(profile: str, version: str) -> None:
    """The same SBOM in both forms has the same report, and the facts of two packages are counted in it."""
    graph = sboms.fixture("npm/sources")
    known: dict[str, Any] = {"timestamp": sboms.TIME, "tool_version": "0", "parties": sboms.PARTIES}
    facts = sboms.facts_of(graph)
    data = sbom.write(graph, facts, **known, spec_version=version, xml=True)
    found = conform.judge(lockfiles.sbom_document(data, "bom.xml"), profile)
    assert found == conform.judge(document(spec_version=version), profile)
    poorer = sbom.write(graph, {}, **(known | {"parties": None}), spec_version=version, xml=True)
    assert found != conform.judge(lockfiles.sbom_document(poorer, "bom.xml"), profile)


def test_of_what_another_tool_wrote_no_advice_of_ours_is_given() -> None:
    """Neither how sbomgate would come to know a field, nor what it never knows; a hash at the address is a hash."""
    found = document()
    found["metadata"]["properties"] = []
    reference = {"type": "distribution", "url": "https://a.example/a.tgz", "hashes": [{"alg": "SHA-1", "content": "a"}]}
    found["components"] = [
        {"type": "library", "name": "a", "externalReferences": [reference]},
        {"type": "library", "name": "b", "externalReferences": [reference | {"type": "website"}]},
    ]
    del found["metadata"]["component"]
    report = conform.judge(found, "cisa-2025-draft")
    assert counts(report)["hash"] == (2, 1, 1, 0)
    told = _rendering.text(report)
    assert "--facts" not in told
    assert "Never known" not in told
    assert json.loads(_rendering.json(report))["never"] == []
    assert "--facts" in _rendering.text(conform.judge(document(), "cisa-2025-draft"))


@pytest.mark.parametrize(
    ("inside", "field", "present"),
    [
        ("<vulnerabilities/>", "no-vulnerabilities", 0),
        ("", "no-vulnerabilities", 1),
        (
            "<metadata><manufacturer><name>A</name><contact><email>a@b.example</email></contact></manufacturer>"
            "</metadata>",
            "creator",
            1,
        ),
        ("<metadata><manufacturer><name>A</name><url> </url></manufacturer></metadata>", "creator", 0),
    ],
)
def test_xml_that_others_made(inside: str, field: str, present: int) -> None:
    """What stands in an element counts as in JSON, and nothing else does."""
    metadata, rest = (inside, "") if inside.startswith("<metadata") else ("", inside)
    component = '<components><component type="library"><name>a</name></component></components>'
    text = f'<bom xmlns="http://cyclonedx.org/schema/bom/1.6">{metadata}{component}{rest}</bom>'
    report = conform.judge(lockfiles.sbom_document(text.encode(), "bom.xml"), "bsi-tr-03183-2")
    assert counts(report)[field] == (1, present, 1 - present, 0)


def test_ntia() -> None:
    found = document()
    components = len(found["components"]) + 1
    assert counts(conform.judge(found, "ntia")) == {
        # the project, and the two packages that there are facts about
        "supplier": (components, 3, components - 3, 0),
        "name": (components, components, 0, 0),
        "version": (components, components, 0, 0),
        "identifiers": (components, components, 0, 0),
        "dependencies": (components, components, 0, 0),
        "author": (1, 1, 0, 0),
        "timestamp": (1, 1, 0, 0),
    }
    bare = counts(conform.judge(document(timestamp=None, parties=NOBODY), "ntia"))
    assert bare["author"] == bare["timestamp"] == (1, 0, 1, 0)


def test_bsi() -> None:
    found = counts(conform.judge(document(), "bsi-tr-03183-2"))
    assert found["format"] == found["no-vulnerabilities"] == found["creator"] == found["sbom-uri"] == (1, 1, 0, 0)
    assert found["distribution-licences"][1] == 0, "nothing is concluded"
    assert found["executable"][1] == 0, "nobody looked"
    assert found["component-creator"][1] == 2, "the project, and the author with an address"
    assert found["source-uri"][1] >= 1
    assert found["filename"][1] == found["archive"][1] == found["structured"][1] > 0
    assert counts(conform.judge(document(spec_version="1.5"), "bsi-tr-03183-2"))["format"] == (1, 0, 1, 0)


def test_vulnerabilities_are_found() -> None:
    found = document() | {"vulnerabilities": []}
    assert counts(conform.judge(found, "bsi-tr-03183-2"))["no-vulnerabilities"] == (1, 0, 1, 0)


def test_withheld() -> None:
    """What was left out on purpose is neither present nor unknown."""
    graph = graphs.graph(graphs.package("a", "1.0.0", resolved="https://u:p@npm.acme.example/a/-/a-1.0.0.tgz"))
    found = json.loads(sbom.write(graph, {}, timestamp=None, tool_version="0"))
    assert counts(conform.judge(found, "bsi-tr-03183-2"))["deployable-uri"] == (1, 0, 0, 1)


def test_complete() -> None:
    """A document with all of NTIA's fields, as another tool could have made it."""
    found = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.4",
        "metadata": {
            "timestamp": "2026-01-01T00:00:00Z",
            "authors": [{"name": "x"}],
            "component": {"bom-ref": "r", "name": "r", "version": "1", "purl": "p", "supplier": {"name": "x"}},
        },
        "dependencies": [{"ref": "r"}],
    }
    report = conform.judge(found, "ntia")
    assert report.complete
    assert all(one.coverage == 100.0 for one in report.answers)
    found["dependencies"] = []
    assert not conform.judge(found, "ntia").complete


def test_coverage_is_rounded_down() -> None:
    """One unknown of 5,000 is not 100 %."""
    component = {"name": "x", "version": "1"}
    found = {"bomFormat": "CycloneDX", "components": [*([component] * 4999), {"name": "y"}]}
    answer = next(one for one in conform.judge(found, "ntia").answers if one.field.id == "version")
    assert answer.coverage == 99.9


HOSTILE: dict[str, Any] = {
    "texts where objects are expected": {"metadata": "x", "components": ["x", {"name": 1, "supplier": "x"}]},
    "objects where texts are expected": {"components": [{"name": {}, "version": [], "bom-ref": {}, "purl": 1}]},
    "lists of anything": {
        "components": [{"licenses": [1, {}], "hashes": "x", "properties": [{"name": 1}], "externalReferences": [None]}],
        "dependencies": [None, {"ref": []}],
        "compositions": [{"aggregate": [], "dependencies": {}}, {"aggregate": "complete", "assemblies": [{}]}],
    },
    "blanks": {"components": [{"name": " ", "version": "", "supplier": {"name": "\t"}}]},
}


@pytest.mark.parametrize("profile", conform.PROFILES)
@pytest.mark.parametrize("name", HOSTILE)
def test_malformed_is_unknown(name: str, profile: str) -> None:
    """A document of whoever gives a report; what is malformed in it is never present."""
    report = conform.judge({"bomFormat": "CycloneDX", **HOSTILE[name]}, profile)
    required = {one.field.id: one.present for one in report.answers if one.field.level is Level.REQUIRED}
    assert not any(required[key] for key in ("name", "version", "dependencies"))
    _rendering.text(report).encode()
    json.loads(_rendering.json(report))


def test_deep_nesting() -> None:
    component: dict[str, Any] = {"name": "x"}
    for _ in range(5000):
        component = {"name": "x", "components": [component]}
    assert conform.judge({"bomFormat": "CycloneDX", "components": [component]}, "ntia").components == 5001


def test_refused() -> None:
    with pytest.raises(UsageError, match="no profile 'x'"):
        conform.judge(document(), "x")
    with pytest.raises(InputError, match="not a CycloneDX document"):
        conform.judge({}, "ntia")
    with pytest.raises(InputError, match="no component"):
        conform.judge({"bomFormat": "CycloneDX", "components": []}, "ntia")


def test_text_and_json_say_the_same() -> None:
    report = conform.judge(document(), "cisa-2025-draft")
    text, data = _rendering.text(report), json.loads(_rendering.json(report))
    assert [one["title"] in text for one in data["fields"]] == [True] * len(report.answers)
    assert data["schema"] == "sbomgate/conformance/v1"
    assert "not certification" in text
    assert all(one in text for one in report.never)
