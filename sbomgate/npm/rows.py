"""What the fact cache keeps: the key and the bytes of each kind of row (docs/facts.md has the table). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import orjson

from sbomgate.errors import InputError
from sbomgate.facts.document import (
    read_releases,
    read_tarball,
    read_word,
    releases_document,
    tarball_document,
    word_document,
)
from sbomgate.model import Absence, EarlierRelease, FactKey, Missing, Origin, RegistryWord, TarballFacts

READER = 3  # part of the cache key of tarball facts: raise it when `tarball.read` reads something else


def word_key(registry: str, key: FactKey) -> str:
    """Return the cache key of a word."""
    return "\n".join(("word", registry, key.name, key.version))


def attestations_key(registry: str, key: FactKey) -> str:
    """Return the cache key of an attestation document."""
    return "\n".join(("attestations", registry, key.name, key.version, key.integrity))


def tarball_key(sha512: str) -> str:
    """Return the cache key of a tarball's facts."""
    return f"tarball\n{READER}\n{sha512}"


def dump_word(word: RegistryWord, earlier: Sequence[EarlierRelease], etag: str | None) -> bytes:
    """Return what the cache keeps of a word: with the ETag of the very answer that it was read from.

    Of the earlier releases the attestations are left out: they have rows of their own.
    """
    bare = [one if one.attestations_url is None else replace(one, attestations=NOT_ASKED) for one in earlier]
    document = {"earlier": releases_document(bare), "etag": etag, "word": word_document(word)}
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


NOT_ASKED = Missing(absence=Absence.NOT_ASKED, reason="nobody asked for its attestations")


def load_word(value: bytes) -> tuple[RegistryWord, tuple[EarlierRelease, ...], str | None]:
    """Return what `dump_word` kept, as a word from the cache.

    Raises:
        InputError, orjson.JSONDecodeError: it is something else.
    """
    row = orjson.loads(value)
    if not isinstance(row, dict) or not isinstance(row.get("etag"), str | None):
        raise InputError("is not a word", where="fact cache")
    where = "fact cache"
    word = read_word(row.get("word"), where=where, origin=Origin.CACHE)
    return word, read_releases(row.get("earlier"), where=where), row.get("etag")


def load_tarball(value: bytes) -> TarballFacts:
    """Return what `dump_tarball` kept, as facts from the cache.

    Raises:
        InputError, orjson.JSONDecodeError: it is something else.
    """
    return read_tarball(orjson.loads(value), where="fact cache", origin=Origin.CACHE)


def dump_tarball(facts: TarballFacts) -> bytes:
    """Return what the cache keeps of a tarball."""
    return orjson.dumps(tarball_document(facts), option=orjson.OPT_SORT_KEYS)
