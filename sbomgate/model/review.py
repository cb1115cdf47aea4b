"""What changed since the last approved build: the types of `sbomgate.review`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sbomgate.model.approval import Authors
from sbomgate.model.decision import PolicyFinding, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One package that is new or changed, or denied all the same: every copy of one name, version and integrity.

    Attributes:
        changed: whether it is new or changed; else it is as the last approved build had it.
        was: the versions that the last approved build had of it, sorted; empty for a package that is new.
        path: names from the root to it, one shortest chain.
        can: what it can do and where it comes from, one phrase each, the worrying ones first.
        findings: what the policy says of it, the worst first; `waived` ones are marked.
        scripts: name → text of what runs when it is installed.
    """

    name: str
    version: str
    integrity: str | None
    changed: bool
    was: tuple[str, ...]
    path: tuple[str, ...]
    can: tuple[str, ...]
    findings: tuple[PolicyFinding, ...]
    scripts: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A change, as it is put before a person.

    Attributes:
        verdict: what the policy says today, with what was approved already.
        compared: the decision (SHA-256) that it is compared with, or None on a first run, with the reason why.
        entries: packages that are new or changed, or of which something denies, the most dangerous first; on a first
            run those with findings.
        removed: (name, version) that are gone, and no other version came instead.
        edges: (from, to) by name, between packages that were there before.
        whole: findings about the project as a whole.
        covers: fingerprints of the findings that an approval covers, sorted: of all that is shown, and of the edges,
            what can be waived and is not.
        never: findings that no approval covers and that deny.
        sha256: names exactly this change and these findings.
        packages: how many are judged.
        authors: who made the change, as far as it is proved: none of them approves it.
    """

    project: str
    version: str | None
    lockfile: str
    verdict: Verdict
    profile: str
    compared: str | None
    reason: str
    entries: tuple[Entry, ...]
    removed: tuple[tuple[str, str], ...]
    edges: tuple[tuple[str, str], ...]
    whole: tuple[PolicyFinding, ...]
    covers: tuple[str, ...]
    never: tuple[PolicyFinding, ...]
    sha256: str
    packages: int
    authors: Authors = field(default_factory=Authors)

    @property
    def differing(self) -> tuple[Entry, ...]:
        """The entries that are new or changed, without those that are shown because they deny."""
        return tuple(entry for entry in self.entries if entry.changed)
