"""What a hunt finds on a machine: traces of packages, and what could not be looked into."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """What one place says was there.

    Attributes:
        name, version: of the package, as the place has them.
        kind: of place: `installed`, `npm cache`, `lockfile`, `git history`, `log`…
        place: within the file: `line 12`, `commit 3fa9…: web/package-lock.json`; "" where the file itself says it.
        time: when it was there, as far as the place tells: of the log's line, the cache's entry, the commit; else
            when the file was last changed. UTC.
        address: the URL of the tarball, without query; "" where the place does not have it.
        integrity: subresource integrity of the tarball; "" where the place does not have it.
    """

    name: str
    version: str
    kind: str
    place: str = ""
    time: datetime | None = None
    address: str = ""
    integrity: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A file or folder that could not be looked into, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A mention of a package that the lists name.

    Attributes:
        ids: of the lists' lines, sorted.
        path: of the file or folder, as it was found below the path that was asked for.
        mention: what it says.
    """

    ids: tuple[str, ...]
    path: str
    mention: Mention


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a hunt found.

    Attributes:
        traces: sorted by package, then path. unread: what could not be read, sorted by path.
        files: files and folders that were looked at. links: symbolic links, none of which was followed.
    """

    traces: tuple[Trace, ...]
    unread: tuple[Unread, ...]
    files: int
    links: int
