"""What was deployed where and when: one line of JSON an event, appended and never altered.

Deployments are told by whoever deploys; no evidence holds them, so `inventory rebuild` keeps them. A build runs in an
environment from its event until a later one says that it stopped, or that another build of the same project came there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sbomgate import files
from sbomgate.errors import EvidenceError
from sbomgate.inventory.folder import Folder
from sbomgate.times import format_time, parse_time

FILE = "deployed.jsonl"
MAX_BYTES = 1 << 30
"""Bytes of the file: five million events, a thousand a day for fourteen years."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One event: since `at` the artefact runs in the environment, or (`stopped`) does not any more.

    `digest` is `sha256:…` or `gitCommit:…`; `name` is the artefact's for people.
    """

    digest: str
    name: str
    environment: str
    at: datetime
    stopped: bool = False


def read(folder: Folder) -> tuple[Deployment, ...]:
    """Return every event, sorted by time; of one moment in the order in which they were told.

    What a killed writer left of a last line was never reported and is not read.

    Raises:
        EvidenceError: a line is no event.
    """
    at = folder.path / FILE
    if not at.exists():
        return ()
    whole, _, _ = files.read(at, limit=MAX_BYTES, error=EvidenceError).rpartition(b"\n")
    found = [_event(line, f"line {number}", at) for number, line in enumerate(whole.split(b"\n"), 1) if line]
    return tuple(sorted(found, key=lambda event: event.at))


def append(folder: Folder, events: Sequence[Deployment]) -> None:
    """Tell events: on disk when this returns.

    Raises:
        EvidenceError: it cannot be written.
    """
    lines = b"".join(
        json.dumps(
            {
                "digest": event.digest,
                "name": event.name,
                "environment": event.environment,
                "at": format_time(event.at),
                "stopped": event.stopped,
            }
        ).encode()
        + b"\n"
        for event in events
    )
    at = folder.path / FILE
    try:
        with folder.lock(".deploying"):
            descriptor = os.open(at, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
            with os.fdopen(descriptor, "r+b", buffering=0) as file:
                file.seek(_whole(file))
                file.truncate()
                view = memoryview(lines)
                while view:
                    view = view[file.write(view) or 0 :]
                os.fsync(file.fileno())
    except OSError as e:
        raise EvidenceError(f"cannot be written: {(e.strerror or str(e)).lower()}", where=str(at)) from e


def running(
    events: Iterable[Deployment], builds: Mapping[str, Sequence[tuple[str, ...]]], *, at: datetime
) -> dict[tuple[str, str], Deployment]:
    """Return what runs at a time: (environment, digest) → the event that says so.

    Args:
        events: of `read`.
        builds: digest → the projects (`answers.project`) that it was built of. Of what the inventory does not know,
            another artefact of the same name takes the place.
        at: the time.
    """
    placed: dict[tuple[str, tuple[Any, ...]], Deployment] = {}
    for event in sorted(events, key=lambda event: event.at):
        if event.at > at:
            break
        services: Sequence[tuple[Any, ...]] = builds.get(event.digest) or [("unknown", event.name)]
        for service in services:
            place = (event.environment, service)
            held = placed.get(place)
            if not event.stopped:
                placed[place] = event
            elif held is not None and held.digest == event.digest:
                del placed[place]
    return {(event.environment, event.digest): event for event in placed.values()}


def _whole(file: Any) -> int:
    """Return where the last whole line ends."""
    end: int = file.seek(0, os.SEEK_END)
    while end:
        begin = max(0, end - 4096)
        file.seek(begin)
        found = file.read(end - begin).rfind(b"\n")
        if found >= 0:
            return begin + int(found) + 1
        end = begin
    return 0


def _event(line: bytes, place: str, at: Path) -> Deployment:
    try:
        value = json.loads(line)
        event = Deployment(
            digest=value["digest"],
            name=value["name"],
            environment=value["environment"],
            at=parse_time(value["at"]),
            stopped=value["stopped"],
        )
        if not all(isinstance(text, str) for text in (event.digest, event.name, event.environment)):
            raise TypeError("a text is none")
        if not isinstance(event.stopped, bool):
            raise TypeError("stopped is neither true nor false")
    except (ValueError, KeyError, TypeError, RecursionError) as e:
        raise EvidenceError(f"not a deployment: {e}", where=str(at), place=place, hint="remove the line") from e
    return event
