"""sbomgate.npm.packument: what a registry says, reduced, whatever it sends."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from sbomgate.model import Absence, Missing, Origin, RegistrySignature, RegistryWord
from sbomgate.npm import packument

NOW = datetime(2026, 3, 1, tzinfo=UTC)
FULL: dict[str, Any] = {
    "name": "a",
    "versions": {
        "1.0.0": {
            "dist": {
                "integrity": "sha512-x",
                "tarball": "https://r.example/a.tgz",
                "signatures": [{"keyid": "k", "sig": "s"}],
                "attestations": {"url": "https://r.example/-/npm/v1/attestations/a@1.0.0"},
            },
            "scripts": {"install": "node x", "test": "t", "prepare": "p", "postinstall": 7},
            "hasInstallScript": True,
            "_npmUser": {"name": "alice", "trustedPublisher": {"id": "github"}},
            "maintainers": [{"name": "bob"}, {"name": "alice"}, "carol", 7],
            "license": "MIT",
            "deprecated": "no",
            "dependencies": {"x": "^1.0.0", "y": "1", "z": 7},
            "optionalDependencies": {"y": "2"},
            "bin": {"a": "a.js", "../node": "b.js", "gone": 7},
        },
        "0.9.0": {"dist": {}},
    },
    "time": {
        "created": "2020-01-02T00:00:00Z",
        "0.9.0": "2020-01-01T00:00:00Z",
        "1.0.0": "2021-01-01T00:00:00Z",
        "x": 7,
    },
}


def word(document: object, version: str = "1.0.0") -> RegistryWord | Missing:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    said = packument.read(data, name="a", versions=[version], registry="https://r.example/", asked_at=NOW)[version]
    return said if isinstance(said, Missing) else said.word


def test_everything_that_is_used() -> None:
    assert word(FULL) == RegistryWord(
        registry="https://r.example/",
        asked_at=NOW,
        origin=Origin.NETWORK,
        published="2021-01-01T00:00:00Z",
        first_published="2020-01-01T00:00:00Z",
        integrity="sha512-x",
        tarball="https://r.example/a.tgz",
        scripts={"install": "node x", "prepare": "p"},
        has_install_script=True,
        signatures=(RegistrySignature(keyid="k", sig="s"),),
        serves_evidence=True,
        attestations_url="https://r.example/-/npm/v1/attestations/a@1.0.0",
        publisher="alice",
        trusted_publisher="github",
        maintainers=("alice", "bob", "carol"),
        licence="MIT",
        deprecated="no",
        dependencies={"x": "^1.0.0", "y": "2"},
        bin=("a", "node"),
        versions="0.9.0 1.0.0",
    )


def test_a_bare_version_is_all_unknown_but_evidence_elsewhere_counts() -> None:
    found = word(FULL, "0.9.0")
    assert isinstance(found, RegistryWord)
    assert (found.integrity, found.publisher, found.attestations_url, found.signatures) == (None, None, None, ())
    assert found.serves_evidence


def test_a_registry_without_evidence() -> None:
    found = word({"name": "a", "versions": {"1.0.0": {}}})
    assert isinstance(found, RegistryWord)
    assert not found.serves_evidence
    assert (found.published, found.first_published) == (None, None)


@pytest.mark.parametrize("attestations", [{}, {"url": 7}, {"url": ""}, {"provenance": 1}, "yes", ["x"]])
def test_advertised_without_an_address_is_still_advertised(attestations: object) -> None:
    """P6: a half-broken advertisement never becomes "there is none"."""
    found = word({"name": "a", "versions": {"1.0.0": {"dist": {"attestations": attestations}}}})
    assert isinstance(found, RegistryWord)
    assert found.attestations_url == ""


@pytest.mark.parametrize(
    ("document", "absence"),
    [
        (b"", Absence.MALFORMED),
        (b"<html>", Absence.MALFORMED),
        (b"[]", Absence.MALFORMED),
        (b"null", Absence.MALFORMED),
        (b"\xff\xfe{\0}\0", Absence.MALFORMED),
        (b'{"name":"a","x":NaN}', Absence.MALFORMED),
        (b"[" * 200_000, Absence.MALFORMED),
        ({"name": "b", "versions": {"1.0.0": {}}}, Absence.MALFORMED),
        ({"versions": {"1.0.0": {}}}, Absence.MALFORMED),
        ({"name": "a"}, Absence.ABSENT),
        ({"name": "a", "versions": []}, Absence.ABSENT),
        ({"name": "a", "versions": {"1.0.0": None}}, Absence.ABSENT),
        ({"name": "a", "versions": {"1.0.1": {}}, "time": {"1.0.0": "2020-01-01T00:00:00Z"}}, Absence.ABSENT),
    ],
)
def test_what_is_no_answer_for_this_version(document: object, absence: Absence) -> None:
    """CASES T11: an unpublished version is absent; nonsense is malformed."""
    found = word(document)
    assert isinstance(found, Missing)
    assert found.absence is absence


def test_a_readme_cut_inside_a_surrogate_pair_is_read() -> None:
    found = word(b'{"name":"a","readme":"\\ud83d","versions":{"1.0.0":{"deprecated":"x\\ud83d"}}}')
    assert isinstance(found, RegistryWord)
    assert found.deprecated == "x?"


@pytest.mark.parametrize(
    ("latest", "version", "told"),
    [
        ("1.0.0", "1.0.1", "1.0.0"),
        ("1.9.9", "1.10.0", "1.9.9"),
        ("2.0.0-rc.1", "2.0.0", "2.0.0-rc.1"),
        ("1.0.1", "1.0.1", None),
        ("1.0.2", "1.0.1", None),
        ("1.0.0", "2.0.0-rc.1", None),
        ("newest", "1.0.1", None),
        (["1.0.0"], "1.0.1", None),
    ],
)
def test_latest_is_told_where_it_is_lower(latest: object, version: str, told: str | None) -> None:
    """CASES T16: a prerelease has a tag of its own, and what is no version is not lower."""
    document = {"name": "a", "dist-tags": {"latest": latest}, "versions": {version: {}}}
    found = word(document, version)
    assert isinstance(found, RegistryWord)
    assert found.latest == told


@pytest.mark.parametrize("value", [None, 7, "x", [], [1], {"a": 1}, True])
@pytest.mark.parametrize(
    "field", ["dist", "scripts", "_npmUser", "maintainers", "license", "deprecated", "hasInstallScript"]
)
def test_no_field_of_a_wrong_type_escapes(field: str, value: object) -> None:
    assert isinstance(word({"name": "a", "time": value, "versions": {"1.0.0": {field: value}}}), RegistryWord)
