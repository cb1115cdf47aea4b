"""A packument (what a registry says of all versions of a package), reduced to what is used. Pure.

Documented in npm/registry, docs/responses/package-metadata.md; the full form, because only it has `time`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

import orjson

from sbomgate import version_set
from sbomgate.errors import FetchError
from sbomgate.model import Absence, EarlierRelease, Missing, Origin, RegistrySignature, RegistryWord
from sbomgate.npm import manifest
from sbomgate.npm.earlier import earlier_versions, is_lower
from sbomgate.times import parse_time

MAX_TEXT = 64 * 1024  # characters of one field that is kept: scripts and deprecation texts are far shorter
MAX_SIGNATURES = 16  # of one version; npm has one or two
LIFECYCLE_SCRIPTS = ("install", "postinstall", "postprepare", "preinstall", "prepare", "preprepare")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a registry says of one version, and of the earlier ones that it is measured against."""

    word: RegistryWord
    earlier: tuple[EarlierRelease, ...]


def read(
    data: bytes, *, name: str, versions: Iterable[str], registry: str, asked_at: datetime
) -> dict[str, Said | Missing]:
    """Return version → what the registry says, for the versions that are asked for.

    A version that the packument does not have is Missing `absent`; a packument that is not one is Missing `malformed`
    for all of them. The attestations of an earlier release are Missing: `not-asked` where they are advertised.
    """
    wanted = list(versions)
    try:
        packument = _parse(data)
    except ValueError as e:
        missing = Missing(absence=Absence.MALFORMED, reason=f"the registry's answer for {name} {e}")
        return dict.fromkeys(wanted, missing)
    if packument.get("name") != name:
        reason = f"the registry's answer for {name} is about {str(packument.get('name'))[:214]!a}"
        return dict.fromkeys(wanted, Missing(absence=Absence.MALFORMED, reason=reason))
    known = _object(packument.get("versions"))
    times = _object(packument.get("time"))
    first = _first(times)
    latest = _text(_object(packument.get("dist-tags")).get("latest"))
    listed = version_set.encode(known) if len(known) <= version_set.MAX_VERSIONS else ""
    serves = any(_dist_has_evidence(one) for one in known.values())
    published = {version: _time(times.get(version)) for version in known}
    result: dict[str, Said | Missing] = {}
    for version in wanted:
        found = known.get(version)
        if not isinstance(found, dict):
            reason = f"the registry has no version {version} of {name} (any more)"
            result[version] = Missing(absence=Absence.ABSENT, reason=reason)
        else:
            result[version] = Said(
                word=_word(
                    found, _text(times.get(version)), first, serves, registry, asked_at, listed, _lower(latest, version)
                ),
                earlier=tuple(
                    _earlier(one, _object(known[one]), _text(times.get(one)), serves)
                    for one in earlier_versions(version, published)
                ),
            )
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A version that a registry has, and when it says that it was published; None where it does not say."""

    version: str
    published: datetime | None


def releases(data: bytes, *, name: str) -> list[Release]:
    """Return every version that a packument names.

    Raises:
        FetchError: it is none, or about another package.
    """
    try:
        packument = _parse(data)
    except ValueError as e:
        raise FetchError(f"the registry's answer {e}", where=name) from e
    if packument.get("name") != name:
        raise FetchError(f"the registry's answer is about {str(packument.get('name'))[:214]!a}", where=name)
    times = _object(packument.get("time"))
    return [Release(version=one, published=_time(times.get(one))) for one in _object(packument.get("versions"))]


def not_advertised(serves_evidence: bool) -> Missing:
    """Return what it means that a registry advertises no attestations of a version."""
    if serves_evidence:
        return Missing(absence=Absence.ABSENT, reason="the registry serves none for this version")
    reason = "the registry serves neither signatures nor attestations for any version of this package"
    return Missing(absence=Absence.NOT_SERVED, reason=reason)


def _earlier(version: str, found: Mapping[str, Any], published: str | None, serves: bool) -> EarlierRelease:
    dist, user = _object(found.get("dist")), _object(found.get("_npmUser"))
    url = _attestations_url(dist)
    return EarlierRelease(
        version=_clean(version) or "",
        integrity=_text(dist.get("integrity")),
        published=published,
        publisher=_text(user.get("name")),
        trusted_publisher=_text(_object(user.get("trustedPublisher")).get("id")),
        maintainers=_maintainers(found),
        attestations_url=url,
        attestations=not_advertised(serves)
        if url is None
        else Missing(absence=Absence.NOT_ASKED, reason="nobody asked for its attestations"),
    )


def _lower(latest: str | None, version: str) -> str | None:
    """Return what `latest` names where that is lower than a release (CASES T16); prereleases have tags of their own."""
    return latest if latest is not None and is_lower(latest, version) else None


def _attestations_url(dist: Mapping[str, Any]) -> str | None:
    attestations = dist.get("attestations")
    # Advertised without a usable URL is still advertised: the empty URL is refused when it is asked for.
    return None if attestations in (None, False) else _text(_object(attestations).get("url")) or ""


def _maintainers(version: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(sorted(filter(None, (_person(one) for one in _list(version.get("maintainers"))))))


def _word(
    version: Mapping[str, Any],
    published: str | None,
    first: str | None,
    serves: bool,
    registry: str,
    asked_at: datetime,
    listed: str,
    latest: str | None,
) -> RegistryWord:
    dist = _object(version.get("dist"))
    user = _object(version.get("_npmUser"))
    flag = version.get("hasInstallScript")
    deprecated = version.get("deprecated")
    return RegistryWord(
        registry=registry,
        asked_at=asked_at,
        origin=Origin.NETWORK,
        published=published,
        first_published=first,
        integrity=_text(dist.get("integrity")),
        tarball=_text(dist.get("tarball")),
        scripts={
            key: text
            for key in LIFECYCLE_SCRIPTS
            if (text := _text(_object(version.get("scripts")).get(key))) is not None
        },
        has_install_script=flag if isinstance(flag, bool) else None,
        signatures=_signatures(dist.get("signatures")),
        serves_evidence=serves,
        attestations_url=_attestations_url(dist),
        publisher=_text(user.get("name")),
        trusted_publisher=_text(_object(user.get("trustedPublisher")).get("id")),
        maintainers=_maintainers(version),
        licence=_clean(manifest.licence(version)),
        author=manifest.author(version),
        deprecated=_text(deprecated) or ("deprecated" if deprecated is True else None),
        dependencies=manifest.dependencies(version),
        bin=manifest.commands(version, str(version.get("name"))),
        versions=listed,
        latest=latest,
    )


def _signatures(value: object) -> tuple[RegistrySignature, ...]:
    found = []
    for one in _list(value)[:MAX_SIGNATURES]:
        keyid, sig = _text(_object(one).get("keyid")), _text(_object(one).get("sig"))
        # A signature that has no key or no value is still there: it is verified, and invalid.
        found.append(RegistrySignature(keyid=keyid or "", sig=sig or ""))
    return tuple(found)


def _first(times: Mapping[str, Any]) -> str | None:
    """The earliest of all times, `created` included; what is no time is left out."""
    found = []
    for text in times.values():
        if isinstance(text, str):
            try:
                found.append((parse_time(text), text))
            except ValueError:
                continue
    return min(found)[1] if found else None


def _time(value: object) -> datetime | None:
    try:
        return parse_time(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _dist_has_evidence(version: object) -> bool:
    dist = _object(_object(version).get("dist"))
    return bool(dist.get("signatures")) or dist.get("attestations") not in (None, False)


def _parse(data: bytes) -> dict[str, Any]:
    try:
        parsed = orjson.loads(data)
    except orjson.JSONDecodeError:
        # Registries cut READMEs inside a surrogate pair, which orjson refuses and JavaScript takes.
        try:
            parsed = json.loads(data.decode("utf-8"), parse_constant=_constant)
        except RecursionError as e:
            raise ValueError("is nested too deeply") from e
        except ValueError as e:
            raise ValueError("is not JSON") from e
    if not isinstance(parsed, dict):
        raise ValueError("is not an object")
    return parsed


def _constant(word: str) -> NoReturn:
    raise ValueError(f"holds {word}")


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _person(value: object) -> str | None:
    return _text(_object(value).get("name")) if isinstance(value, dict) else _text(value)


def _text(value: object) -> str | None:
    return _clean(value) if isinstance(value, str) else None


def _clean(value: str | None) -> str | None:
    """Text that can be written again: half surrogate pairs replaced, cut at the limit."""
    if value is None:
        return None
    return value[:MAX_TEXT].encode("utf-8", "replace").decode()
