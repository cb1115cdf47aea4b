"""A watch for a person at a terminal: release by release what is wrong with it, then what is not known."""

from __future__ import annotations

from collections.abc import Iterator

from sbomgate.model.watch import Watched
from sbomgate.report import _watch_words as words
from sbomgate.report.escape import plain

_UNKNOWN = 20  # lines: all of them are in the JSON


def render(watched: Watched) -> str:
    """Return the watch as lines of text, without colour, ending in a newline."""
    return "\n".join(_lines(watched)) + "\n"


def _lines(watched: Watched) -> Iterator[str]:
    if watched.alerts:
        yield f"ALERT    {words.headline(watched)}"
    elif watched.unknown:
        yield "UNKNOWN  nothing new that looks wrong, but not everything could be looked at"
    else:
        yield "QUIET    nothing new that looks wrong"
    for first, alerts in words.by_release(watched):
        yield ""
        yield f"  {plain(first.name)} {plain(first.version)}   {words.published(first)} · {plain(words.held(first))}"
        for one in alerts:
            yield f"    {one.code:20} {plain(one.message)}"
    if watched.unknown:
        yield ""
        yield f"Not known ({len(watched.unknown)}): looked at again in the next run"
        for missing in watched.unknown[:_UNKNOWN]:
            yield f"  {plain(words.unknown(missing))}: {plain(missing.reason)}"
        if len(watched.unknown) > _UNKNOWN:
            yield f"  and {len(watched.unknown) - _UNKNOWN} more: --json has them all"
    yield ""
    yield from (f"note: {plain(note)}" for note in watched.notes)
    yield words.looked(watched)
    if said := words.next_steps(watched):
        yield said
