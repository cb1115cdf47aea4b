"""Traces of packages on machines that never ran the gate: one module per kind of place.

A module of this package whose name has no leading underscore looks at one kind of place, and has

    def look(entry: Entry, wanted: Wanted) -> Iterator[Mention]     what this file or folder says was there

It may leave out what is not wanted, and finds nothing in files and folders that are not of its kind.

Adding a kind of place is adding its file. Nothing is executed, no symbolic link is followed, every read has a limit.
"""

from __future__ import annotations

import functools
import importlib
import os
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sbomgate.errors import InputError
from sbomgate.hunt._walk import Entry, walk
from sbomgate.model.hunt import Found, Mention, Trace, Unread

__all__ = ["Entry", "Found", "Mention", "Trace", "Unread", "Wanted", "hunt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is looked for.

    Attributes:
        ids: name and version → ids of the lists' lines that name it; () where none does.
        integrities: subresource integrities of tarballs, looked for whatever they are called.
        pairs: bytes of which a text holds both of one pair if it names anything that is wanted; () where the lists are
            too long, or name ranges, and every text has to be read.
    """

    ids: Callable[[str, str], tuple[str, ...]]
    integrities: frozenset[str] = frozenset()
    pairs: tuple[tuple[bytes, bytes], ...] = ()

    def of(self, mention: Mention) -> tuple[str, ...]:
        """Return the ids by which a mention is wanted."""
        found = self.ids(mention.name, mention.version)
        return found or ((mention.integrity,) if mention.integrity in self.integrities else ())

    def may_be_in(self, text: bytes) -> bool:
        """Return whether a text is worth reading: False only where nothing that is wanted can be in it."""
        if not self.pairs:
            return True
        return any(name in text and version in text for name, version in self.pairs) or any(
            one.encode() in text for one in self.integrities
        )


def hunt(
    paths: Iterable[Path],
    wanted: Wanted,
    *,
    git: Path | None,
    progress: Callable[[int], None] | None = None,
) -> Found:
    """Look for what the lists name at each of these paths and below it.

    Args:
        paths: folders and files. A file that is named is read as a log where its name says nothing else.
        wanted: what is looked for.
        git: the git program, for the history of repositories; without one each repository is unread.
        progress: called now and then with the number of files.
    """
    looks = [importlib.import_module(f"{__name__}.{name}").look for name in _kinds()]
    wanted = replace(wanted, ids=functools.lru_cache(maxsize=1 << 16)(wanted.ids))
    unread: list[Unread] = []
    found: dict[tuple[object, ...], Trace] = {}
    files = links = 0
    for entry in walk(paths, unread=unread, git=git):
        if entry.is_link:
            links += 1
            continue
        files += 1
        if progress is not None and files % 5000 == 0:
            progress(files)
        for look in looks:
            try:
                for one in look(entry, wanted):
                    if ids := wanted.of(one):
                        key = (entry.path, one.name, one.version, one.kind, one.place)
                        found.setdefault(key, Trace(ids=ids, path=entry.path, mention=one))
            except (InputError, OSError) as error:
                unread.append(Unread(path=entry.path, reason=_reason(error)))
    return Found(
        traces=tuple(sorted(found.values(), key=_order)),
        unread=tuple(sorted(set(unread), key=lambda one: (one.path, one.reason))),
        files=files,
        links=links,
    )


def _kinds() -> Iterator[str]:
    for module in pkgutil.iter_modules(__path__):
        if not module.name.startswith("_"):
            yield module.name


def _order(trace: Trace) -> tuple[str, str, str, str, str]:
    one = trace.mention
    return one.name, one.version, trace.path, one.kind, one.place


def _reason(error: InputError | OSError) -> str:
    if isinstance(error, OSError):
        return (error.strerror or os.strerror(error.errno or 0)).lower()
    return error.message
