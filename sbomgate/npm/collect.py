"""Collecting facts: for each package recorded facts first, then what lies on this machine, then the network.

Nothing here judges: what is found is handed on with its origin, and what is not found is a Missing with the reason. One
package's failure never stops the others (PROMISES P35).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from sbomgate.errors import InputError
from sbomgate.facts.document import as_recorded, read_tarball, read_word, tarball_document, word_document
from sbomgate.model import (
    Absence,
    AttestationDocument,
    CollectedFacts,
    FactKey,
    Missing,
    Origin,
    RegistryWord,
    TarballFacts,
)
from sbomgate.npm import auth, cacache, tarball
from sbomgate.npm.cache import FactCache
from sbomgate.npm.wanted import Wanted

if TYPE_CHECKING:
    import httpx

MAX_CLOCK = timedelta(minutes=5)  # a cached or recorded answer from further in the future is not used
READER = 1  # part of the cache key of tarball facts: raise it when `tarball.read` reads something else
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
        credentials: of the registries.
        client: makes the HTTP client (`registry.open_client`); called only when something is to be fetched.
        word_age: cached words of the registry that are younger are used without asking; zero always asks, by ETag where
            the cache counts.
        trust_cache: whether the fact cache counts, offline also for words of any age. `check` may; `gate` reads the
            bytes and asks the registry again, without an ETag: who forged a cached word chose its ETag too (P26). Of
            the cache `gate` uses only, offline, attestations: they are verified from their bytes.
        sleep: waits between attempts; None is asyncio's.
    """

    now: datetime
    offline: bool
    recorded: Mapping[FactKey, CollectedFacts] = field(default_factory=dict)
    cache: FactCache | None = None
    npm_cache: Path | None = None
    credentials: auth.Credentials = auth.NONE
    client: Callable[[], httpx.AsyncClient] | None = None
    word_age: timedelta = timedelta(0)
    trust_cache: bool = False
    sleep: Callable[[float], Awaitable[object]] | None = None


def collect(
    wanted: Sequence[Wanted], *, sources: Sources, progress: Callable[[int, int], None] | None = None
) -> dict[FactKey, CollectedFacts]:
    """Collect facts about everything that is wanted.

    Args:
        wanted: of `wanted`.
        sources: where they may come from.
        progress: called with (done, all) as packages are fetched.

    Returns:
        An entry for each wanted key.

    Raises:
        FetchError: a cache on this machine cannot be used. What a registry does is never an exception.
    """
    parts = [Part(one) for one in wanted]
    for part in parts:
        part.take_recorded(sources.recorded.get(part.wanted.key), sources.now)
    if sources.cache is not None:
        _from_cache(parts, sources, sources.cache)
    if sources.npm_cache is not None:
        _from_npm_cache(parts, sources, sources.npm_cache)
    for part in parts:
        part.settle(sources)
    left = [part for part in parts if not part.complete]
    if progress is not None:
        progress(len(parts) - len(left), len(parts))
    if left:
        if sources.client is None:
            raise ValueError("a client is needed unless offline")
        from sbomgate.npm.fetch import fetch

        done = len(parts) - len(left)

        def report(count: int) -> None:
            nonlocal done
            done += count
            if progress is not None:
                progress(done, len(parts))

        fetch(left, sources, sources.client, report)
    return {part.wanted.key: part.facts() for part in parts}


class Part:
    """The facts of one key while they are collected; None is not known yet."""

    __slots__ = ("attestations", "etag", "lacked", "stale", "tarball", "wanted", "word")

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

    @property
    def complete(self) -> bool:
        """Whether nothing is left to ask."""
        return self.word is not None and self.attestations is not None and self.tarball is not None

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

    def take_tarball(self, facts: TarballFacts) -> None:
        """Take facts of these bytes, and of no others."""
        if facts.sha512 == self.wanted.sha512:  # facts of other bytes are not taken, whoever signed them
            self.tarball = facts

    def settle(self, sources: Sources) -> None:
        """Say of what is still unknown why it stays so, where nobody will be asked."""
        if self.attestations is None and isinstance(self.word, RegistryWord | Missing):
            self.attestations = not_advertised(self.word)
        if self.tarball is None and self.wanted.nowhere is not None:
            reason = f"not in npm's cache; {self.wanted.nowhere.reason}"
            self.tarball = Missing(absence=Absence.NOT_ASKED, reason=reason)
        if not sources.offline:
            return
        lacked = self.lacked
        self.word = self.word or _lacked(lacked and lacked.registry, "the registry's answer is not in the cache")
        self.attestations = self.attestations or _lacked(
            lacked and lacked.attestations, "its attestations are not in the cache"
        )
        self.tarball = self.tarball or _lacked(lacked and lacked.tarball, "its tarball is not in npm's cache")

    def facts(self) -> CollectedFacts:
        """Return everything; only when complete."""
        assert self.word is not None and self.attestations is not None and self.tarball is not None  # noqa: S101, PT018
        return CollectedFacts(
            key=self.wanted.key, registry=self.word, tarball=self.tarball, attestations=self.attestations
        )


def not_advertised(word: RegistryWord | Missing) -> Missing | None:
    """Return what it means for attestations that the registry's word is as it is; None where it advertises some."""
    if isinstance(word, Missing):
        if word.absence in (Absence.NOT_APPLICABLE, Absence.NOT_ASKED):
            return word
        # Nobody said that there is none: unreachable, whatever became of the word (P6).
        return Missing(absence=Absence.UNREACHABLE, reason=f"attestations not known: {word.reason}")
    if word.attestations_url is not None:
        return None
    if word.serves_evidence:
        return Missing(absence=Absence.ABSENT, reason="the registry serves none for this version")
    reason = "the registry serves neither signatures nor attestations for any version of this package"
    return Missing(absence=Absence.NOT_SERVED, reason=reason)


def _lacked(recorded: object, reason: str) -> Missing:
    """Return why a fact stays unknown offline: what a signed document says of it (withdrawn, other bytes), else so."""
    if isinstance(recorded, Missing):
        return recorded
    return Missing(absence=Absence.NOT_ASKED, reason=f"offline, and {reason}")


# --------------------------------------------------------------------------------------------------------------------
# This machine: the fact cache and npm's own


def word_key(registry: str, key: FactKey) -> str:
    """Return the cache key of a word."""
    return "\n".join(("word", registry, key.name, key.version))


def attestations_key(registry: str, key: FactKey) -> str:
    """Return the cache key of an attestation document."""
    return "\n".join(("attestations", registry, key.name, key.version, key.integrity))


def tarball_key(sha512: str) -> str:
    """Return the cache key of a tarball's facts."""
    return f"tarball\n{READER}\n{sha512}"


def _from_cache(parts: Iterable[Part], sources: Sources, cache: FactCache) -> None:
    uses: list[tuple[Part, str, str]] = []
    for part in parts:
        one = part.wanted
        if part.word is None and one.registry is not None and sources.trust_cache:
            uses.append((part, "word", word_key(one.registry, one.key)))
        # Verified from their bytes, but whoever filled the cache chose which of them are there.
        may_attest = sources.trust_cache or sources.offline
        if part.attestations is None and one.registry is not None and may_attest:
            uses.append((part, "attestations", attestations_key(one.registry, one.key)))
        if part.tarball is None and one.sha512 is not None and sources.trust_cache:
            uses.append((part, "tarball", tarball_key(one.sha512)))
    found = cache.get(key for _, _, key in uses)
    for part, what, key in uses:
        value = found.get(key)
        if value is None:
            continue
        try:
            _use(part, what, value, sources)
        except (InputError, orjson.JSONDecodeError):
            continue  # not what we write: as if it were not there


def _use(part: Part, what: str, value: bytes, sources: Sources) -> None:
    if what == "attestations":
        digest = hashlib.sha256(value).hexdigest()
        part.attestations = AttestationDocument(body=value, sha256=digest, origin=Origin.CACHE)
    elif what == "tarball":
        facts = read_tarball(orjson.loads(value), where="fact cache")
        part.take_tarball(replace(facts, origin=Origin.CACHE))
    else:
        word, etag = load_word(value)
        word = replace(word, origin=Origin.CACHE)
        age = sources.now - word.asked_at
        if word.registry != part.wanted.registry or age < -MAX_CLOCK:
            return
        if age < sources.word_age or (sources.offline and sources.trust_cache):
            part.word = word
        else:
            part.stale, part.etag = word, etag


def _from_npm_cache(parts: Iterable[Part], sources: Sources, npm_cache: Path) -> None:
    left = [part for part in parts if part.tarball is None]
    digests = sorted({part.wanted.sha512 for part in left if part.wanted.sha512 is not None})
    if not digests:
        return

    def read(sha512: str) -> TarballFacts | Missing | None:
        data = cacache.load(npm_cache, sha512)
        if data is None:
            return None
        facts = tarball.read(data, sha512=sha512, origin=Origin.CACHE)
        if isinstance(facts, Missing) and facts.absence is Absence.MISMATCH:
            return None  # npm's cache is damaged: npm would fetch it again, and so do we
        return facts

    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(WORKERS) as pool:
        found = dict(zip(digests, pool.map(read, digests), strict=True))
    for part in left:
        part.tarball = found.get(part.wanted.sha512 or "")
    if sources.cache is not None:
        sources.cache.put(
            {
                tarball_key(sha512): dump_tarball(facts)
                for sha512, facts in found.items()
                if isinstance(facts, TarballFacts)
            }
        )


def dump_word(word: RegistryWord, etag: str | None) -> bytes:
    """Return what the cache keeps of a word: with the ETag of the very answer that it was read from."""
    return orjson.dumps({"etag": etag, "word": word_document(word)}, option=orjson.OPT_SORT_KEYS)


def load_word(value: bytes) -> tuple[RegistryWord, str | None]:
    """Return what `dump_word` kept.

    Raises:
        InputError, orjson.JSONDecodeError: it is something else.
    """
    row = orjson.loads(value)
    if not isinstance(row, dict) or not isinstance(row.get("etag"), str | None):
        raise InputError("is not a word", where="fact cache")
    return read_word(row.get("word"), where="fact cache"), row.get("etag")


def dump_tarball(facts: TarballFacts) -> bytes:
    """Return what the cache keeps of a tarball."""
    return orjson.dumps(tarball_document(facts), option=orjson.OPT_SORT_KEYS)
