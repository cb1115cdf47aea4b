"""The facts of one package while they are collected, and where they may come from. No I/O."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from sbomgate.facts.document import as_recorded
from sbomgate.model import (
    Absence,
    AttestationDocument,
    CollectedFacts,
    EarlierRelease,
    FactKey,
    Missing,
    Origin,
    RegistryWord,
    TarballFacts,
)
from sbomgate.npm import auth
from sbomgate.npm.cache import FactCache
from sbomgate.npm.earlier import YOUNG
from sbomgate.npm.packument import not_advertised as nothing_advertised
from sbomgate.npm.wanted import Measured, Wanted
from sbomgate.times import parse_time

if TYPE_CHECKING:
    import httpx

MAX_CLOCK = timedelta(minutes=5)  # a cached or recorded answer from further in the future is not used
WORKERS = min(4, os.cpu_count() or 1)  # threads for hashing and unpacking, which hold no lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where facts may come from, and how much of it is believed.

    Attributes:
        now: the time of asking.
        offline: the network is not used.
        recorded: facts from a document with the verified signature of an accepted identity, or `facts.unsigned` of one.
        cache: the fact cache, or None.
        npm_cache: npm's `cache` directory (`~/.npm`), or None.
        yarn_cache: yarn classic's `cache-folder` (`~/.cache/yarn`), or None.
        credentials: of the registries.
        client: makes the HTTP client (`registry.open_client`); called only when something is to be fetched.
        word_age: cached words of the registry that are younger are used without asking; zero always asks, by ETag where
            the cache counts.
        trust_cache: whether the fact cache counts, offline also for words of any age. `check` may; `gate` reads the
            bytes and asks the registry again, without an ETag: who forged a cached word chose its ETag too (P26). Of
            the cache `gate` uses only, offline, attestations: they are verified from their bytes.
        sleep: waits between attempts; None is asyncio's.
        keep: called with SHA-512 (hex) and bytes of each tarball that came from the network, which `collect` itself
            forgets; from several threads. The digest was compared.
    """

    now: datetime
    offline: bool
    recorded: Mapping[FactKey, CollectedFacts] = field(default_factory=dict)
    cache: FactCache | None = None
    npm_cache: Path | None = None
    yarn_cache: Path | None = None
    credentials: auth.Credentials = auth.NONE
    client: Callable[[], httpx.AsyncClient] | None = None
    word_age: timedelta = timedelta(0)
    trust_cache: bool = False
    sleep: Callable[[float], Awaitable[object]] | None = None
    keep: Callable[[str, bytes], None] | None = None


class Part:
    """The facts of one key while they are collected; None is not known yet."""

    __slots__ = (
        "attestations",
        "earlier",
        "etag",
        "lacked",
        "releases",
        "stale",
        "stale_releases",
        "tarball",
        "wanted",
        "word",
    )

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.word: RegistryWord | Missing | None = wanted.nowhere
        self.attestations: AttestationDocument | Missing | None = wanted.nowhere
        self.tarball: TarballFacts | Missing | None = None
        if wanted.sha512 is None:
            reason = "the lockfile has no single sha512 that a tarball could be bound to"
            self.tarball = Missing(absence=Absence.NOT_ASKED, reason=reason)
        self.lacked: CollectedFacts | None = None  # what a signed document says of what it has not
        self.stale: RegistryWord | None = None  # a cached word that is too old to be used without asking
        self.etag: str | None = None
        self.stale_releases: tuple[EarlierRelease, ...] = ()  # what was told with it
        # The earlier releases as the registry told them with its word, and once they are settled.
        self.releases: tuple[EarlierRelease, ...] | None = None
        self.earlier: tuple[EarlierRelease, ...] | Missing | None = None

    def complete(self, now: datetime) -> bool:
        """Whether nothing is left to ask."""
        return (
            self.word is not None
            and self.attestations is not None
            and self.tarball is not None
            and (self.earlier is not None or not self.measured(now))
        )

    @property
    def unread(self) -> bool:
        """Whether nobody here has read the tarball: nothing is known of it, or what somebody recorded."""
        recorded = isinstance(self.tarball, TarballFacts) and self.tarball.origin is Origin.RECORDED
        return self.tarball is None or recorded

    def measured(self, now: datetime) -> bool:
        """Whether this package is measured against its earlier releases."""
        match self.wanted.measured:
            case Measured.ALWAYS:
                return self.wanted.registry is not None
            case Measured.YOUNG:
                return self.wanted.registry is not None and _is_young(self.word, now)
            case Measured.NEVER:
                return False
            case _:
                assert_never(self.wanted.measured)

    def lacks_word(self, now: datetime) -> bool:
        """Whether the registry's answer is needed: for its word, or for what it says of earlier releases."""
        return self.word is None or (self.earlier is None and self.releases is None and self.measured(now))

    def unasked(self, now: datetime) -> list[EarlierRelease]:
        """Return the earlier releases whose attestations are advertised, and were not asked for yet."""
        if self.earlier is not None or self.releases is None or not self.measured(now):
            return []
        return [one for one in self.releases if _is_unasked(one)]

    def in_cache(self, now: datetime) -> list[EarlierRelease]:
        """Return the earlier releases whose attestations the cache may hold: also of a word that is asked for again."""
        if self.word is not None:
            return self.unasked(now)
        young = self.wanted.measured is Measured.YOUNG and _is_young(self.stale, now)
        wanted = young or self.wanted.measured is Measured.ALWAYS
        return [one for one in self.stale_releases if _is_unasked(one)] if wanted else []

    def take_documents(self, documents: Mapping[str, AttestationDocument | Missing]) -> None:
        """Take the attestations of earlier releases: version → document, or why there is none."""
        if self.releases is not None:
            self.releases = _with_documents(self.releases, documents)
        self.stale_releases = _with_documents(self.stale_releases, documents)

    def settle_earlier(self, now: datetime) -> None:
        """Say what is known of the earlier releases, as soon as nothing of it is left to ask."""
        if self.earlier is not None or not self.measured(now):
            return
        if isinstance(self.word, Missing):
            reason = f"earlier releases not known: {self.word.reason}"
            self.earlier = Missing(absence=self.word.absence, reason=reason)
        elif self.word is not None and self.releases is not None and not self.unasked(now):
            self.earlier = self.releases

    def take_recorded(self, facts: CollectedFacts | None, now: datetime) -> None:
        """Take what a signed document states; nothing of an entry whose word was given after `now`."""
        if facts is None:
            return
        if isinstance(facts.registry, RegistryWord) and facts.registry.asked_at - now > MAX_CLOCK:
            return
        taken = self.lacked = as_recorded(facts)
        if isinstance(taken.registry, RegistryWord) and self.word is None:
            self.word = taken.registry
        if isinstance(taken.attestations, AttestationDocument) and self.attestations is None:
            self.attestations = taken.attestations
        if isinstance(taken.tarball, TarballFacts) and self.tarball is None:
            self.take_tarball(taken.tarball)
        if isinstance(taken.earlier, tuple) and self.releases is None:
            self.releases = taken.earlier

    def take_tarball(self, facts: TarballFacts) -> None:
        """Take facts of these bytes, and of no others."""
        if facts.sha512 == self.wanted.sha512:  # facts of other bytes are not taken, whoever signed them
            self.tarball = facts

    def settle(self, sources: Sources) -> None:
        """Say of what is still unknown why it stays so, where nobody will be asked."""
        if self.attestations is None and isinstance(self.word, RegistryWord | Missing):
            self.attestations = not_advertised(self.word)
        if self.tarball is None and self.wanted.nowhere is not None:
            reason = f"not in the package managers' caches; {self.wanted.nowhere.reason}"
            self.tarball = Missing(absence=Absence.NOT_ASKED, reason=reason)
        self.settle_earlier(sources.now)
        if not sources.offline:
            return
        lacked = self.lacked
        self.word = self.word or _lacked(lacked and lacked.registry, "the registry's answer is not in the cache")
        self.attestations = self.attestations or _lacked(
            lacked and lacked.attestations, "its attestations are not in the cache"
        )
        self.tarball = self.tarball or _lacked(
            lacked and lacked.tarball, "its tarball is not in the package managers' caches"
        )
        if not isinstance(self.word, RegistryWord) or not self.measured(sources.now):
            self.settle_earlier(sources.now)
        elif self.releases is None:
            self.earlier = _lacked(lacked and lacked.earlier, "what was released before it is not in the cache")
        else:
            absent = Missing(absence=Absence.NOT_ASKED, reason="offline, and its attestations are not in the cache")
            self.take_documents({one.version: absent for one in self.unasked(sources.now)})
            self.earlier = self.releases

    def facts(self) -> CollectedFacts:
        """Return everything; only when complete."""
        assert self.word is not None and self.attestations is not None and self.tarball is not None  # noqa: S101, PT018
        return CollectedFacts(
            key=self.wanted.key,
            registry=self.word,
            tarball=self.tarball,
            attestations=self.attestations,
            earlier=self.earlier,
        )


def _with_documents(
    releases: tuple[EarlierRelease, ...], documents: Mapping[str, AttestationDocument | Missing]
) -> tuple[EarlierRelease, ...]:
    return tuple(
        replace(one, attestations=documents[one.version]) if one.version in documents and _is_unasked(one) else one
        for one in releases
    )


def _is_unasked(one: EarlierRelease) -> bool:
    missing = one.attestations
    return one.attestations_url is not None and isinstance(missing, Missing) and missing.absence is Absence.NOT_ASKED


def _is_young(word: RegistryWord | Missing | None, now: datetime) -> bool:
    if not isinstance(word, RegistryWord) or word.published is None:
        return False
    try:
        return now - parse_time(word.published) < YOUNG
    except ValueError:
        return False


def not_advertised(word: RegistryWord | Missing) -> Missing | None:
    """Return what it means for attestations that the registry's word is as it is; None where it advertises some."""
    if isinstance(word, Missing):
        if word.absence in (Absence.NOT_APPLICABLE, Absence.NOT_ASKED):
            return word
        # Nobody said that there is none: unreachable, whatever became of the word (P6).
        return Missing(absence=Absence.UNREACHABLE, reason=f"attestations not known: {word.reason}")
    if word.attestations_url is not None:
        return None
    return nothing_advertised(word.serves_evidence)


def _lacked(recorded: object, reason: str) -> Missing:
    """Return why a fact stays unknown offline: what a signed document says of it (withdrawn, other bytes), else so."""
    if isinstance(recorded, Missing):
        return recorded
    return Missing(absence=Absence.NOT_ASKED, reason=f"offline, and {reason}")
