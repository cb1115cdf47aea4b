"""Collecting facts: for each package recorded facts first, then what lies on this machine, then the network.

Nothing here judges: what is found is handed on with its origin, and what is not found is a Missing with the reason. One
package's failure never stops the others (PROMISES P35).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import orjson

from sbomgate.errors import InputError
from sbomgate.facts.assembly import earlier_key
from sbomgate.model import Absence, AttestationDocument, CollectedFacts, FactKey, Missing, Origin, TarballFacts
from sbomgate.npm.cache import FactCache
from sbomgate.npm.part import MAX_CLOCK, WORKERS, Part, Sources
from sbomgate.npm.rows import attestations_key, dump_tarball, load_tarball, load_word, tarball_key, word_key
from sbomgate.npm.wanted import Wanted

__all__ = ["Sources", "collect"]


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
    _from_stores(parts, sources)
    for part in parts:
        part.settle(sources)
    left = [part for part in parts if not part.complete(sources.now)]
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


# --------------------------------------------------------------------------------------------------------------------
# This machine: the fact cache, and the package managers' own


def _from_cache(parts: Sequence[Part], sources: Sources, cache: FactCache) -> None:
    uses: list[tuple[Part, str, str]] = []
    for part in parts:
        one = part.wanted
        if part.word is None and one.registry is not None and sources.trust_cache:
            uses.append((part, "word", word_key(one.registry, one.key)))
        # Verified from their bytes, but whoever filled the cache chose which of them are there.
        may_attest = (sources.trust_cache or sources.offline) and one.key not in sources.doubted
        if part.attestations is None and one.registry is not None and may_attest:
            uses.append((part, "attestations", attestations_key(one.registry, one.key)))
        if part.unread and one.sha512 is not None and sources.trust_cache:
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
    if sources.trust_cache or sources.offline:
        _earlier_from_cache(parts, sources, cache)


def _earlier_from_cache(parts: Iterable[Part], sources: Sources, cache: FactCache) -> None:
    """Take the attestations of earlier releases, once it is known which these are."""
    uses = [
        (part, one.version, attestations_key(part.wanted.registry or "", earlier_key(part.wanted.key, one)))
        for part in parts
        for one in part.in_cache(sources.now)
        if earlier_key(part.wanted.key, one) not in sources.doubted
    ]
    found = cache.get(row for _, _, row in uses)
    for part, version, row in uses:
        if row in found:
            part.take_documents({version: _document(found[row])})


def _document(body: bytes) -> AttestationDocument:
    return AttestationDocument(body=body, sha256=hashlib.sha256(body).hexdigest(), origin=Origin.CACHE)


def _use(part: Part, what: str, value: bytes, sources: Sources) -> None:
    if what == "attestations":
        part.attestations = _document(value)
    elif what == "tarball":
        part.take_tarball(load_tarball(value))
    else:
        word, releases, etag = load_word(value)
        age = sources.now - word.asked_at
        if word.registry != part.wanted.registry or age < -MAX_CLOCK:
            return
        if age < sources.word_age or (sources.offline and sources.trust_cache):
            part.word, part.releases = word, releases
        else:
            part.stale, part.stale_releases, part.etag = word, releases, etag


def _from_stores(parts: Iterable[Part], sources: Sources) -> None:
    """Take tarballs from the package managers' own caches, each hashed before it is read.

    Bytes that lie here count for more than what somebody recorded of them, whoever signed it.
    """
    left = [part for part in parts if part.unread]
    wanted = {part.wanted.sha512: part.wanted for part in left if part.wanted.sha512 is not None}
    if not wanted:
        return
    from sbomgate.npm import cacache, tarball, yarn_cache

    # Most machines have one of them or none: what is not there is not asked for each package.
    npm_cache = sources.npm_cache if sources.npm_cache is not None and cacache.is_there(sources.npm_cache) else None
    yarn = sources.yarn_cache if sources.yarn_cache is not None and yarn_cache.is_there(sources.yarn_cache) else None
    digests = sorted(wanted)
    if yarn is None:
        digests = [] if npm_cache is None else [one for one in digests if cacache.is_there(npm_cache, one)]
    if not digests:
        return

    def stored(sha512: str) -> Iterator[bytes | None]:
        one = wanted[sha512]
        if npm_cache is not None:
            yield cacache.load(npm_cache, sha512)
        if yarn is not None:
            yield yarn_cache.load(yarn, one.key.name, one.key.version, one.resolved)

    def read(sha512: str) -> TarballFacts | Missing | None:
        for data in stored(sha512):
            facts = None if data is None else tarball.read(data, sha512=sha512, origin=Origin.CACHE)
            if facts is not None and not (isinstance(facts, Missing) and facts.absence is Absence.MISMATCH):
                return facts
        return None  # a cache that is damaged: its package manager would fetch it again, and so do we

    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(WORKERS) as pool:
        found = dict(zip(digests, pool.map(read, digests), strict=True))
    for part in left:
        part.tarball = found.get(part.wanted.sha512 or "") or part.tarball
    if sources.cache is not None:
        sources.cache.put(
            {
                tarball_key(sha512): dump_tarball(facts)
                for sha512, facts in found.items()
                if isinstance(facts, TarballFacts)
            }
        )
