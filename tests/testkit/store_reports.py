"""Reports of whole stores: two months of decisions, and one in which everything from outside is one text."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sbomgate.model import Claimed, Signed, Subject, SubjectKind, Verdict
from sbomgate.report import Standing
from sbomgate.report._coverage import PROVENANCE, Coverage
from sbomgate.report._store import Moment, StoreReport, build
from testkit import reports

VERIFIED, NONE = tuple(PROVENANCE.values())[:2]


def moment(number: int, *, text: str | None = None, environment: str = "production", **more: object) -> Moment:
    """Return a decision: every seventh denies, more is attested every week."""
    denied, packages, verified = number % 7 == 3, 400 + 3 * number, 40 + 6 * number
    context = reports.context(
        evaluated_at=reports.NOW - timedelta(days=60 - number),
        lockfile_path=text or "package-lock.json",
        repository=Claimed(value=text or "https://github.com/acme/shop", source="ci"),
        environment=Claimed(value=text or environment, source="flag"),
        subject=Subject(kind=SubjectKind.FILE, name=text or f"shop-3.{number}.0.tgz", digest={"sha256": "1f" * 32}),
    )
    fields: dict[str, object] = {
        "decision": hashlib.sha256(f"{number}{environment}".encode()).hexdigest(),
        "build": hashlib.sha256(f"b{number}{environment}".encode()).hexdigest(),
        "verdict": Verdict.DENIED if denied else Verdict.ALLOWED,
        "project": text or "shop",
        "version": text or f"3.{number}.0",
        "context": context,
        "counts": {
            "packages": packages, "rules": 16, "denied": 2 + number % 3 if denied else 0, "warnings": number % 4,
            "notes": 5, "waived": number % 2, "unknown": 1,
        },
        "coverage": Coverage(
            packages=packages, bound=packages, provenance={VERIFIED: verified, NONE: packages - verified},
            signatures={"verified": packages}, scripts={}, ages={},
        ),
        "standing": Standing(verified=True, signer="release key", said="signed by release key"),
        "signed": (),
        "used": frozenset(),
        "denied_by": ("release_age",) if denied else (),
    }  # fmt: skip
    return Moment(**(fields | more))  # type: ignore[arg-type]


def store() -> StoreReport:
    """Two months of two environments, three waivers, one build that was altered."""
    ended, soon = reports.waiver(days=-3), reports.waiver("bob", "the fix is out on Monday", days=5)
    ends: tuple[Signed, ...] = (ended, soon, reports.waiver("carol", days=60))
    production = [moment(number) for number in range(0, 60, 2)]
    staging = [moment(number, environment="staging") for number in range(40, 60, 3)]
    production[-1] = replace(production[-1], signed=ends, used=frozenset({ends[1].id}))
    return build([*production, *staging], [("0f/0fa7", "altered: its sha256 is 66b3")], ["notes.txt"])


def named(text: str) -> StoreReport:
    """Return a report in which everything that comes from outside is this text."""
    signed = (reports.waiver(text, text),)
    standing = Standing(verified=False, signer=text, said=text, reasons=(text,))
    denied: dict[str, Any] = {"signed": signed, "standing": standing, "denied_by": (text,)}
    return build([moment(3, text=text, **denied), moment(4, text=text, **denied)], [(text, text)], [text])
