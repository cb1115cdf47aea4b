"""npm's older lockfile format: a tree of `dependencies`, whose `version` may be a version, a URL, a path or an alias.

Version 1 is only that tree; version 2 carries it beside `packages`, for npm 6. Both become the flat form of version 3,
by the rules of npm's own migration (arborist, `Shrinkwrap.loadAll` and `metaFromLock`).
"""

from __future__ import annotations

from posixpath import normpath
from typing import Any

from sbomgate.errors import InputError
from sbomgate.lockfiles._npm_edges import specifier
from sbomgate.strict_json import kind_of, place

Entries = dict[str, dict[str, Any]]

_TARBALL = (".tgz", ".tar.gz", ".tar")
_SOURCES = ("git+", "git:", "git@", "github:", "gitlab:", "bitbucket:", "gist:", "ssh:", "http://", "https://")


def flatten(lock: dict[str, Any], where: str, limit: int) -> tuple[Entries, dict[str, str]]:
    """Return install path → entry in the form of version 3, and install path → place in the document.

    `requires` become `dependencies`: the format does not say which of them are optional.

    Raises:
        InputError: something in the tree is not what the format says, or there are more than `limit` entries.
    """
    entries: Entries = {}
    places: dict[str, str] = {}
    todo: list[tuple[str, tuple[str, ...], dict[str, Any]]] = [("", (), lock)]
    while todo:
        location, path, node = todo.pop()
        children = node.get("dependencies")
        if children is None:
            continue
        if type(children) is not dict:
            raise InputError(
                f"{kind_of(children)}, expected an object", where=where, place=place(*path, "dependencies")
            )
        prefix = f"{location}/node_modules/" if location else "node_modules/"
        for name, child in children.items():
            at = (*path, "dependencies", name)
            if type(child) is not dict:
                raise InputError(f"{kind_of(child)}, expected an object", where=where, place=place(*at))
            entry = _entry(name, child, where, at)
            own = prefix + name
            if own in entries:
                raise InputError("the same install path as another entry", where=where, place=place(*at))
            entries[own] = entry
            places[own] = place(*at)
            if len(entries) > limit:
                raise InputError(f"more than {limit:,} packages", where=where, place="dependencies")
            if entry.get("link"):
                own = entry["resolved"]
                # The tree does not know the version of what a link leads to.
                target = {key: value for key, value in entry.items() if key in ("dependencies", "dev", "optional")}
                if own and own not in entries:
                    entries[own] = target
                    places[own] = place(*at)
            todo.append((own, at, child))
    return entries, places


def _entry(name: str, child: dict[str, Any], where: str, at: tuple[str, ...]) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    version = child.get("version")
    if version is not None and type(version) is not str:
        raise InputError(f"{kind_of(version)}, expected a string", where=where, place=place(*at, "version"))
    origin = child.get("from")
    if (
        type(origin) is str
        and not child.get("integrity")
        and not child.get("resolved")
        and specifier(origin) not in ("range", "alias")
        and specifier(version or "") != "git"
    ):
        version = origin  # arborist, `specFromLock`: npm 7 and later installs that, whatever the version says
    if version is None:
        pass
    elif version.startswith("npm:"):
        real, at_sign, number = version[4:].rpartition("@")
        entry["name"], entry["version"] = (real, number) if at_sign and real else (version[4:], None)
    elif version.startswith("file:"):
        if version.endswith(_TARBALL):
            entry["resolved"] = version
        else:
            entry["link"], entry["resolved"] = True, normpath(version[5:]) if version[5:] not in ("", ".") else ""
    elif version.startswith(_SOURCES):
        entry["resolved"] = version
    else:
        entry["version"] = version
    for key in ("resolved", "integrity", "dev", "optional"):
        if key in child and key not in entry:
            entry[key] = child[key]
    if child.get("bundled"):
        entry["inBundle"] = child["bundled"]
    requires = child.get("requires")
    if type(requires) is dict:
        for needed, asked in requires.items():  # of a link too, whose own package.json is what counts then
            if type(asked) is not str:
                raise InputError(
                    f"{kind_of(asked)}, expected a string",
                    where=where,
                    place=place(*at, "requires", needed),
                    hint="npm refuses it too: let it write the lockfile again",
                )
        entry["dependencies"] = requires
    if entry.get("name") == name:
        del entry["name"]
    return entry
