"""What a watch leaves for its next run: one file, replaced as a whole.

    packages    registry → name → the ETag of the last answer, the versions that are judged, and those that are not yet
    untold      alerts that were found, and that nobody was told of for certain

An alert is in the file before anybody is told, in the same write as the versions that it is about; once everybody is
told, another write takes it out. A run that is killed before the first write has told nothing, and the next one finds
the same; one that is killed after it leaves its alerts to the next one. So none is lost. Only a kill between the last
word of the telling and the second write has the next run tell the same alerts again, under the same ids.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from sbomgate import files, version_set
from sbomgate.errors import InputError, UsageError
from sbomgate.model.watch import Alert
from sbomgate.times import format_time, parse_time

SCHEMA = "sbomgate/watch-state/v1"
MAX_BYTES = 1 << 30  # 100,000 packages of ten kilobytes; one with 4,000 versions takes about that


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A release of which not everything could be known: when it was first seen, and the ids of alerts about it."""

    since: datetime
    alerts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of one package in one registry.

    Attributes:
        etag: of the answer that all of this was read from; None where the next run must read it again.
        versions: those that need no look any more: judged, or older than the window at the first look.
        open: version → a release that is judged again.
    """

    etag: str | None
    versions: frozenset[str]
    open: Mapping[str, Open] = field(default_factory=dict)


Packages = Mapping[tuple[str, str], Known]
"""(registry's URL, name) → what is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is known of all packages, and the alerts that may not have been told yet."""

    packages: Packages = field(default_factory=dict)
    untold: tuple[Alert, ...] = ()


def load(path: Path) -> State:
    """Return the state in a file; an empty one where there is none.

    Raises:
        InputError: it cannot be read, or is no state of this version. It is never taken for an empty one: every alert
            of the window would be told again, and what lies between would be lost.
    """
    if not path.exists():
        return State()
    data = files.read(path, limit=MAX_BYTES, error=InputError)
    try:
        value = orjson.loads(data)
        if value["schema"] != SCHEMA:
            raise ValueError(f"the schema is {value['schema']!r:.80}, expected {SCHEMA!r}")
        return State(
            packages={
                (registry, name): Known(
                    etag=None if one["etag"] is None else _text(one["etag"]),
                    versions=frozenset(version_set.decode(_text(one["versions"]))),
                    open={
                        version: Open(since=parse_time(of["since"]), alerts=tuple(map(_text, of["alerts"])))
                        for version, of in one["open"].items()
                    },
                )
                for registry, names in value["packages"].items()
                for name, one in names.items()
            },
            untold=tuple(_alert(one) for one in value["untold"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as e:
        raise InputError(
            f"not the state of a watch: {e}",
            where=str(path),
            hint="restore it, or move it away: the next run then starts anew, with the window's releases",
        ) from e


def dumps(state: State) -> bytes:
    """Return a state as JSON: sorted, the same bytes for the same state."""
    packages: dict[str, dict[str, Any]] = {}
    for (registry, name), one in state.packages.items():
        packages.setdefault(registry, {})[name] = {
            "etag": one.etag,
            "versions": version_set.encode(one.versions),
            "open": {
                version: {"since": format_time(of.since), "alerts": sorted(of.alerts)}
                for version, of in one.open.items()
            },
        }
    value = {"schema": SCHEMA, "packages": packages, "untold": [alert_document(one) for one in state.untold]}
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def store(path: Path, state: State) -> None:
    """Write a state: it is on disk, whole, when this returns; else the one before it is.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        handle, made = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(dumps(state))
                file.flush()
                os.fsync(file.fileno())
            Path(made).replace(path)
        finally:
            Path(made).unlink(missing_ok=True)
        files.sync(path.parent)
    except OSError as e:
        raise UsageError(
            f"cannot be written: {(e.strerror or str(e)).lower()}",
            where=str(path),
            hint="give a file in a folder that exists and that this user can write to (`--state`)",
        ) from e


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock of a state file, on a file beside it that stays; the system drops it when its holder dies.

    Raises:
        UsageError: another run holds it, or it cannot be taken.
    """
    if path.is_dir():
        raise UsageError("is a folder", where=str(path), hint="name a file in it (`--state`)")
    lock = path.with_name(f"{path.name}.lock")
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(lock, flags, 0o644)
    except OSError as e:
        raise UsageError(
            f"cannot be opened: {(e.strerror or str(e)).lower()}",
            where=str(lock),
            hint="give a state file in a folder that exists and that this user can write to (`--state`)",
        ) from e
    try:
        if not files.try_lock(descriptor):
            raise UsageError(
                "another watch with this state is running", where=str(path), hint="let it end, or give another --state"
            )
        yield
    finally:
        os.close(descriptor)


def alert_document(alert: Alert) -> dict[str, Any]:
    """Return an alert as JSON has it: in the state, and in what is told."""
    return {
        "id": alert.id,
        "registry": alert.registry,
        "name": alert.name,
        "version": alert.version,
        "published": None if alert.published is None else format_time(alert.published),
        "code": alert.code,
        "message": alert.message,
        "found": format_time(alert.found),
        "held": list(alert.held),
        "builds": alert.builds,
    }


def _alert(value: Mapping[str, Any]) -> Alert:
    if type(value["builds"]) is not int:
        raise TypeError("a number of builds is a number")
    return Alert(
        id=_text(value["id"]),
        registry=_text(value["registry"]),
        name=_text(value["name"]),
        version=_text(value["version"]),
        published=None if value["published"] is None else parse_time(value["published"]),
        code=_text(value["code"]),
        message=_text(value["message"]),
        found=parse_time(value["found"]),
        held=tuple(map(_text, value["held"])),
        builds=value["builds"],
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"got {value!r:.80}, expected a text")
    return value
