"""Fields of package.json that have had several forms over the years, and the patterns of `workspaces`."""

from __future__ import annotations

import re
from typing import Any

from sbomgate.errors import InputError
from sbomgate.model import ProjectFiles
from sbomgate.purl import public_url
from sbomgate.strict_json import kind_of

_BESIDE_PACKAGES = {"catalog", "catalogs", "nohoist"}  # of bun and yarn 1, which do without `packages`

MAX_MANIFEST_BYTES = 16 << 20
"""Largest package.json, in bytes; real ones stay under 100 kB."""

MAX_DIRECTORIES = 100_000
"""Most directories that are looked into for workspaces: ten times the largest monorepo known."""

MAX_STARS = 8
"""Levels of directories that `**` in a workspace pattern stands for."""

Patterns = list[tuple[bool, re.Pattern[str]]]
"""Whether a pattern adds or (`!…`) takes away, and the pattern."""


def workspace_patterns(manifest: dict[str, Any], where: str, *, key: str = "workspaces") -> Patterns:
    """Return the patterns of `workspaces` (pnpm: `packages`), in order; a later one overrules an earlier one.

    Raises:
        InputError: not a list of texts (npm refuses to install).
    """
    value = manifest.get(key)
    if type(value) is dict and ("packages" in value or value.keys() <= _BESIDE_PACKAGES):
        value = value.get("packages")
    if not value:
        return []
    if type(value) is not list or not all(type(text) is str for text in value):
        shown = "an array with other than strings" if type(value) is list else kind_of(value)
        message = f"{shown}, expected an array of strings"
        raise InputError(message, where=where, place=key, hint="write the directories of the workspaces")
    patterns: Patterns = []
    for text in value:
        negated = text.startswith("!")
        pattern = text.lstrip("!").removeprefix("./").strip("/")
        patterns.append((not negated, re.compile(_glob(pattern))))
    return patterns


def workspaces_on_disk(
    files: ProjectFiles, base: str, manifest: dict[str, Any], *, file: str = "package.json", key: str = "workspaces"
) -> list[str]:
    """Return the directories that `workspaces` of a package.json stands for: those with a package.json of their own.

    Args:
        files: of the repository.
        base: the project's directory in it, with its slash.
        manifest: the project's package.json.
        file: what stands in its place (pnpm-workspace.yaml).
        key: what stands in place of `workspaces`.

    Raises:
        InputError: not a list of texts, or more than `MAX_DIRECTORIES` have to be looked into.
    """
    where = base + file
    patterns = workspace_patterns(manifest, where, key=key)
    value = manifest.get(key)
    texts: list[str] = (value.get("packages") if type(value) is dict else value) or []
    found: set[str] = set()
    visits = 0
    for text in texts:
        if text.startswith("!"):
            continue
        parts = [part for part in text.removeprefix("./").split("/") if part not in ("", ".")]
        fixed = 0
        while fixed < len(parts) and not set(parts[fixed]) & set("*?{["):
            fixed += 1
        depth = MAX_STARS if "**" in text else len(parts) - fixed
        todo = [("/".join(parts[:fixed]), depth)]
        while todo:
            directory, left = todo.pop()
            if directory and matches(patterns, directory) and files.has(f"{base}{directory}/package.json"):
                found.add(directory)
            if not left:
                continue
            visits += 1
            if visits > MAX_DIRECTORIES:
                raise InputError(
                    f"more than {MAX_DIRECTORIES:,} directories to look for workspaces in",
                    where=where,
                    place=key,
                    hint="write narrower patterns",
                )
            todo += (
                (f"{directory}/{name}" if directory else name, left - 1)
                for name in files.names((base + directory).rstrip("/"))
                if name != "node_modules" and not name.startswith(".")
            )
    return sorted(found)


def matches(patterns: Patterns, directory: str) -> bool:
    """Whether a directory is a workspace by these patterns."""
    matched = False
    for positive, pattern in patterns:
        if pattern.fullmatch(directory):
            matched = positive
    return matched


def _glob(pattern: str) -> str:
    """Return a workspace pattern (`packages/*`, `apps/**`, `{a,b}/c`) as a regular expression."""
    out: list[str] = []
    at, braces = 0, 0
    while at < len(pattern):
        char = pattern[at]
        if pattern.startswith("**/", at):
            out.append("(?:[^/]+/)*")
            at += 3
            continue
        if pattern.startswith("**", at):
            out.append(".*")
            at += 2
            continue
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "{":
            braces += 1
            out.append("(?:")
        elif char == "}" and braces:
            braces -= 1
            out.append(")")
        elif char == "," and braces:
            out.append("|")
        else:
            out.append(re.escape(char))
        at += 1
    return "".join(out) + ")" * braces


def package_managers(manifest: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return code, place and message for each package manager that a package.json has corepack, or pnpm, fetch and run.

    One that comes from a URL has the code of one without a hash: whoever wrote the URL wrote the hash.
    """

    def found(name: str, where: str, runs: str) -> tuple[str, str, str]:
        code = "package-manager-hashed" if "+sha" in name and "://" not in name else "package-manager"
        return code, f"package.json {where}", f"{runs} {public_url(name)[:200]}"

    managers = []
    named = manifest.get("packageManager")
    if type(named) is str:
        managers.append(found(named, "packageManager", "corepack runs"))
    engines = manifest.get("devEngines")
    wanted = engines.get("packageManager") if type(engines) is dict else None
    for one in wanted if type(wanted) is list else [wanted]:
        if type(one) is dict and type(one.get("name")) is str and type(one.get("version")) is str:
            name = f"{one['name']}@{one['version']}"
            managers.append(found(name, "devEngines.packageManager", "corepack and pnpm fetch and run"))
    return managers


def engines_of(value: Any) -> dict[str, str]:
    """Return `engines` as name → range, whatever form it has."""
    if type(value) is dict:
        pairs = value.items() if len(value) == 1 else sorted(value.items())
        return {name: range_ for name, range_ in pairs if type(range_) is str}
    if type(value) is list:  # a form of npm's first years: ["node >= 0.6"]
        words = (text.strip().partition(" ") for text in value if type(text) is str)
        return dict(sorted((name, range_.strip()) for name, _, range_ in words if name))
    return {}


def licence_of(value: Any) -> str | None:
    """Return `license` as one text, or None: the field was an object or an array in npm's first years."""
    if type(value) is str:
        return value
    if type(value) is dict:
        kind = value.get("type")
        return kind if type(kind) is str else None
    if type(value) is list:
        names = [name for item in value if (name := licence_of(item))]
        return f"({' OR '.join(names)})" if len(names) > 1 else names[0] if names else None
    return None


def deprecation_of(value: Any) -> str | None:
    """Return the text of `deprecated`, or None where the package is not."""
    if type(value) is str:
        return value or None
    return "deprecated" if value is True else None
