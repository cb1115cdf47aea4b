"""How old it is what the inventory knows of revocations and deployments: an answer is worth no more than that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sbomgate.inventory import deployments
from sbomgate.inventory.amendments import Look
from sbomgate.inventory.place import Place
from sbomgate.times import format_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What an answer rests on besides evidence.

    Attributes:
        revocations: store or registry, as `add` was told it → when it was last read to its end with a trust file.
        deployments: the time of the newest event that was told and has come; None where nobody told any.
    """

    revocations: Mapping[str, datetime]
    deployments: datetime | None

    def columns(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "revocations": [
                {"source": source, "read_at": format_time(at)} for source, at in sorted(self.revocations.items())
            ],
            "deployments": None if self.deployments is None else format_time(self.deployments),
        }


def of(place: Place, *, now: datetime) -> Knowledge:
    """Return what an inventory knows.

    Raises:
        EvidenceError: it cannot be read.
    """
    told = [event.at for event in deployments.read(place) if event.at <= now]
    looks: dict[str, datetime] = {}
    for one in place.amended():
        if isinstance(one, Look):
            looks[one.source] = max(one.at, looks.get(one.source, one.at))
    return Knowledge(revocations=looks, deployments=max(told, default=None))
