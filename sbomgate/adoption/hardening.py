"""Hardened settings for the package manager at hand, in its own file: no scripts, a minimum release age, exact saves.

What a file says already stays. A setting is only added where this version of the package manager knows it, and only
where the file, read again afterwards, says all that it said before and the setting besides.

Sources: npm's config reference (min-release-age: npm 11.10), pnpm's settings (minimumReleaseAge: 10.16;
strictDepBuilds: 10.3; settings of every kind in pnpm-workspace.yaml: 10.6), yarn's configuration reference
(npmMinimalAgeGate: 4.10, in minutes), bun's bunfig reference (install.minimumReleaseAge: 1.3, in seconds).
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sbomgate.adoption.found import Manager
from sbomgate.errors import InputError
from sbomgate.model import ProjectFiles

_HOURS_A_DAY = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A setting.

    Attributes:
        key: as the file has it.
        value: what it reads as, once set.
        line: how it is written.
        why: what it does, for people.
        since: the first version of the package manager that knows it; None for all.
        against: a setting that it cannot stand beside.
    """

    key: str
    value: str
    line: str
    why: str
    since: tuple[int, int, int] | None = None
    against: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardening:
    """What would become of one file.

    Attributes:
        path: of the package manager's own file, relative to the project.
        after: its bytes with what was added; None where nothing has to be, or can be.
        added: settings that it does not have yet. kept: key → value of those that it has otherwise.
        notes: what could not be offered, and why: one sentence each.
    """

    path: str
    after: bytes | None
    added: tuple[Wanted, ...]
    kept: Mapping[str, str]
    notes: tuple[str, ...]


Settings = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """How a package manager's file is read, and how settings are written into it."""

    path: str
    read: Callable[[bytes, str], Settings]
    write: Callable[[str, list[str]], str]
    wanted: tuple[Wanted, ...]


def plan(manager: Manager, files: ProjectFiles, *, minimum_age_hours: float) -> Hardening:
    """Return what hardened settings would add to the package manager's own file.

    Args:
        manager: the package manager at hand, and its version.
        files: of the project.
        minimum_age_hours: the release age that the project waits for, by the rules.

    Raises:
        InputError: the file cannot be read: over its limit, not UTF-8, or without one single meaning.
    """
    form = _form(manager, minimum_age_hours)
    if isinstance(form, str):
        return Hardening(path="", after=None, added=(), kept={}, notes=(form,))
    before = files.read(form.path)
    has = form.read(before or b"", form.path)
    added, notes = [], []
    for one in form.wanted:
        if one.key in has:
            continue
        if one.since is not None and (manager.version is None or manager.version < one.since):
            notes.append(_too_old(one, manager))
        elif one.against is not None and one.against in has:
            notes.append(f"{one.key} is left out: {manager.name} refuses it beside `{one.against}`, which is set")
        else:
            added.append(one)
    kept = {one.key: has[one.key] for one in form.wanted if one.key in has and has[one.key] != one.value}
    after = None
    if added:
        after = _written(before, form, added, has)
        if after is None:
            lines = "; ".join(one.line for one in added)
            notes.append(f"{form.path} has a form that is not written into: add by hand: {lines}")
            added = []
    return Hardening(path=form.path, after=after, added=tuple(added), kept=kept, notes=tuple(notes))


def _written(before: bytes | None, form: _Form, added: list[Wanted], has: Settings) -> bytes | None:
    """Return the file with these settings, or None where it would not say exactly that when it is read."""
    text = "" if before is None else before.decode("utf-8")
    newline = "\r\n" if "\r\n" in text else "\n"
    try:
        after = form.write(text.replace("\r\n", "\n"), [one.line for one in added]).replace("\n", newline).encode()
        said = form.read(after, form.path)
    except InputError:
        return None
    return after if said == has | {one.key: one.value for one in added} else None


def _too_old(one: Wanted, manager: Manager) -> str:
    since = "" if one.since is None else ".".join(map(str, one.since))
    at_hand = "unknown" if manager.version is None else ".".join(map(str, manager.version))
    advice = (
        f"pin it in package.json's packageManager, or run {manager.name}" if manager.version is None else "update to"
    )
    return f"{one.key} ({one.why}) needs {manager.name} {since}, the version at hand is {at_hand}: {advice} {since}"


# --------------------------------------------------------------------------------------------------------------------
# One table per package manager


def _form(manager: Manager, hours: float) -> _Form | str:
    days = max(1, -int(-hours // _HOURS_A_DAY))
    minutes, seconds = days * 24 * 60, days * 24 * 60 * 60
    scripts = "runs no package's install script; approved ones by `npm rebuild --ignore-scripts=false NAME`"
    age, exact = f"takes no version younger than {days} days", "writes exact versions into package.json"
    match manager.name:
        case "npm":
            return _Form(
                path=".npmrc",
                read=_read_npmrc,
                write=_append,
                wanted=(
                    Wanted(key="ignore-scripts", value="true", line="ignore-scripts=true", why=scripts),
                    Wanted(
                        key="min-release-age",
                        value=str(days),
                        line=f"min-release-age={days}",
                        why=age,
                        since=(11, 10, 0),
                        against="before",
                    ),
                    Wanted(key="save-exact", value="true", line="save-exact=true", why=exact),
                ),
            )
        case "pnpm" if manager.version is not None and manager.version >= (10, 6, 0):
            return _Form(
                path="pnpm-workspace.yaml",
                read=_read_yaml,
                write=_append,
                wanted=(
                    Wanted(
                        key="strictDepBuilds",
                        value="true",
                        line="strictDepBuilds: true",
                        why="an install script that nobody has approved ends the installation",
                        since=(10, 6, 0),
                    ),
                    Wanted(
                        key="minimumReleaseAge",
                        value=str(minutes),
                        line=f"minimumReleaseAge: {minutes}",
                        why=age,
                        since=(10, 16, 0),
                    ),
                    Wanted(key="saveExact", value="true", line="saveExact: true", why=exact),
                ),
            )
        case "pnpm" if manager.version is not None:
            return _Form(
                path=".npmrc",
                read=_read_npmrc,
                write=_append,
                wanted=(
                    Wanted(
                        key="ignore-scripts",
                        value="true",
                        line="ignore-scripts=true",
                        why="runs no package's install script",
                    ),
                    Wanted(
                        key="minimum-release-age",
                        value=str(minutes),
                        line=f"minimum-release-age={minutes}",
                        why=age,
                        since=(10, 16, 0),
                    ),
                    Wanted(key="save-exact", value="true", line="save-exact=true", why=exact),
                ),
            )
        case "yarn":
            return _Form(
                path=".yarnrc.yml",
                read=_read_yaml,
                write=_append,
                wanted=(
                    Wanted(
                        key="enableScripts",
                        value="false",
                        line="enableScripts: false",
                        why="runs no install script but of packages that dependenciesMeta in package.json has as built",
                    ),
                    Wanted(
                        key="npmMinimalAgeGate",
                        value=str(minutes),
                        line=f"npmMinimalAgeGate: {minutes}",
                        why=age,
                        since=(4, 10, 0),
                    ),
                    Wanted(key="defaultSemverRangePrefix", value="", line='defaultSemverRangePrefix: ""', why=exact),
                ),
            )
        case "yarn-classic":
            return _Form(
                path=".yarnrc",
                read=_read_yarnrc,
                write=_append,
                wanted=(
                    Wanted(
                        key="ignore-scripts",
                        value="true",
                        line="ignore-scripts true",
                        why="runs no package's install script",
                    ),
                    Wanted(key="save-prefix", value="", line='save-prefix ""', why=exact),
                ),
            )
        case "bun":
            return _Form(
                path="bunfig.toml",
                read=_read_bunfig,
                write=_into_install,
                wanted=(
                    Wanted(
                        key="ignoreScripts", value="true", line="ignoreScripts = true", why="runs no install script"
                    ),
                    Wanted(
                        key="minimumReleaseAge",
                        value=str(seconds),
                        line=f"minimumReleaseAge = {seconds}",
                        why=age,
                        since=(1, 3, 0),
                    ),
                    Wanted(key="exact", value="true", line="exact = true", why=exact),
                ),
            )
    return (
        f"which version of {manager.name} installs is not known, and its versions read different files: "
        "name it in package.json's packageManager"
    )


# --------------------------------------------------------------------------------------------------------------------
# Reading and writing


def _read_npmrc(data: bytes, where: str) -> Settings:
    from sbomgate.lockfiles import _npmrc

    extra = frozenset({"minimum-release-age"})
    found = _npmrc.parse(data, where, fetches=extra)
    return {**found.settings, "registry": found.registry, **{f"{k}:registry": v for k, v in found.scopes.items()}}


def _read_yaml(data: bytes, where: str) -> Settings:
    from sbomgate.lockfiles._yaml import load_documents

    documents = load_documents(data, where)
    if len(documents) > 1 or (documents and documents[0] is not None and not isinstance(documents[0], dict)):
        raise InputError("expected one mapping", where=where, hint="correct the file")
    return {key: _text(value) for key, value in (documents[0] or {} if documents else {}).items()}


def _read_yarnrc(data: bytes, where: str) -> Settings:
    try:
        lines = data.decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError("not UTF-8", where=where, hint="save the file as UTF-8") from error
    found: Settings = {}
    for line in lines:
        key, _, value = line.strip().partition(" ")
        if key and not key.startswith("#"):
            found[key.strip('":')] = value.strip().strip('"')
    return found


def _read_bunfig(data: bytes, where: str) -> Settings:
    try:
        document = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, or an integer of thousands of digits
        raise InputError(f"not TOML: {str(error)[:200]}", where=where, hint="correct the file") from error
    install = document.pop("install", {})
    if not isinstance(install, dict):
        raise InputError("expected a table", where=where, place="install", hint="correct the file")
    return {key: _text(value) for key, value in install.items()} | {f".{k}": _text(v) for k, v in document.items()}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _append(text: str, lines: list[str]) -> str:
    if text and not text.endswith("\n"):
        text += "\n"
    return text + "\n".join(lines) + "\n"


def _into_install(text: str, lines: list[str]) -> str:
    """Return the TOML with lines in its table `[install]`, which is begun at the end where there is none."""
    out = text.split("\n")
    for number, line in enumerate(out):
        if line.partition("#")[0].strip() == "[install]":
            return "\n".join([*out[: number + 1], *lines, *out[number + 1 :]])
    gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
    return _append(text + gap, ["[install]", *lines])
