"""Asking registries about many packages, each answer handed to a reader as soon as it is there.

One package's failure never stops the others (PROMISES P35): what could not be had is Missing, with the reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Generic, TypeVar

from sbomgate.errors import FetchError
from sbomgate.model import Absence, Missing
from sbomgate.npm.auth import Credentials
from sbomgate.npm.part import WORKERS
from sbomgate.npm.registry import Registry

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

_ANSWERS = 24  # packuments in memory at once: as many as there are requests

Place = tuple[str, str]
"""(registry's URL, name)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked(Generic[T]):
    """An answer as it was read; `value` is None where nothing changed since the ETag's. `etag` is the answer's own."""

    value: T | None
    etag: str | None


def look(
    asked: Mapping[Place, str | None],
    read: Callable[[Place, bytes], T],
    *,
    client: Callable[[], httpx.AsyncClient],
    credentials: Credentials,
    now: datetime,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    report: Callable[[int], None] | None = None,
) -> dict[Place, Looked[T] | Missing]:
    """Ask for the full packuments of packages.

    Args:
        asked: each package with the ETag of an earlier answer, or None.
        read: makes a value of a packument's bytes, in a thread; a FetchError of it is Missing `malformed`.
        client: makes the HTTP client (`registry.open_client`).
        credentials: of the registries.
        now: the time of asking.
        sleep: waits between attempts.
        report: called with how many packages are done.

    Returns:
        An entry for each package.
    """
    return asyncio.run(_look(asked, read, client, credentials, now, sleep, report)) if asked else {}


async def _look(
    asked: Mapping[Place, str | None],
    read: Callable[[Place, bytes], T],
    client: Callable[[], httpx.AsyncClient],
    credentials: Credentials,
    now: datetime,
    sleep: Callable[[float], Awaitable[object]],
    report: Callable[[int], None] | None,
) -> dict[Place, Looked[T] | Missing]:
    found: dict[Place, Looked[T] | Missing] = {}
    with ThreadPoolExecutor(WORKERS) as pool:
        async with client() as http:
            registry = Registry(http, credentials, now=now, sleep=sleep)

            async def one(place: Place, etag: str | None) -> Looked[T] | Missing:
                answer = await registry.packument(*place, etag=etag)
                if isinstance(answer, Missing):
                    return answer
                if answer.status == 304:
                    return Looked(value=None, etag=etag)
                try:
                    value = await asyncio.get_running_loop().run_in_executor(pool, read, place, answer.body)
                except FetchError as e:
                    return Missing(absence=Absence.MALFORMED, reason=e.message)
                return Looked(value=value, etag=answer.etag)

            waiting = iter(sorted(asked.items()))

            async def several(waiting: Iterable[tuple[Place, str | None]]) -> None:
                for place, etag in waiting:
                    found[place] = await one(place, etag)
                    if report is not None:
                        report(len(found))

            async with asyncio.TaskGroup() as tasks:
                for _ in range(_ANSWERS):
                    tasks.create_task(several(waiting))
    return found
