"""Tables of altered evidence: every field of both statements, every field of both bundles, every signature, every blob.

Whoever can write evidence holds no key: what he changes breaks a signature or a digest, and is refused with its place.
What the holder of an accepted key could sign besides is refused by what the consumer demands.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest

from sbomgate.errors import EvidenceError, SbomgateError
from sbomgate.evidence.record import Record
from sbomgate.evidence.verify import verify_build
from sbomgate.model import Subject, SubjectKind, Trust
from sbomgate.model.link import BuildLink, Ties, TreeLink
from testkit.evidence import BLOBS, NOW, OTHER_TARBALL, POLICY, REPOSITORY, TARBALL, decision, key, record, trusting

TRUST = trusting(
    repository=REPOSITORY, lockfile_path="package-lock.json", environments=("production",), profile="default",
    policy_digests=(POLICY,), max_age_hours=24,
)  # fmt: skip


def tree(link: str, material: str) -> TreeLink:
    return TreeLink(
        link=link, material=material, packages=412, bytes=400, absent=3, elsewhere=0, bundled=1, files=9000,
        counts=(("shim", 2),), problems=(), holds=True,
    )  # fmt: skip


def complete() -> Record:
    """Evidence with every optional part: all three links, a workspace, an end."""
    blobs = {
        **BLOBS,
        "link/installed.json": ("application/json", b"{}"),
        "link/contained.json": ("application/json", b"[]"),
        "link/build-provenance.sigstore.json": ("application/json", b"{} "),
    }
    digests = decision(blobs=blobs).sha256
    ties = Ties(
        installed=tree("installed", digests["link/installed.json"]),
        contained=tree("contained", digests["link/contained.json"]),
        provenance=BuildLink(
            material=digests["link/build-provenance.sigstore.json"], state="verified", reason="built by us",
            builder="us", builder_id="https://builder.example", identity="https://github.com/acme/shop/x@refs/heads/main",
            repository=REPOSITORY, commit="ab" * 20, ref="refs/heads/main",
        ),
    )  # fmt: skip
    return record(blobs=blobs, ties=ties, link="provenance", workspace="web", valid_until=NOW + timedelta(days=1))


GOOD = complete()


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every value that holds no other, and of every empty one."""
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    inner = [leaf for key_, one in items for leaf in leaves(one, (*path, key_))]
    yield from inner or [path]


def at(document: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        document = document[part]
    return document


def other(value: Any) -> Any:
    """Another value of the same kind, as plausible as it can be made."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str() if len(value) > 1 and set(value) <= set("0123456789abcdef"):
            return ("0" if value[0] != "0" else "1") + value[1:]
        case str():
            return f"{value}x"
        case None:
            return "x"
        case _:
            return "x"


def changed(data: bytes, path: tuple[str | int, ...], how: str) -> bytes:
    document = json.loads(data)
    where = at(document, path[:-1])
    match how:
        case "changed":
            where[path[-1]] = other(where[path[-1]])
        case "removed":
            del where[path[-1]]
        case "added":
            where["added"] = 1
        case "twice":
            text = json.dumps(document)
            return text.replace(f'"{path[-1]}":', f'"{path[-1]}": 0, "{path[-1]}":', 1).encode()
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def with_payload(bundle: bytes, payload: bytes) -> bytes:
    document = json.loads(bundle)
    document["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def accepted(*, detail: bytes = GOOD.detail, summary: bytes | None = GOOD.summary, blobs: Any = GOOD.blobs) -> bool:
    """Whether evidence made of these parts is accepted."""
    found = verify_build(
        [Record(detail=detail, summary=summary, blobs=blobs)], TARBALL, TRUST, now=NOW, shipped_policy=POLICY
    )
    return found.accepted


def test_what_is_not_altered_is_accepted() -> None:
    assert accepted()


DETAIL, SUMMARY = GOOD.payloads["decision.json"], GOOD.payloads["vsa.json"]
FIELDS = [
    pytest.param(name, path, id=f"{name}:{'.'.join(map(str, path))}")
    for name, payload in (("detail", DETAIL), ("summary", SUMMARY))
    for path in leaves(json.loads(payload))
]


@pytest.mark.parametrize(("name", "path"), FIELDS)
def test_P10_P36_no_field_of_a_statement_can_be_changed(name: str, path: tuple[str | int, ...]) -> None:
    """Under the same signature it is another payload; a summary of another detail is nobody's."""
    payload = DETAIL if name == "detail" else SUMMARY
    for how in ("changed", "removed"):
        altered = changed(payload, path, how)
        assert altered != payload
        bundle = with_payload(GOOD.detail if name == "detail" else GOOD.summary or b"", altered)
        with pytest.raises(EvidenceError) as raised:
            accepted(**{name: bundle})
        assert raised.value.message
        assert raised.value.where


@pytest.mark.parametrize(("name", "path"), FIELDS)
def test_P22_no_field_of_a_signed_detail_is_ignored(name: str, path: tuple[str | int, ...]) -> None:
    """Signed again by the accepted key, detail and summary no longer belong together, or say what no decision says."""
    payload = DETAIL if name == "detail" else SUMMARY
    altered = key().sign(changed(payload, path, "changed"))
    if path[:2] == ("predicate", "resourceUri"):  # what it is called for deployers is the summary's own
        return
    with pytest.raises(EvidenceError):
        accepted(**{name: altered})


BUNDLES = [
    pytest.param(name, path, how, id=f"{name}:{'.'.join(map(str, path))} {how}")
    for name, bundle in (("detail", GOOD.detail), ("summary", GOOD.summary or b""))
    for path in leaves(json.loads(bundle))
    for how in ("changed", "removed", "added", "twice")
]


@pytest.mark.parametrize(("name", "path", "how"), BUNDLES)
def test_P10_no_field_of_a_bundle_can_be_changed(name: str, path: tuple[str | int, ...], how: str) -> None:
    """A signature, a hint, a media type: the bundle is refused as altered, or nobody who is accepted signed it."""
    data = GOOD.detail if name == "detail" else GOOD.summary or b""
    if how in ("added", "twice") and isinstance(path[-1], int):
        return
    with contextlib.suppress(EvidenceError):
        assert not accepted(**{name: changed(data, path, how)})


@pytest.mark.parametrize("name", sorted(GOOD.blobs))
@pytest.mark.parametrize("how", ["changed", "cut", "empty", "removed", "renamed"])
def test_P36_no_blob_can_be_changed(name: str, how: str) -> None:
    blobs = dict(GOOD.blobs)
    data = blobs.pop(name)
    if how == "renamed":
        blobs[f"{name}x"] = data
    elif how != "removed":
        blobs[name] = {"changed": bytes([data[0] ^ 1]) + data[1:], "cut": data[:-1], "empty": b""}[how]
    with pytest.raises(EvidenceError) as raised:
        accepted(blobs=blobs)
    assert name in raised.value.where


def test_P12_parts_of_two_decisions_do_not_go_together() -> None:
    """Every part of another decision by the same key, in the place of this one's."""
    another = record(age=timedelta(hours=2))
    for parts in ({"detail": another.detail}, {"summary": another.summary}, {"blobs": another.blobs}):
        with pytest.raises(EvidenceError):
            accepted(**parts)
    theirs = record(key(2))
    swapped = json.loads(GOOD.detail)
    swapped["dsseEnvelope"]["signatures"] = json.loads(theirs.detail)["dsseEnvelope"]["signatures"]
    with pytest.raises(EvidenceError):
        accepted(detail=orjson.dumps(swapped, option=orjson.OPT_SORT_KEYS))


def image(digest: str) -> Subject:
    return Subject(kind=SubjectKind.OCI, name=TARBALL.name, digest={"sha256": digest})


REPLAYED: dict[str, tuple[dict[str, Any], str]] = {
    "P12 to another artefact": ({"subject": OTHER_TARBALL}, "no-decision"),
    "P12 to an image of the same digest": ({"subject": image("1f" * 32)}, "no-decision"),
    "P20 to another environment": ({"trust": {"environments": ("staging",)}}, "environment"),
    "P20 to another policy": ({"trust": {"policy_digests": ("00" * 32,)}}, "policy"),
    "P12 to another repository": ({"trust": {"repository": "https://github.com/acme/other"}}, "repository"),
    "P12 to another lockfile": ({"trust": {"lockfile_path": "web/package-lock.json"}}, "lockfile-path"),
    "P12 to another workspace": ({"workspace": "api"}, "workspace"),
    "P18 to a later time": ({"now": NOW + timedelta(hours=23, minutes=30)}, "age"),
    "P17 to an earlier time": ({"now": NOW - timedelta(hours=2)}, "future"),
    "P29 to after a waiver's end": (
        {"now": NOW + timedelta(days=1), "trust": {"max_age_hours": 1000}}, "waiver-ended"
    ),
    "P8 to a stricter profile": ({"trust": {"profile": "release"}}, "profile"),
    "P21 to other signers": ({"trust": {"signers": ()}}, "nobody"),
}  # fmt: skip


@pytest.mark.parametrize("case", REPLAYED)
def test_evidence_is_not_replayed(case: str) -> None:
    """The same bytes, shown to somebody who asks about something else."""
    given, expected = REPLAYED[case]
    trust: Trust = replace(TRUST, **given.get("trust", {}))

    def found() -> list[str]:
        result = verify_build(
            [GOOD], given.get("subject", TARBALL), trust, now=given.get("now", NOW), shipped_policy=POLICY,
            workspace=given.get("workspace"),
        )  # fmt: skip
        assert result.accepted is (not result.reasons)
        return [reason.code for reason in result.reasons]

    if expected == "nobody":
        with pytest.raises(SbomgateError):
            found()
    else:
        assert found() == [expected]


@pytest.mark.parametrize(
    "ties",
    [
        pytest.param(None, id="none of the three"),
        pytest.param(
            Ties(installed=replace(tree("installed", "00" * 32), holds=False)), id="a tree that does not hold"
        ),
        pytest.param(Ties(installed=tree("installed", "00" * 32)), id="another material"),
    ],
)
def test_P13_a_link_that_nothing_shows_is_not_signed(ties: Ties | None) -> None:
    for link in ("installed", "contained", "provenance"):
        with pytest.raises(EvidenceError):
            record(ties=ties, link=link)


def test_P13_release_allows_nothing_that_is_only_asserted() -> None:
    with pytest.raises(EvidenceError, match="only asserted"):
        record(profile="release", time_source="transparency-log")
