"""What `inventory find` is asked: words, each a package or a condition. Pure.

    axios                       every version            axios@1.14.1, axios@^1.14 || ~0.30     ranges as npm reads them
    @tanstack/*                 a scope, or any pattern  pkg:npm/%40tanstack/router@1.2.3
    sha512-…, sha512:HEX        these bytes

Packages are alternatives; conditions, `key:value` with `*` for any text and `is:word`, all hold.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sbomgate import purl
from sbomgate.errors import InputError, UsageError
from sbomgate.times import parse_time

MAX_TERMS = 1_000
"""Words of one question: what a command line holds."""

_DIGEST = re.compile(r"(sha1|sha256|sha384|sha512)([:-])(.+)")
_BYTES = {"sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}
_AGE = re.compile(r"([0-9]{1,6})([hd])")
_PAST = "build.decided"

# Condition → column; the value may hold `*`.
_TEXTS = {
    "licence": "package.licence",
    "publisher": "package.publisher",
    "repository": "package.repository",
    "provenance": "package.provenance",
    "scripts": "package.scripts",
    "kind": "package.kind",
    "project": "build.project",
    "version": "build.project_version",
    "environment": "build.environment",
    "workspace": "build.workspace",
    "signer": "build.signer",
    "verdict": "build.verdict",
    "standing": "build.standing",
    "subject": "build.digest",
}
_WORDS = {
    "direct": "package.direct",
    "transitive": "NOT package.direct",
    "dev": "package.dev",
    "prod": "NOT package.dev",
    "optional": "package.optional",
    # What is not known is not "no": an SBOM that does not say may hold one (P6).
    "unattested": "coalesce(package.provenance, 'unattested') <> 'verified'",
    "scripted": "coalesce(package.scripts, 'unknown') <> 'none'",
}
_KEYS = sorted([*_TEXTS, "maintainer", "younger", "after", "before", "is"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Which packages: exactly one of `name`, `pattern` (with `*`) and `integrity`; `range` None is every version."""

    text: str
    name: str | None = None
    pattern: str | None = None
    integrity: str | None = None
    range: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """SQL that holds, with its parameters."""

    sql: str
    parameters: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """A question: any of the selectors (none: every package), and all conditions."""

    selectors: tuple[Selector, ...]
    conditions: tuple[Condition, ...]


def parse(words: Sequence[str]) -> Terms:
    """Return what words ask for.

    Raises:
        UsageError: a word is neither a package nor a condition, with what would be.
    """
    if len(words) > MAX_TERMS:
        raise UsageError(f"{len(words)} words, at most {MAX_TERMS} are read", hint="use `inventory sweep --feed FILE`")
    selectors: list[Selector] = []
    conditions: list[Condition] = []
    for word in words:
        key, colon, value = word.partition(":")
        if _DIGEST.fullmatch(word):
            selectors.append(_digest(word))
        elif word.startswith("pkg:"):
            selectors.append(_purl(word))
        elif colon and key in _KEYS:
            conditions.append(_condition(word, key, value))
        elif colon and re.fullmatch("[a-z]+", key) and not word.startswith("npm:"):
            raise UsageError(
                f"{key!r} is no condition", where=f"{word[:100]}", hint=f"one of: {', '.join(f'{k}:' for k in _KEYS)}"
            )
        else:
            selectors.append(_name(word))
    return Terms(selectors=tuple(selectors), conditions=tuple(conditions))


def like(text: str) -> str:
    """Return a text with `*` as SQL's LIKE has it, with `!` as its escape."""
    return re.sub(r"([!%_])", r"!\1", text).replace("*", "%")


def _name(word: str) -> Selector:
    name, at, range_ = word.removeprefix("npm:").rpartition("@")
    if not name:  # no version, or `@scope/name`
        name, at, range_ = word.removeprefix("npm:"), "", ""
    if name.startswith("@") and "/" not in name:
        raise UsageError("a scope, and no package of it", where=word[:100], hint=f"{name[:100]}/* is all of it")
    if not name or re.search(r"\s", name):
        raise UsageError("is no package", where=ascii(word[:100]), hint="name, name@version, name@range, or key:value")
    asked = range_.strip() if at else None
    if asked in ("", "*", "x"):
        asked = None
    if "*" in name:
        return Selector(text=word, pattern=name, range=asked)
    return Selector(text=word, name=name, range=asked)


def _purl(word: str) -> Selector:
    try:
        name, version = purl.parse(word)
    except InputError as e:
        raise UsageError("not a purl of type npm", where=word[:100], hint="pkg:npm/%40scope/name@1.2.3") from e
    return Selector(text=word, name=name, range=version)


def _digest(word: str) -> Selector:
    match = _DIGEST.fullmatch(word)
    assert match is not None  # noqa: S101 - the caller looked
    algorithm, sign, text = match.groups()
    try:
        raw = bytes.fromhex(text) if sign == ":" else b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raw = b""
    if len(raw) != _BYTES[algorithm]:
        raise UsageError(
            f"not a {algorithm} digest", where=word[:120], hint="sha512:HEX, or sha512-BASE64 as a lockfile has it"
        )
    return Selector(text=word, integrity=f"{algorithm}-{b64encode(raw).decode()}")


def _condition(word: str, key: str, value: str) -> Condition:
    if not value:
        raise UsageError("lacks its value", where=word[:100], hint=f"{key}:VALUE, with * for any text")
    if key == "is":
        if value not in _WORDS:
            raise UsageError(
                f"{value[:40]!r} is nothing to ask for", where=word[:100], hint=f"one of: {', '.join(_WORDS)}"
            )
        return Condition(sql=_WORDS[value])
    if key == "maintainer":
        return _maintainer(word, value)
    if key == "younger":
        age = _AGE.fullmatch(value)
        if age is None:
            raise UsageError(
                "not an age", where=word[:100], hint="younger:3d or younger:12h, when the build was decided"
            )
        hours = int(age[1]) * (24 if age[2] == "d" else 1)
        # An unknown time may be a young one.
        sql = f"(package.published IS NULL OR package.published > {_PAST} - INTERVAL {hours} HOUR)"
        return Condition(sql=sql)
    if key in ("after", "before"):
        sign = ">=" if key == "after" else "<"
        return Condition(sql=f"{_PAST} {sign} CAST(? AS TIMESTAMP)", parameters=(naive(time(value, word)),))
    if "*" in value:
        return Condition(sql=f"{_TEXTS[key]} LIKE ? ESCAPE '!'", parameters=(like(value),))
    return Condition(sql=f"{_TEXTS[key]} = ?", parameters=(value,))


def _maintainer(word: str, value: str) -> Condition:
    if "*" not in value:
        return Condition(sql="array_contains(package.maintainers, ?)", parameters=(value,))
    name = value.removeprefix("*").removesuffix("*")
    if "*" in name or not name:
        raise UsageError(
            "not the beginning or the end of a name", where=word[:100], hint="maintainer:al*, maintainer:*ice"
        )
    # LIKE looks into no list: they are one text, a name a line.
    begin, end = "" if value.startswith("*") else "\n", "" if value.endswith("*") else "\n"
    text = "concat(chr(10), concat_ws(chr(10), package.maintainers), chr(10))"
    return Condition(sql=f"{text} LIKE ? ESCAPE '!'", parameters=(f"%{begin}{like(name)}{end}%",))


def time(text: str, where: str) -> datetime:
    """Return the time that a person wrote: RFC 3339, or a date, which begins at midnight UTC.

    Raises:
        UsageError: it is neither.
    """
    try:
        return parse_time(f"{text}T00:00:00Z" if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else text)
    except ValueError as e:
        raise UsageError(str(e), where=where[:100], hint="2026-03-31, or 2026-03-31T00:21:00Z") from e


def naive(time: datetime) -> str:
    """Return a time as columns hold it: UTC without a zone."""
    return time.astimezone(UTC).replace(tzinfo=None).isoformat(" ")


def aware(time: datetime | None) -> datetime | None:
    """Return a time of a column as everything else has it."""
    return None if time is None else time.replace(tzinfo=UTC)
