"""Waivers and approvals: what people signed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """A person's word that one finding may be for a while.

    Attributes:
        rule: the rule's id.
        package: (name, version, integrity) that it is about, or None where `fingerprint` alone says what is waived.
        fingerprint: SHA-256 (hex) of the very finding, or None: every finding of the rule about the package.
        project: the repository that it is for; the project's name only where no repository is known.
        issued_at, until: from when, and its end, which every waiver has.
        reason: why; advisory: the advisory that a security fix answers, or None.
    """

    rule: str
    package: tuple[str, str, str] | None
    fingerprint: str | None
    project: str
    issued_at: datetime
    until: datetime
    reason: str
    advisory: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A person's word that a change may be: all that it was shown with, and nothing else.

    Attributes:
        project: as in a waiver.
        change: SHA-256 (hex) of the change that was reviewed (`review.Change`).
        findings: fingerprints of the findings that it was shown with, sorted.
        packages: (name, version, integrity or "") of the packages that are new or changed, sorted: for people.
        issued_at, until, reason: as in a waiver.
    """

    project: str
    change: str
    findings: tuple[str, ...]
    packages: tuple[tuple[str, str, str], ...]
    issued_at: datetime
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A waiver or an approval that an approver signed: `id` is the SHA-256 (hex) of its bundle, `by` the person."""

    id: str
    by: str
    said: Waiver | Approval


@dataclass(frozen=True, slots=True, kw_only=True)
class Authors:
    """Who made the change since the last approved build, on verified identity; `reason` says why not `known`."""

    people: tuple[str, ...] = ()
    known: bool = False
    reason: str = "nothing that was given proves who made the change"


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """What people said about a build.

    Attributes:
        signed: every waiver and approval by an accepted approver, ended ones too, sorted by id.
        refused: (file name, reason) of what does not count, sorted.
        authors: who made the change: nobody approves his own.
    """

    signed: tuple[Signed, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    authors: Authors = Authors()
