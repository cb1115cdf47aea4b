"""package.json as npm reads it, where that has one meaning; else the reason why it has none.

npm reads a manifest with JavaScript's `JSON.parse` after dropping a byte order mark, and replaces bytes that are not
UTF-8 (npm/cli: json-parse-even-better-errors, @npmcli/package-json). What differs between readers is refused here:
duplicate keys, `__proto__`, NaN, a lifecycle script that is not text, replaced bytes in a field that is read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

MAX_MANIFEST_BYTES = 4 * 1024 * 1024  # the largest package.json in the public registry is below 1 MiB
MAX_REPOSITORY = 2048  # characters of a URL that is only shown
MAX_AUTHOR = 1000  # characters: a name, an address, a URL
INSTALL_SCRIPTS = ("preinstall", "install", "postinstall")  # what npm runs for a dependency from a registry


class MalformedManifest(ValueError):
    """A package.json without one single meaning; the message is the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What is read from a package.json.

    Attributes:
        name, version: as stated, None where absent.
        scripts: the install scripts that npm would run, verbatim; an empty text is none, as for npm.
        gypfile: False only for `"gypfile": false`.
        licence: SPDX expression or other text, or None.
        dependencies: name → range of dependencies and optionalDependencies together.
        bin: names of the commands, sorted.
        repository: the repository's URL as stated, or None.
        author: `Name <email> (url)`, or None.
    """

    name: str | None
    version: str | None
    scripts: Mapping[str, str]
    gypfile: bool
    licence: str | None
    dependencies: Mapping[str, str]
    bin: tuple[str, ...]
    repository: str | None
    author: str | None = None


def read(data: bytes) -> Manifest:
    """Read a package.json.

    Raises:
        MalformedManifest: it has no one meaning.
    """
    document = _parse(data)
    return Manifest(
        name=_text(document, "name"),
        version=_text(document, "version"),
        scripts=install_scripts(document),
        gypfile=document.get("gypfile") is not False,
        licence=licence(document),
        dependencies=dependencies(document),
        bin=commands(document, document.get("name")),
        repository=repository(document),
        author=author(document),
    )


def install_scripts(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the install scripts of a parsed manifest, sorted by name.

    Raises:
        MalformedManifest: one of them is neither text nor null.
    """
    scripts = document.get("scripts")
    if not isinstance(scripts, Mapping):  # npm deletes what is not an object
        return {}
    return {name: text for name in sorted(INSTALL_SCRIPTS) if (text := _text(scripts, name))}


def licence(document: Mapping[str, Any]) -> str | None:
    """Return the licence of a parsed manifest: `license`, or the `license.type` and `licenses[].type` of old ones."""
    for key in ("license", "licenses"):
        value = document.get(key)
        found = [_licence_name(one) for one in (value if isinstance(value, list) else [value])]
        names = [name for name in found if name]
        if len(names) == 1:
            return names[0]
        if names:
            return f"({' OR '.join(names)})"
    return None


def dependencies(document: Mapping[str, Any]) -> dict[str, str]:
    """Return what a parsed manifest depends on: name → range, optional ones too, sorted.

    npm takes a name of `optionalDependencies` out of `dependencies`, and its registry has it in both: the optional one
    counts. What is no text is left out, as npm leaves it out.
    """
    found: dict[str, str] = {}
    for key in ("dependencies", "optionalDependencies"):
        section = document.get(key)
        if isinstance(section, Mapping):
            found.update((_plain(name), _plain(range_)) for name, range_ in section.items() if isinstance(range_, str))
    return dict(sorted(found.items()))


def commands(document: Mapping[str, Any], name: object) -> tuple[str, ...]:
    """Return the names that a parsed manifest's `bin` puts on the path, sorted.

    A text stands for one command of the package's own name, without its scope (npm docs, package.json: bin).
    """
    bin_ = document.get("bin")
    if isinstance(bin_, str):
        return (_plain(name.rpartition("/")[2]),) if isinstance(name, str) and bin_ else ()
    if not isinstance(bin_, Mapping):
        return ()
    # npm normalises a name to its last part: "../node" is linked as "node".
    names = (_plain(one) for one, path in bin_.items() if isinstance(path, str) and path)
    return tuple(sorted({last for name in names if (last := name.replace("\\", "/").rpartition("/")[2])}))


def repository(document: Mapping[str, Any]) -> str | None:
    """Return the repository that a parsed manifest claims, or None."""
    value = document.get("repository")
    if isinstance(value, Mapping):
        value = value.get("url")
    return _plain(value)[:MAX_REPOSITORY] or None if isinstance(value, str) else None


def _plain(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _licence_name(value: object) -> str | None:
    if isinstance(value, Mapping):
        value = value.get("type") or value.get("name")
    if not isinstance(value, str):
        return None
    return value.encode("utf-8", "replace").decode().strip() or None


def author(document: Mapping[str, Any]) -> str | None:
    """Return the author of a parsed manifest in npm's own spelling, `Name <email> (url)`; what is malformed is none."""
    value = document.get("author")
    if isinstance(value, Mapping):
        name, email, url = (part if isinstance(part := value.get(key), str) else "" for key in ("name", "email", "url"))
        value = " ".join((name, f"<{email}>" if email else "", f"({url})" if url else ""))
    if not isinstance(value, str):
        return None
    return " ".join(value.encode("utf-8", "replace").decode().split())[:MAX_AUTHOR] or None


def _text(document: Mapping[str, Any], key: str) -> str | None:
    value = document.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise MalformedManifest(f"{key} is not text but {type(value).__name__}")
    if "\ufffd" in value:
        raise MalformedManifest(f"{key} holds bytes that are not UTF-8")
    try:
        value.encode()
    except UnicodeEncodeError as e:
        raise MalformedManifest(f"{key} holds half of a surrogate pair") from e
    return value


def _parse(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_MANIFEST_BYTES:
        raise MalformedManifest(f"is {len(data):,} bytes, over the limit of {MAX_MANIFEST_BYTES:,}")
    text = data.decode("utf-8", "replace").removeprefix("\ufeff")
    try:
        document = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except MalformedManifest:
        raise
    except ValueError as e:  # not JSON, or an integer of more digits than Python converts
        raise MalformedManifest(f"is not JSON: {e}") from e
    except RecursionError as e:
        raise MalformedManifest("is nested too deeply") from e
    if not isinstance(document, dict):
        raise MalformedManifest(f"is not an object but {type(document).__name__}")
    return document


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        for key, value in pairs:
            last = result[key]
            if (
                type(value) is not type(last) or value != last
            ):  # twice the same still has one meaning, and real packages have it (bl 4.0.3)
                raise MalformedManifest(f"holds the key {key[:80]!r} twice in one object, with different values")
    if "__proto__" in result:
        raise MalformedManifest("holds the key '__proto__', which some readers take as inherited fields")
    return result


def _constant(word: str) -> NoReturn:
    raise MalformedManifest(f"is not JSON: holds {word}")
