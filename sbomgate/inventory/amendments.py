"""What was signed about a decision after it: that it is revoked, or that its FAILED is overridden for some hours.

`inventory add` finds both in the store beside the decisions, and whose word counts says the trust file, as for
`verify`. A revoked PASSED is `revoked` in every answer and never `allowed`; a revocation beats every decision on the
same artefact that is not newer than it (P19). An overridden FAILED stays `denied`, and the answer names the end (P32).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sbomgate.inventory import lines
from sbomgate.inventory.terms import aware
from sbomgate.times import format_time, parse_time

if TYPE_CHECKING:
    from sbomgate.inventory.engines import Engine

FILE = "amended.jsonl"
REVOKED = "revoked"
OVERRIDDEN = "overridden"


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """One word about one decision.

    Attributes:
        decision: SHA-256 (hex) of its evidence.
        word: REVOKED or OVERRIDDEN.
        statement: SHA-256 (hex) of what was signed; of an override, the last of those that it takes.
        by: whose word it is; of an override, all of them.
        at: when it was signed, by their word.
        until: when an override ends; None for a revocation.
        reason: why.
    """

    decision: str
    word: str
    statement: str
    by: str
    at: datetime
    until: datetime | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """When a store or registry was read to its end for what was signed later: what is younger is not known here.

    Attributes:
        source: as `add` was told it.
        at: when that began.
    """

    source: str
    at: datetime


def read(data: bytes | None, where: str) -> tuple[Amendment | Look, ...]:
    """Return every line's meaning once, in the order of the lines; nothing where there is no file.

    Raises:
        EvidenceError: a line is none.
    """
    return tuple(dict.fromkeys(lines.read(data, _line, "an amendment", where)))


def written(one: Amendment | Look) -> dict[str, Any]:
    """Return the line of JSON that `read` reads."""
    if isinstance(one, Look):
        return {"source": one.source, "at": format_time(one.at)}
    return {
        "decision": one.decision,
        "word": one.word,
        "statement": one.statement,
        "by": one.by,
        "at": format_time(one.at),
        "until": None if one.until is None else format_time(one.until),
        "reason": one.reason,
    }


def apply(engine: Engine, held: Sequence[Amendment]) -> None:
    """Have an engine's table `build` say `revoked` where that is so, and make the table `amendment`.

    `amendment` has a row for each decision that is hit and what hits it: `evidence` is the decision's. A revocation of
    another decision on the same artefact is there too, where the decision is not newer than it.
    """
    hit: dict[str, list[Amendment]] = {}
    for one in held:
        if one.word == OVERRIDDEN:
            hit.setdefault(one.decision, []).append(one)
    revoked = _revoked(engine, [one for one in held if one.word == REVOKED])
    for evidence, words in revoked.items():
        hit.setdefault(evidence, []).extend(words)
    rows = [(evidence, one) for evidence, words in sorted(hit.items()) for one in words]
    engine.table(
        "amendment",
        {
            "evidence": [evidence for evidence, _ in rows],
            "word": [one.word for _, one in rows],
            "statement": [one.statement for _, one in rows],
            "signers": [one.by for _, one in rows],
            "signed_at": [format_time(one.at) for _, one in rows],
            "until": [None if one.until is None else format_time(one.until) for _, one in rows],
            "reason": [one.reason for _, one in rows],
        },
    )
    if revoked:
        engine.revoke(sorted(revoked))


def of(engine: Engine) -> dict[str, tuple[Amendment, ...]]:
    """Return the evidence's SHA-256 (hex) → what hits it, of the table that `apply` made; the last word first."""
    found: dict[str, list[Amendment]] = {}
    rows = engine.query("SELECT evidence, word, statement, signers, signed_at, until, reason FROM amendment")
    for evidence, word, statement, by, at, until, reason in rows:
        one = Amendment(
            decision=evidence,
            word=word,
            statement=statement,
            by=by,
            at=parse_time(at),
            until=None if until is None else parse_time(until),
            reason=reason,
        )
        found.setdefault(evidence, []).append(one)
    return {
        evidence: tuple(sorted(words, key=lambda one: (one.until or one.at, one.statement), reverse=True))
        for evidence, words in found.items()
    }


def _revoked(engine: Engine, held: Sequence[Amendment]) -> dict[str, list[Amendment]]:
    """Return evidence → the revocations that hit it, itself or by another decision on the same artefact (P19)."""
    if not held:
        return {}
    named: dict[str, list[Amendment]] = {}
    for one in held:
        named.setdefault(one.decision, []).append(one)
    engine.table("named", {"evidence": sorted(named)})
    rows = engine.query(
        "SELECT evidence, digest, workspace, decided FROM build WHERE digest IN "
        "(SELECT digest FROM build WHERE evidence IN (SELECT evidence FROM named))"
    )
    found: dict[str, list[Amendment]] = {}
    together: dict[str, list[tuple[Any, ...]]] = {}
    for row in rows:
        together.setdefault(row[1], []).append(row)
    for digest, decisions in together.items():
        hitting = [(row[2], one) for row in decisions for one in named.get(row[0], ())]
        for evidence, _, workspace, decided in decisions:
            moment = aware(decided)
            for where, one in hitting:
                # Of a commit only what is about the same workspace beats: one commit holds many.
                other = digest.startswith("gitCommit:") and None not in (where, workspace) and where != workspace
                late = moment is None or one.at >= moment
                if one.decision == evidence or (late and not other):
                    found.setdefault(evidence, []).append(one)
    return found


def _line(value: Mapping[str, Any]) -> Amendment | Look:
    if "source" not in value:
        return _amendment(value)
    if not isinstance(value["source"], str):
        raise TypeError("the source is no text")
    return Look(source=value["source"], at=parse_time(value["at"]))


def _amendment(value: Mapping[str, Any]) -> Amendment:
    until = value["until"]
    one = Amendment(
        decision=value["decision"],
        word=value["word"],
        statement=value["statement"],
        by=value["by"],
        at=parse_time(value["at"]),
        until=None if until is None else parse_time(until),
        reason=value["reason"],
    )
    if not all(isinstance(text, str) for text in (one.decision, one.statement, one.by, one.reason)):
        raise TypeError("a text is none")
    if one.word not in (REVOKED, OVERRIDDEN) or (one.until is None) != (one.word == REVOKED):
        raise ValueError(f"the word {one.word!r:.40} with the end {until!r:.40}")
    return one
