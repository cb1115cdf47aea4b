"""sbomgate.provenance.build: the statement about a build's own artefact, each step alone (P7, P12, P13)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from sbomgate.model import Claims
from sbomgate.provenance import build
from sbomgate.provenance._outcome import CannotVerify, Invalid
from testkit.sigstore import GITHUB

SHA256 = "1f" * 32
REPOSITORY = "https://github.com/acme/shop"
BUILDER = "https://github.com/actions/runner/github-hosted"
CLAIMS = Claims(
    issuer=GITHUB,
    identity=f"{REPOSITORY}/.github/workflows/release.yml@refs/heads/main",
    repository=REPOSITORY,
    ref="refs/heads/main",
    commit="ab" * 20,
)
V1 = "https://slsa.dev/provenance/v1"
V02 = "https://slsa.dev/provenance/v0.2"
SOURCE = {"uri": f"git+{REPOSITORY}@refs/heads/main"}
OTHER = {"gitCommit": "c" * 40}
Edit = Callable[[dict[str, Any]], object]


def told(edit: Edit = lambda _: None, kind: str = V1) -> bytes:
    predicate: dict[str, Any] = {
        "buildDefinition": {"resolvedDependencies": [{**SOURCE, "digest": {"gitCommit": "ab" * 20}}]},
        "runDetails": {"builder": {"id": BUILDER}},
    }
    if kind == V02:
        source = {**SOURCE, "digest": {"sha1": "ab" * 20}}
        predicate = {"invocation": {"configSource": source}, "builder": {"id": BUILDER}}
    statement: dict[str, Any] = {
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": kind,
        "subject": [
            {"name": "other.tgz", "digest": {"sha256": "00" * 32}},
            {"name": "a", "digest": {"sha256": SHA256}},
        ],
        "predicate": predicate,
    }
    edit(statement)
    return json.dumps(statement).encode()


@pytest.mark.parametrize("kind", [V1, V02])
def test_P13_who_built_it(kind: str) -> None:
    assert build.builder_of(told(kind=kind), CLAIMS, sha256=SHA256) == BUILDER
    assert build.subjects_of(told(kind=kind)) == (kind, frozenset({"00" * 32, SHA256}))


INVALID: dict[str, tuple[bytes, str, str]] = {
    "no JSON": (b"{", "7a", "not JSON"),
    "P1 a key twice": (b'{"predicate":{},"predicate":{}}', "7a", "not JSON"),
    "a list": (b"[]", "7a", "not an object with a predicate"),
    "no predicate": (told(lambda s: s.pop("predicate")), "7a", "not an object with a predicate"),
    "a predicate that is a list": (told(lambda s: s.update(predicate=[])), "7a", "not an object with a predicate"),
    "an SBOM": (told(lambda s: s.update(predicateType="https://cyclonedx.org/bom")), "7a", "no provenance known here"),
    "a kind that is a number": (told(lambda s: s.update(predicateType=1)), "7a", "no provenance known here"),
    "P12 no subject": (told(lambda s: s.update(subject=[])), "7b", "subjects"),
    "P12 a subject that is no list": (told(lambda s: s.update(subject={"a": 1})), "7b", "subjects"),
    "P12 subjects that are no objects": (told(lambda s: s.update(subject=["a"])), "7b", "subjects"),
    "P12 another artefact": (told(lambda s: s["subject"].pop()), "7b", "not this artefact"),
    "P12 a digest that is no text": (
        told(lambda s: s["subject"][1]["digest"].update(sha256=[SHA256])), "7b", "not this artefact"
    ),
    "P12 digests that are no object": (
        told(lambda s: s["subject"][1].update(digest=SHA256)), "7b", "not this artefact"
    ),
    "P11 another source": (
        told(lambda s: s["predicate"]["buildDefinition"].update(resolvedDependencies=[{**SOURCE, "digest": OTHER}])),
        "9b",
        "the commit",
    ),
    "no builder": (told(lambda s: s["predicate"].pop("runDetails")), "9d", "no builder"),
    "a builder that is a text": (told(lambda s: s["predicate"]["runDetails"].update(builder="x")), "9d", "no builder"),
    "a builder without an id": (told(lambda s: s["predicate"]["runDetails"]["builder"].pop("id")), "9d", "no builder"),
    "a builder of no name": (told(lambda s: s["predicate"]["runDetails"]["builder"].update(id="")), "9d", "no builder"),
    "a builder's number": (told(lambda s: s["predicate"]["runDetails"]["builder"].update(id=[1])), "9d", "no builder"),
}  # fmt: skip


@pytest.mark.parametrize("case", INVALID)
def test_what_does_not_hold(case: str) -> None:
    payload, step, says = INVALID[case]
    with pytest.raises(Invalid, match=f"step {step}: .*{says}"):
        build.builder_of(payload, CLAIMS, sha256=SHA256)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda s: s.update(_type="https://in-toto.io/Statement/v9"), id="a statement"),
        pytest.param(lambda s: s.update(predicateType="https://slsa.dev/provenance/v9"), id="a provenance"),
    ],
)
def test_P7_an_unknown_version(edit: Edit) -> None:
    with pytest.raises(CannotVerify, match="step 7a"):
        build.builder_of(told(edit), CLAIMS, sha256=SHA256)


def test_P9_as_many_subjects_as_a_build_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "MAX_SUBJECTS", 2)
    assert build.builder_of(told(), CLAIMS, sha256=SHA256)
    monkeypatch.setattr(build, "MAX_SUBJECTS", 1)
    with pytest.raises(Invalid, match="step 7b: not 1 to 1 subjects"):
        build.builder_of(told(), CLAIMS, sha256=SHA256)


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"1", b'{"a":1,"a":2}', b"\xff"])
def test_what_is_no_statement_is_about_nothing(payload: bytes) -> None:
    """Of the bundles that a user names, one that is about the artefact is looked for before any is verified."""
    assert build.subjects_of(payload) is None


def test_what_a_statement_is_about_whatever_else_it_says() -> None:
    payload = told(lambda s: s.update(subject=[{"digest": {"sha512": "x"}}, "x", {"digest": {"sha256": SHA256}}]))
    assert build.subjects_of(payload) == (V1, frozenset({SHA256}))
