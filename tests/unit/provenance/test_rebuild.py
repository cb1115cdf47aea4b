"""sbomgate.provenance.rebuild: who built a package again, and what of his attestations does not hold (CASES V33)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sbomgate.errors import TrustError
from sbomgate.model import Rebuilder
from sbomgate.provenance import rebuild
from sbomgate.signing import local_key
from sbomgate.signing.local_key import LocalKey
from testkit import rebuilds

SHA512 = "ab" * 64
Edit = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> LocalKey:
    return local_key.generate(tmp_path_factory.mktemp("key") / "rebuilder.key")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> LocalKey:
    return local_key.generate(tmp_path_factory.mktemp("stranger") / "stranger.key")


def rebuilder(key: LocalKey, *files: bytes) -> Rebuilder:
    return Rebuilder(name="a", builder_id=rebuilds.BUILDER, public_key=key.public_key, attestations=files)


def told(edit: Edit = lambda _: None) -> dict[str, Any]:
    statement = rebuilds.statement("@a/b", "1.0.0", SHA512)
    edit(statement)
    return statement


def definition(statement: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = statement["predicate"]["buildDefinition"]
    return found


def compared_all(statement: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = definition(statement)["resolvedDependencies"]
    return found


def compared(statement: dict[str, Any]) -> dict[str, Any]:
    """The target that the subject was compared with."""
    return compared_all(statement)[1]


def rename(statement: dict[str, Any], name: object) -> None:
    definition(statement)["externalParameters"]["target"] = compared(statement)["name"] = name


def digests(statement: dict[str, Any], sha512: object) -> None:
    for one in (statement["subject"][0], compared(statement)):
        one["digest"]["sha512"] = sha512


def test_what_was_built_again(key: LocalKey) -> None:
    def of_the_build_itself(statement: dict[str, Any]) -> None:
        """It is about what came out, which nothing is compared with."""
        definition(statement)["buildType"] = "https://docs.oss-rebuild.dev/builds/Rebuild@v0.1"
        digests(statement, "cd" * 64)

    build = told(of_the_build_itself)
    one = rebuilder(key, rebuilds.line(build, key) + rebuilds.line(told(), key), b"\n")
    assert rebuild.rebuilt([]) == {}
    assert rebuild.rebuilt([one]) == {SHA512: ("a",)}
    assert rebuild.rebuilt([replace(one, name="b"), one]) == {SHA512: ("a", "b")}


REFUSED: dict[str, tuple[str, Edit]] = {
    "another statement version": ("R3", lambda s: s.update(_type="https://in-toto.io/Statement/v2")),
    "another predicate": ("R3", lambda s: s.update(predicateType="https://slsa.dev/provenance/v0.2")),
    "another builder": ("R3", lambda s: s["predicate"]["runDetails"]["builder"].update(id="https://evil.test")),
    "no builder": ("R3", lambda s: s["predicate"].pop("runDetails")),
    "no subject": ("R4", lambda s: s.update(subject=[])),
    "two subjects": ("R4", lambda s: s["subject"].append(s["subject"][0])),
    "no sha512": ("R4", lambda s: s["subject"][0]["digest"].pop("sha512")),
    "a sha512 in capitals": ("R4", lambda s: s["subject"][0]["digest"].update(sha512=SHA512.upper())),
    "other bytes than were compared": ("R4", lambda s: s["subject"][0]["digest"].update(sha512="cd" * 64)),
    "the candidate's bytes": ("R4", lambda s: s["subject"][0]["digest"].update(sha512="1" * 128)),
    "no target": ("R4", lambda s: definition(s)["externalParameters"].pop("target")),
    "nothing compared": ("R4", lambda s: definition(s).update(resolvedDependencies="x")),
    "no list of subjects": ("R4", lambda s: s.update(subject={"0": s["subject"][0]})),
    "a subject that is a number": ("R4", lambda s: s.update(subject=1)),
    "compared with what has no name, and no target": ("R4", lambda s: rename(s, None)),
    "a target that is no text": ("R4", lambda s: rename(s, 1)),
    "two of the target's name": ("R4", lambda s: compared_all(s).append(compared(s))),
    "a text among what was compared": ("R4", lambda s: definition(s).update(resolvedDependencies=["x"])),
    "no sha512 on either side": (
        "R4",
        lambda s: [one["digest"].pop("sha512") for one in (s["subject"][0], compared(s))],
    ),
    "capitals on both sides": ("R4", lambda s: digests(s, SHA512.upper())),
    "a short sha512 on both sides": ("R4", lambda s: digests(s, SHA512[1:])),
    "numbers for digests": ("R4", lambda s: digests(s, 1)),
    "no digests": ("R4", lambda s: [one.update(digest="x") for one in (s["subject"][0], compared(s))]),
    "a subject that is a text": ("R4", lambda s: s.update(subject=["x"])),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_statement_that_does_not_hold_stops_everything(key: LocalKey, case: str) -> None:
    """The trust file pins the file by its digest: who wrote that line there is to know of it."""
    step, edit = REFUSED[case]
    with pytest.raises(TrustError, match=rf"attestations of a: line 2: step {step}"):
        rebuild.rebuilt([rebuilder(key, rebuilds.line(told(), key) + rebuilds.line(told(edit), key))])


@pytest.mark.parametrize("told", [[], "x", 1, None])
def test_what_is_signed_is_no_statement(key: LocalKey, told: object) -> None:
    with pytest.raises(TrustError, match="step R3: not an in-toto statement"):
        rebuild.rebuilt([rebuilder(key, rebuilds.line(told, key))])


def test_P9_a_line_has_a_limit(key: LocalKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """However well it is signed."""
    line = rebuilds.line(told(), key)
    monkeypatch.setattr(rebuild, "MAX_LINE_BYTES", len(line) - 2)
    with pytest.raises(TrustError, match=r"step R1: .* more than the limit"):
        rebuild.rebuilt([rebuilder(key, line)])


def test_another_key(key: LocalKey, stranger: LocalKey) -> None:
    with pytest.raises(TrustError, match="step R2"):
        rebuild.rebuilt([rebuilder(key, rebuilds.line(told(), stranger))])


def _signatures(envelope: dict[str, Any], count: int) -> None:
    envelope["signatures"] = envelope["signatures"] * count


ENVELOPES: dict[str, tuple[str, Edit]] = {
    "another payload": ("R2", lambda e: e.update(payload="e30=")),
    "another type": ("R1", lambda e: e.update(payloadType="text/plain")),
    "no payload": ("R1", lambda e: e.pop("payload")),
    "loose base64": ("R1", lambda e: e.update(payload="e30")),
    "no signature": ("R1", lambda e: _signatures(e, 0)),
    "two signatures": ("R1", lambda e: _signatures(e, 2)),
}


@pytest.mark.parametrize("case", ENVELOPES)
def test_an_envelope_that_does_not_hold(key: LocalKey, case: str) -> None:
    step, edit = ENVELOPES[case]
    envelope = json.loads(rebuilds.line(told(), key))
    edit(envelope)
    with pytest.raises(TrustError, match=f"step {step}"):
        rebuild.rebuilt([rebuilder(key, json.dumps(envelope).encode())])


@pytest.mark.parametrize(
    "line", [b"{", b"[]", b"1", b"[" * 100_000, b'{"a":1,"a":2}', b"\xff", b'{"payload":"%b"}' % (b"A" * (5 << 20))]
)
def test_no_envelope(key: LocalKey, line: bytes) -> None:
    with pytest.raises(TrustError, match="line 1: step R1"):
        rebuild.rebuilt([rebuilder(key, line)])


def test_too_many(key: LocalKey, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(rebuild, "MAX_LINES", 1)
    with pytest.raises(TrustError, match="more than the limit of 1"):
        rebuild.rebuilt([rebuilder(key, rebuilds.line(told(), key) * 2)])
