"""What was deployed where and when: one line of JSON an event, appended and never altered.

Deployments are told by whoever deploys; no evidence holds them, so `inventory rebuild` keeps them. A build runs in an
environment from its event until a later one says that it stopped, or that another build of the same project came there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sbomgate.errors import EvidenceError
from sbomgate.inventory import lines
from sbomgate.inventory.folder import Folder
from sbomgate.inventory.place import Place
from sbomgate.times import format_time, parse_time

FILE = "deployed.jsonl"


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


def read(place: Place) -> tuple[Deployment, ...]:
    """Return every event, sorted by time; of one moment in the order in which they were told.

    What a killed writer left of a last line was never reported and is not read.

    Raises:
        EvidenceError: a line is no event.
    """
    found = lines.read(place.read(FILE, lines.MAX_BYTES), _event, "a deployment", place.at(FILE))
    return tuple(sorted(found, key=lambda event: event.at))


def append(folder: Folder, events: Sequence[Deployment]) -> None:
    """Tell events: on disk when this returns.

    Raises:
        EvidenceError: it cannot be written.
    """
    told = [
        {
            "digest": event.digest,
            "name": event.name,
            "environment": event.environment,
            "at": format_time(event.at),
            "stopped": event.stopped,
        }
        for event in events
    ]
    at = folder.path / FILE
    try:
        with folder.lock(".deploying"):
            lines.append(at, told)
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


def _event(value: Mapping[str, Any]) -> Deployment:
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
    return event
