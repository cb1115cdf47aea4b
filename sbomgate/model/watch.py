"""What a watch finds: new releases that look wrong, and what it could not look at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One thing that is wrong with one new release. Every alert is told once.

    Attributes:
        id: SHA-256 (hex) of registry, name, version, code and what else tells it from others: the same in every run.
        registry, name, version: of the release.
        published: when, by the registry's word; None where it does not say.
        code: a stable word in kebab case; docs/watch.md lists them.
        message: one sentence: what is, and what was.
        found: when the watch first saw it.
        held: versions of the package that the inventory held then, in the order of texts.
        builds: how many builds held any of them.
    """

    id: str
    registry: str
    name: str
    version: str
    published: datetime | None
    code: str
    message: str
    found: datetime
    held: tuple[str, ...]
    builds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotKnown:
    """What could not be looked at, and why; `version` is None where nothing of the package could."""

    registry: str
    name: str
    version: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One run of a watch.

    Attributes:
        at: when it ran.
        window_days: how young a release is that is judged where its package is looked at for the first time.
        packages: how many were looked at; unchanged: of how many the registry said that nothing is new.
        first: how many were looked at for the first time.
        releases: how many new releases were judged.
        alerts: what was not told before, sorted by package, version and code.
        unknown: sorted by package and version; each is looked at again in the next run.
        notes: what limits the answer, one sentence each.
    """

    at: datetime
    window_days: int
    packages: int
    unchanged: int
    first: int
    releases: int
    alerts: tuple[Alert, ...]
    unknown: tuple[NotKnown, ...]
    notes: tuple[str, ...]
