"""A file of one line of JSON an event, appended and never altered: what no SBOM holds."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sbomgate import files
from sbomgate.errors import EvidenceError

MAX_BYTES = 1 << 30
"""Bytes of a file: five million events, a thousand a day for fourteen years."""

T = TypeVar("T")


def read(data: bytes | None, event: Callable[[Mapping[str, Any]], T], what: str, where: str) -> list[T]:
    """Return every event in the order of the lines; none where there is no file.

    What a killed writer left of a last line was never reported and is not read.

    Args:
        data: of the file, or None.
        event: makes one of a line's object; a ValueError, KeyError or TypeError says that it is none.
        what: a line is, for people.
        where: the file is.

    Raises:
        EvidenceError: a line is none.
    """
    whole, _, _ = (data or b"").rpartition(b"\n")
    found = []
    for number, line in enumerate(whole.split(b"\n"), 1):
        if not line:
            continue
        try:
            found.append(event(json.loads(line)))
        except (ValueError, KeyError, TypeError, RecursionError) as e:
            raise EvidenceError(f"not {what}: {e}", where=where, place=f"line {number}", hint="remove the line") from e
    return found


def append(at: Path, events: Sequence[Mapping[str, Any]]) -> None:
    """Append events: on disk when this returns. Whoever calls it holds the lock.

    Raises:
        OSError: it cannot be written.
    """
    lines = b"".join(json.dumps(event).encode() + b"\n" for event in events)
    descriptor = os.open(at, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        file.seek(_whole(file))
        file.truncate()
        view = memoryview(lines)
        while view:
            view = view[file.write(view) or 0 :]
        os.fsync(file.fileno())


def size(at: Path) -> int:
    """Return the bytes of a file's whole lines."""
    if not at.exists():
        return 0
    with at.open("rb") as file:
        return _whole(file)


def cut(at: Path, begin: int) -> None:
    """Remove the lines in the first `begin` bytes, at once. Whoever calls it holds the lock.

    Raises:
        OSError: it cannot be written.
    """
    if not begin:
        return
    data = at.read_bytes()[begin:]
    made = at.with_name(f".tmp-{at.name}")
    with made.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    made.replace(at)
    files.sync(at.parent)


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
