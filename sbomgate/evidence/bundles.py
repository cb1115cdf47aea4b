"""Evidence as files beside the build: sigstore bundles, one a file or one a line, sorted by what they are. Pure.

A decision is here its two signed statements alone (`Statements`): what they name lies elsewhere, and whoever verifies
reads none of it. Revocations among them count as those of a store do: whoever was given one must not overlook it. The
rest is somebody's attestation about the artefact: summaries of other verifiers are handed on, what remains is told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sbomgate import dsse
from sbomgate.decision import DETAIL_TYPE, OBSERVE, SUMMARY_TYPE, named_detail, read_detail
from sbomgate.errors import EvidenceError
from sbomgate.evidence.record import Statements
from sbomgate.evidence.revocation import REVOCATION_TYPE
from sbomgate.model import Verdict

MAX_BUNDLES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A bundle that was given: its bytes, and where it came from, for messages."""

    where: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """What bundles are.

    Attributes:
        statements: decisions of sbomgate: a detail with a summary that names it, once for each summary of it.
        summaries: SLSA Verification Summaries that belong to no detail here.
        notes: what else there is, one sentence each.
        revocations: SHA-256 (hex) → bundle of every revocation, as a store's are given to `verify_build`.
    """

    statements: tuple[Statements, ...]
    summaries: tuple[Given, ...]
    notes: tuple[str, ...]
    revocations: Mapping[str, bytes] = field(repr=False, default_factory=dict)


def sort(bundles: Iterable[Given]) -> Sorted:
    """Sort bundles. Nothing of them is verified but that detail and summary belong together.

    Raises:
        EvidenceError: too many, a decision of sbomgate without one single meaning, or half of one that FAILED.
    """
    details: dict[str, Given] = {}
    summaries: dict[bytes, Given] = {}
    of_detail: dict[str, list[Given]] = {}
    revocations: dict[str, bytes] = {}
    notes: list[str] = []
    for count, one in enumerate(bundles):
        if count == MAX_BUNDLES:
            raise EvidenceError(f"more than {MAX_BUNDLES:,} bundles", where=one.where)
        match _type_of(one):
            case str() as type_ if type_ == DETAIL_TYPE:
                details[hashlib.sha256(one.data).hexdigest()] = one
            case str() as type_ if type_ == SUMMARY_TYPE:
                summaries[one.data] = one
            case str() as type_ if type_ == REVOCATION_TYPE:
                revocations[hashlib.sha256(one.data).hexdigest()] = one.data
            case str() as type_:
                notes.append(f"{one.where} is an attestation of another kind ({type_[:200]})")
            case None:
                notes.append(f"{one.where} is no sigstore bundle with an in-toto statement")
    # Anybody can sign a summary of any detail: whose counts is for `verify`.
    for one in summaries.values():
        if (named := _names(one)) in details:
            of_detail.setdefault(named, []).append(one)
    found = []
    for id_, detail in sorted(details.items()):
        payload = dsse.read_bundle(detail.data, detail.where).payload
        own = of_detail.get(id_, [])
        said = read_detail(payload, detail.where)
        if not own and said.context.profile != OBSERVE:
            if said.verdict is Verdict.DENIED:  # (P19) as in a registry: who loses half of a FAILED has not lost it
                raise EvidenceError(
                    "a decision that FAILED, without its summary",
                    where=detail.where,
                    hint="give the summary too: `gate --bundle-out` wrote it beside this file",
                )
            notes.append(f"{detail.where} is a decision without its summary: it does not count")
            continue
        signed: list[bytes | None] = [one.data for one in own]
        found += [Statements(detail=detail.data, summary=summary) for summary in signed or [None]]
    used = {id(one) for own in of_detail.values() for one in own}
    return Sorted(
        statements=tuple(found),
        summaries=tuple(one for one in summaries.values() if id(one) not in used),
        notes=tuple(sorted(notes)),
        revocations=revocations,
    )


def _type_of(one: Given) -> str | None:
    """Return the predicate type that a bundle says it has, or None where it is none."""
    try:
        statement = dsse.loads(dsse.payload_of(one.data), one.where)
    except EvidenceError:
        return None
    found = statement.get("predicateType") if isinstance(statement, dict) else None
    return found if isinstance(found, str) else None


def _names(one: Given) -> str | None:
    """Return the detail that a summary names, or None where another verifier made it."""
    try:
        return named_detail(dsse.payload_of(one.data), one.where)
    except EvidenceError:
        return None
