"""Collected facts as a document that travels: canonical JSON (docs/facts.md lists the fields).

It is the file that lies beside the evidence, and the predicate of a signed facts statement. Reading it proves nothing:
whoever calls `loads` has verified the signature, or keeps only what is verified again from bytes (`unsigned`,
PROMISES P14).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

import orjson

from sbomgate.errors import InputError
from sbomgate.model import (
    Absence,
    AttestationDocument,
    BundledManifest,
    CollectedFacts,
    EarlierRelease,
    FactKey,
    Missing,
    Origin,
    RegistrySignature,
    RegistryWord,
    TarballFacts,
)
from sbomgate.times import format_time, parse_time

SCHEMA = "sbomgate/facts/v1"
# What stands in an object of the document has the names that it has in the value.
_WORD, _TARBALL, _DOCUMENT, _RELEASE, _SIGNATURE, _BUNDLED = (
    frozenset(value.__slots__)
    for value in (RegistryWord, TarballFacts, AttestationDocument, EarlierRelease, RegistrySignature, BundledManifest)
)
_TOP = frozenset({"schema", "facts"})
_ENTRY = frozenset({"name", "version", "integrity", "registry", "tarball", "attestations", "earlier"})
_MISSING = frozenset({"missing", "reason"})
MAX_DOCUMENT_BYTES = 512 * 1024 * 1024  # 20,000 packages, each with attestations of 25 kB in base64


def dumps(collected: Mapping[FactKey, CollectedFacts]) -> bytes:
    """Return the canonical JSON of collected facts: sorted by key, the same bytes for the same facts."""
    return orjson.dumps(to_document(collected), option=orjson.OPT_SORT_KEYS)


def loads(data: bytes, *, where: str = "facts") -> dict[FactKey, CollectedFacts]:
    """Read what `dumps` wrote.

    Raises:
        InputError: over the limit, not such a document, or not in the canonical form: so no duplicate key, no unknown
            field and no second way to say the same.
    """
    if len(data) > MAX_DOCUMENT_BYTES:
        raise InputError(f"is {len(data):,} bytes, over the limit of {MAX_DOCUMENT_BYTES:,}", where=where)
    try:
        parsed = orjson.loads(data)
    except orjson.JSONDecodeError as e:
        raise InputError(f"is not JSON: {e}", where=where) from e
    result = from_document(parsed, where=where)
    if dumps(result) != data:
        raise InputError(
            f"is not the canonical form of {SCHEMA}: a key is doubled, unknown or out of order",
            where=where,
            hint="use the file as it was written",
        )
    return result


def to_document(collected: Mapping[FactKey, CollectedFacts]) -> dict[str, Any]:
    """Return collected facts as the object that `dumps` writes: the predicate of a facts statement."""
    return {"schema": SCHEMA, "facts": [_entry(collected[key]) for key in sorted(collected)]}


def from_document(value: object, *, where: str = "facts") -> dict[FactKey, CollectedFacts]:
    """Return the collected facts of such an object.

    Raises:
        InputError: a field is missing, unknown or of another type; with its place.
    """
    top = _Reader(value, where, "")
    schema = top.text("schema")
    if schema != SCHEMA:
        raise top.error("schema", f"is {schema[:80]!r}, expected {SCHEMA!r}")
    entries = top.items("facts")
    top.done(_TOP)
    result: dict[FactKey, CollectedFacts] = {}
    for entry in entries:
        facts = _read_entry(entry)
        if facts.key in result:
            raise entry.error("", "is there twice")
        result[facts.key] = facts
    return result


def recorded(collected: Mapping[FactKey, CollectedFacts]) -> dict[FactKey, CollectedFacts]:
    """Return facts of a document whose signature was verified: every origin becomes `recorded`."""
    return {key: as_recorded(facts) for key, facts in collected.items()}


def as_recorded(facts: CollectedFacts) -> CollectedFacts:
    """Return one entry with every origin `recorded`."""
    earlier = facts.earlier
    if isinstance(earlier, tuple) and earlier:
        earlier = tuple(replace(one, attestations=_recorded(one.attestations)) for one in earlier)
    return CollectedFacts(
        key=facts.key,
        registry=_recorded(facts.registry),
        tarball=_recorded(facts.tarball),
        attestations=_recorded(facts.attestations),
        earlier=earlier,
    )


_Known = TypeVar("_Known", RegistryWord, TarballFacts, AttestationDocument)


def _recorded(known: _Known | Missing) -> _Known | Missing:
    if isinstance(known, Missing) or known.origin is Origin.RECORDED:
        return known
    return replace(known, origin=Origin.RECORDED)


def unsigned(collected: Mapping[FactKey, CollectedFacts]) -> dict[FactKey, CollectedFacts]:
    """Return what may be kept of a document that nobody accepted has signed (PROMISES P14).

    That is the attestations, which are verified again from their bytes. Its words and its tarball facts are as if never
    asked.
    """
    missing = Missing(absence=Absence.NOT_ASKED, reason="only an unsigned facts file states it")
    return {
        key: replace(
            facts,
            registry=missing,
            tarball=missing,
            attestations=missing if isinstance(facts.attestations, Missing) else facts.attestations,
            earlier=None,
        )
        for key, facts in recorded(collected).items()
    }


def word_document(word: RegistryWord) -> dict[str, Any]:
    """Return a registry's word as JSON values."""
    return {
        "asked_at": format_time(word.asked_at),
        "attestations_url": word.attestations_url,
        "bin": None if word.bin is None else list(word.bin),
        "dependencies": None if word.dependencies is None else dict(word.dependencies),
        "deprecated": word.deprecated,
        "first_published": word.first_published,
        "has_install_script": word.has_install_script,
        "integrity": word.integrity,
        "licence": word.licence,
        **_given("author", word.author),
        **_given("latest", word.latest),
        "maintainers": list(word.maintainers),
        "origin": word.origin.value,
        "published": word.published,
        "publisher": word.publisher,
        "registry": word.registry,
        "scripts": dict(word.scripts),
        "serves_evidence": word.serves_evidence,
        "signatures": [{"keyid": one.keyid, "sig": one.sig} for one in word.signatures],
        "tarball": word.tarball,
        "trusted_publisher": word.trusted_publisher,
        "versions": word.versions,
    }


def tarball_document(facts: TarballFacts) -> dict[str, Any]:
    """Return the facts of a tarball as JSON values."""
    return {
        "bin": None if facts.bin is None else list(facts.bin),
        "bundled": [
            {
                "gyp": one.gyp,
                "name": one.name,
                "path": one.path,
                "scripts": dict(one.scripts),
                "version": one.version,
            }
            for one in facts.bundled
        ],
        "dependencies": None if facts.dependencies is None else dict(facts.dependencies),
        "files": dict(facts.files),
        "gyp": facts.gyp,
        "licence": facts.licence,
        **_given("author", facts.author),
        "name": facts.name,
        "origin": facts.origin.value,
        "repository": facts.repository,
        "scripts": dict(facts.scripts),
        "sha512": facts.sha512,
        "version": facts.version,
    }


def releases_document(releases: Sequence[EarlierRelease]) -> list[dict[str, Any]]:
    """Return earlier releases as JSON values."""
    return [
        {
            "attestations": _attestations(one.attestations),
            "attestations_url": one.attestations_url,
            "integrity": one.integrity,
            "maintainers": list(one.maintainers),
            "published": one.published,
            "publisher": one.publisher,
            "trusted_publisher": one.trusted_publisher,
            "version": one.version,
        }
        for one in releases
    ]


def read_releases(value: object, *, where: str) -> tuple[EarlierRelease, ...]:
    """Return the earlier releases that `releases_document` wrote.

    Raises:
        InputError: they are not such.
    """
    return tuple(_read_release(one) for one in _Reader({"earlier": value}, where, "").items("earlier"))


def read_word(value: object, *, where: str, origin: Origin | None = None) -> RegistryWord:
    """Return the word that `word_document` wrote, with another origin where one is given.

    Raises:
        InputError: it is not one.
    """
    return _read_word(_Reader(value, where, ""), origin)


def read_tarball(value: object, *, where: str, origin: Origin | None = None) -> TarballFacts:
    """Return the facts that `tarball_document` wrote, with another origin where one is given.

    Raises:
        InputError: they are not such.
    """
    return _read_tarball(_Reader(value, where, ""), origin)


def _entry(facts: CollectedFacts) -> dict[str, Any]:
    word, tarball, earlier = facts.registry, facts.tarball, facts.earlier
    return {
        "name": facts.key.name,
        "version": facts.key.version,
        "integrity": facts.key.integrity,
        "registry": _missing(word) if isinstance(word, Missing) else word_document(word),
        "tarball": _missing(tarball) if isinstance(tarball, Missing) else tarball_document(tarball),
        "attestations": _attestations(facts.attestations),
        "earlier": _missing(earlier)
        if isinstance(earlier, Missing)
        else None
        if earlier is None
        else releases_document(earlier),
    }


def _attestations(document: AttestationDocument | Missing) -> dict[str, Any]:
    if isinstance(document, Missing):
        return _missing(document)
    body = base64.b64encode(document.body).decode()
    return {"body": body, "origin": document.origin.value, "sha256": document.sha256}


def _given(field: str, text: str | None) -> dict[str, str]:
    """A field where it is known: documents of before do not have it."""
    return {} if text is None else {field: text}


def _missing(missing: Missing) -> dict[str, Any]:
    return {"missing": missing.absence.value, "reason": missing.reason}


class _Reader:
    """An object of the document: no field may be missing, and none be left over."""

    __slots__ = ("_place", "_where", "value")

    def __init__(self, value: object, where: str, place: str) -> None:
        self._where = where
        self._place = place
        if not isinstance(value, dict):
            raise self.error("", f"is {_kind(value)}, expected an object")
        self.value: dict[str, Any] = value

    def error(self, key: str, message: str) -> InputError:
        place = f"{self._place}.{key}" if self._place and key else self._place or key
        return InputError(message, where=self._where, place=place)

    def done(self, fields: frozenset[str]) -> None:
        if not self.value.keys() <= fields:
            raise self.error(min(self.value.keys() - fields), "is an unknown field")

    def get(self, key: str) -> Any:
        if key not in self.value:
            raise self.error(key, "is missing")
        return self.value[key]

    # Half of all fields are texts or null, and a project has tens of thousands of them: one look at each.
    def text(self, key: str) -> str:
        value = self.value.get(key)
        if type(value) is str:
            return value
        raise self.error(key, f"is {_kind(self.get(key))}, expected text")

    def text_or_none(self, key: str) -> str | None:
        value = self.value.get(key)
        if type(value) is str:
            return value
        if self.get(key) is not None:
            raise self.error(key, f"is {_kind(value)}, expected text")
        return None

    def flag(self, key: str) -> bool:
        value = self.get(key)
        if not isinstance(value, bool):
            raise self.error(key, f"is {_kind(value)}, expected true or false")
        return value

    def flag_or_none(self, key: str) -> bool | None:
        return None if self.get(key) is None else self.flag(key)

    def origin(self) -> Origin:
        value = self.text("origin")
        try:
            return Origin(value)
        except ValueError as e:
            raise self.error("origin", f"is {value[:80]!r}, expected one of {', '.join(Origin)}") from e

    def time(self, key: str) -> datetime:
        value = self.text(key)
        try:
            return parse_time(value)
        except ValueError as e:
            raise self.error(key, str(e)) from e

    def texts(self, key: str) -> dict[str, str]:
        value = self.get(key)
        if not isinstance(value, dict):
            raise self.error(key, "is not an object of texts")
        for one in value.values():
            if type(one) is not str:
                raise self.error(key, "is not an object of texts")
        return value

    def texts_or_none(self, key: str) -> dict[str, str] | None:
        return None if self.get(key) is None else self.texts(key)

    def words(self, key: str) -> tuple[str, ...]:
        value = self.sequence(key)
        for one in value:
            if type(one) is not str:
                raise self.error(key, "is not a list of texts")
        return tuple(value)

    def words_or_none(self, key: str) -> tuple[str, ...] | None:
        return None if self.get(key) is None else self.words(key)

    def sequence(self, key: str) -> list[Any]:
        value = self.get(key)
        if not isinstance(value, list):
            raise self.error(key, f"is {_kind(value)}, expected a list")
        return value

    def items(self, key: str) -> list[_Reader]:
        found = self.sequence(key)
        if not found:
            return []
        prefix = f"{self._place}.{key}" if self._place else key
        return [_Reader(one, self._where, f"{prefix}[{index}]") for index, one in enumerate(found)]

    def child(self, key: str) -> _Reader:
        return _Reader(self.get(key), self._where, f"{self._place}.{key}" if self._place else key)

    def missing(self) -> Missing | None:
        if "missing" not in self.value:
            return None
        absence = self.text("missing")
        reason = self.text("reason")
        self.done(_MISSING)
        try:
            return Missing(absence=Absence(absence), reason=reason)
        except ValueError as e:
            raise self.error("missing", f"is {absence[:80]!r}, expected one of {', '.join(Absence)}") from e


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _read_entry(entry: _Reader) -> CollectedFacts:
    key = FactKey(name=entry.text("name"), version=entry.text("version"), integrity=entry.text("integrity"))
    word, tarball, attestations = entry.child("registry"), entry.child("tarball"), entry.child("attestations")
    earlier = _read_earlier(entry)
    entry.done(_ENTRY)
    return CollectedFacts(
        key=key,
        registry=word.missing() or _read_word(word),
        tarball=tarball.missing() or _read_tarball(tarball),
        attestations=attestations.missing() or _read_attestations(attestations),
        earlier=earlier,
    )


def _read_earlier(entry: _Reader) -> tuple[EarlierRelease, ...] | Missing | None:
    match entry.get("earlier"):
        case None:
            return None
        case list():
            return tuple(_read_release(one) for one in entry.items("earlier"))
        case _:
            missing = entry.child("earlier").missing()
            if missing is None:
                raise entry.error("earlier", "is neither a list nor missing")
            return missing


def _read_release(one: _Reader) -> EarlierRelease:
    attestations = one.child("attestations")
    result = EarlierRelease(
        version=one.text("version"),
        integrity=one.text_or_none("integrity"),
        published=one.text_or_none("published"),
        publisher=one.text_or_none("publisher"),
        trusted_publisher=one.text_or_none("trusted_publisher"),
        maintainers=one.words("maintainers"),
        attestations_url=one.text_or_none("attestations_url"),
        attestations=attestations.missing() or _read_attestations(attestations),
    )
    one.done(_RELEASE)
    return result


def _read_word(word: _Reader, origin: Origin | None = None) -> RegistryWord:
    signatures = []
    for one in word.items("signatures"):
        signatures.append(RegistrySignature(keyid=one.text("keyid"), sig=one.text("sig")))
        one.done(_SIGNATURE)
    stated = word.origin()
    result = RegistryWord(
        registry=word.text("registry"),
        asked_at=word.time("asked_at"),
        origin=origin or stated,
        published=word.text_or_none("published"),
        first_published=word.text_or_none("first_published"),
        integrity=word.text_or_none("integrity"),
        tarball=word.text_or_none("tarball"),
        scripts=word.texts("scripts"),
        has_install_script=word.flag_or_none("has_install_script"),
        signatures=tuple(signatures),
        serves_evidence=word.flag("serves_evidence"),
        attestations_url=word.text_or_none("attestations_url"),
        publisher=word.text_or_none("publisher"),
        trusted_publisher=word.text_or_none("trusted_publisher"),
        maintainers=word.words("maintainers"),
        licence=word.text_or_none("licence"),
        author=word.text("author") if "author" in word.value else None,
        latest=word.text("latest") if "latest" in word.value else None,
        deprecated=word.text_or_none("deprecated"),
        dependencies=word.texts_or_none("dependencies"),
        bin=word.words_or_none("bin"),
        versions=word.text("versions"),
    )
    word.done(_WORD)
    return result


def _read_tarball(tarball: _Reader, origin: Origin | None = None) -> TarballFacts:
    bundled = []
    for one in tarball.items("bundled"):
        bundled.append(
            BundledManifest(
                path=one.text("path"),
                name=one.text("name"),
                version=one.text("version"),
                scripts=one.texts("scripts"),
                gyp=one.flag("gyp"),
            )
        )
        one.done(_BUNDLED)
    stated = tarball.origin()
    result = TarballFacts(
        sha512=tarball.text("sha512"),
        origin=origin or stated,
        name=tarball.text("name"),
        version=tarball.text("version"),
        scripts=tarball.texts("scripts"),
        gyp=tarball.flag("gyp"),
        bundled=tuple(bundled),
        licence=tarball.text_or_none("licence"),
        files=tarball.texts("files"),
        dependencies=tarball.texts_or_none("dependencies"),
        bin=tarball.words_or_none("bin"),
        repository=tarball.text_or_none("repository"),
        author=tarball.text("author") if "author" in tarball.value else None,
    )
    tarball.done(_TARBALL)
    return result


def _read_attestations(attestations: _Reader) -> AttestationDocument:
    text = attestations.text("body")
    try:
        body = base64.b64decode(text, validate=True)
    except binascii.Error as e:
        raise attestations.error("body", "is not base64") from e
    if base64.b64encode(body).decode() != text:
        raise attestations.error("body", "is not the canonical base64 of its bytes")
    sha256 = attestations.text("sha256")
    if hashlib.sha256(body).hexdigest() != sha256:
        raise attestations.error("sha256", "is not the digest of body")
    result = AttestationDocument(body=body, sha256=sha256, origin=attestations.origin())
    attestations.done(_DOCUMENT)
    return result
