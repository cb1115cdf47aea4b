"""Fetching what is not on this machine: packuments, attestations and tarballs, of several packages at once."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import orjson

from sbomgate.facts.assembly import earlier_key
from sbomgate.model import AttestationDocument, FactKey, Missing, Origin, RegistryWord, TarballFacts
from sbomgate.npm import packument, tarball
from sbomgate.npm.part import WORKERS, Part, Sources, not_advertised
from sbomgate.npm.registry import Registry, same_origin, tarball_url
from sbomgate.npm.rows import attestations_key, dump_tarball, dump_word, tarball_key, word_key
from sbomgate.npm.wanted import Wanted
from sbomgate.times import format_time

if TYPE_CHECKING:
    import httpx

# What npm reads in `resolved` as "the registry" (replace-registry-host), and yarn's name for the same registry.
PUBLIC_HOSTS: Final = frozenset(["registry.npmjs.org", "registry.yarnpkg.com"])
_PACKAGES = 48  # at once: bounds the answers in memory


def fetch(
    parts: Sequence[Part],
    sources: Sources,
    client: Callable[[], httpx.AsyncClient],
    report: Callable[[int], None],
) -> None:
    """Fetch what is unknown of `parts`, several packages at once; `report` is told how many parts are done.

    Raises:
        FetchError: the fact cache cannot be written.
    """
    try:
        asyncio.run(_fetch(parts, sources, client, report))
    except BaseExceptionGroup as group:  # the task group's wrapping is of no use to anybody
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from group


async def _fetch(
    parts: Sequence[Part],
    sources: Sources,
    client: Callable[[], httpx.AsyncClient],
    report: Callable[[int], None],
) -> None:
    groups: dict[tuple[str, str], list[Part]] = {}
    for part in parts:
        # settle() leaves a part without a registry nothing to fetch
        groups.setdefault((part.wanted.registry or "", part.wanted.key.name), []).append(part)
    slots = asyncio.Semaphore(_PACKAGES)
    with ThreadPoolExecutor(WORKERS) as pool:
        async with client() as http, asyncio.TaskGroup() as tasks:
            registry = Registry(http, sources.credentials, now=sources.now, sleep=sources.sleep or asyncio.sleep)

            async def one(name: str, group: list[Part]) -> None:
                async with slots:
                    await _package(name, group, registry, pool, sources)
                report(len(group))

            for (_, name), group in sorted(groups.items(), key=lambda item: item[0]):
                tasks.create_task(one(name, group))


async def _package(name: str, group: list[Part], registry: Registry, pool: Executor, sources: Sources) -> None:
    """Fetch what is unknown of all wanted versions of one package, and store it."""
    fresh: dict[str, bytes] = {}
    without = [part for part in group if part.lacks_word(sources.now)]
    if without:
        await _words(name, without, registry, pool, sources, fresh)
    documents: dict[str, asyncio.Task[AttestationDocument | Missing]] = {}
    async with asyncio.TaskGroup() as tasks:

        def document(home: str, key: FactKey, url: str) -> asyncio.Task[AttestationDocument | Missing]:
            """Ask for a document once, whoever needs it: an earlier release may be in the lockfile too."""
            if url not in documents:
                documents[url] = tasks.create_task(_document(home, key, url, registry, fresh))
            return documents[url]

        for part in group:
            if part.attestations is None:
                tasks.create_task(_attestations(part, document))
            if part.tarball is None:
                tasks.create_task(_tarball(part, registry, pool, fresh, sources.keep))
            if part.unasked(sources.now):
                tasks.create_task(_earlier(part, sources, document))
    for part in group:
        part.settle_earlier(sources.now)
    if sources.cache is not None and fresh:
        sources.cache.put(fresh)


_Document = Callable[[str, FactKey, str], "asyncio.Task[AttestationDocument | Missing]"]


async def _words(
    name: str, parts: list[Part], registry: Registry, pool: Executor, sources: Sources, fresh: dict[str, bytes]
) -> None:
    home = parts[0].wanted.registry or ""
    # An ETag is of use only where the cache holds every version that is wanted, all read from the answer that it names.
    etags = {part.etag if part.stale is not None else None for part in parts}
    etag = etags.pop() if len(etags) == 1 else None
    answer = await registry.packument(home, name, etag=etag)
    if isinstance(answer, Missing):
        for part in parts:
            if part.word is None:
                part.word = _with_date(answer, part.stale)
            elif part.earlier is None:
                part.earlier = replace(answer, reason=f"earlier releases not known: {answer.reason}")
        return
    if answer.status == 304:
        for part in parts:
            assert part.stale is not None  # noqa: S101 - the ETag was sent only then
            part.word = replace(part.stale, asked_at=sources.now, origin=Origin.NETWORK)
            part.releases = part.stale_releases
            fresh[word_key(home, part.wanted.key)] = dump_word(part.word, part.releases, etag)
        return
    versions = sorted({part.wanted.key.version for part in parts})
    found = await asyncio.get_running_loop().run_in_executor(
        pool,
        lambda: packument.read(answer.body, name=name, versions=versions, registry=home, asked_at=sources.now),
    )
    for part in parts:
        said = found[part.wanted.key.version]
        # What the registry has no more, the cache must not go on saying.
        kept = b"" if isinstance(said, Missing) else dump_word(said.word, said.earlier, answer.etag)
        fresh[word_key(home, part.wanted.key)] = kept
        if part.word is None:
            part.word = said if isinstance(said, Missing) else said.word
        if not isinstance(said, Missing):
            part.releases = part.releases or said.earlier
        elif part.earlier is None and isinstance(part.word, RegistryWord):
            part.earlier = replace(said, reason=f"earlier releases not known: {said.reason}")


def _with_date(missing: Missing, stale: RegistryWord | None) -> Missing:
    if stale is None:
        return missing
    return replace(
        missing, reason=f"{missing.reason}; its answer of {format_time(stale.asked_at)} is too old to be used"
    )


async def _attestations(part: Part, document: _Document) -> None:
    word = part.word
    assert word is not None  # noqa: S101 - _words came first
    absent = not_advertised(word)
    if absent is not None or isinstance(word, Missing):
        part.attestations = absent
        return
    part.attestations = await document(part.wanted.registry or "", part.wanted.key, word.attestations_url or "")


async def _earlier(part: Part, sources: Sources, document: _Document) -> None:
    home, key = part.wanted.registry or "", part.wanted.key
    asked = {
        one.version: document(home, earlier_key(key, one), one.attestations_url or "")
        for one in part.unasked(sources.now)
    }
    part.take_documents({version: await task for version, task in asked.items()})


async def _document(
    home: str, key: FactKey, url: str, registry: Registry, fresh: dict[str, bytes]
) -> AttestationDocument | Missing:
    body = await registry.attestations(home, url)
    if isinstance(body, Missing):
        return body
    if _looks_whole(body):
        fresh[attestations_key(home, key)] = body
    return AttestationDocument(body=body, sha256=hashlib.sha256(body).hexdigest(), origin=Origin.NETWORK)


def _looks_whole(body: bytes) -> bool:
    """Whether a document is worth keeping: what a broken proxy answered would else be "invalid" for ever."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(parsed, dict) and bool(parsed.get("attestations"))


async def _tarball(
    part: Part,
    registry: Registry,
    pool: Executor,
    fresh: dict[str, bytes],
    keep: Callable[[str, bytes], None] | None,
) -> None:
    one = part.wanted
    sha512 = one.sha512
    assert sha512 is not None and one.registry is not None  # noqa: S101, PT018 - settled before
    data = await registry.tarball(one.registry, _tarball_url(one, part.word))
    if isinstance(data, Missing):
        part.tarball = data
        return
    loop = asyncio.get_running_loop()

    def read() -> TarballFacts | Missing:
        found = tarball.read(data, sha512=sha512, origin=Origin.NETWORK)
        if keep is not None and isinstance(found, TarballFacts):
            keep(sha512, data)
        return found

    part.tarball = await loop.run_in_executor(pool, read)
    if isinstance(part.tarball, TarballFacts):
        fresh[tarball_key(sha512)] = dump_tarball(part.tarball)


def _tarball_url(one: Wanted, word: RegistryWord | Missing | None) -> str:
    """Return where to fetch the tarball: the lockfile's URL, or the registry's own for it.

    npm takes the public registry's host in `resolved` for "the registry that is configured" and may leave it out
    altogether; any other host is returned as it is, for the registry to refuse.
    """
    home = one.registry or ""
    if one.resolved is not None and (not _is_public(one.resolved) or same_origin(one.resolved, home)):
        return one.resolved
    if isinstance(word, RegistryWord) and word.tarball is not None and same_origin(word.tarball, home):
        return word.tarball
    return tarball_url(home, one.key.name, one.key.version)


def _is_public(url: str) -> bool:
    try:
        return urlsplit(url).hostname in PUBLIC_HOSTS
    except ValueError:
        return False
