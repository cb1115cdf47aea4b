"""A hunt for a person at a terminal: package by package, each place with its time, then what could not be read."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from sbomgate.model.hunt import Found, Trace
from sbomgate.report.escape import plain

_UNREAD = 20  # lines: all of them are in the JSON


def render(found: Found) -> str:
    """Return the hunt as lines of text, without colour, ending in a newline."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Found) -> Iterator[str]:
    for (name, version), group in groupby(found.traces, key=lambda one: (one.mention.name, one.mention.version)):
        traces = list(group)
        ids = sorted({one for trace in traces for one in trace.ids})
        yield f"{plain(name)} {plain(version)}   {plain(', '.join(ids))}"
        for trace in sorted(traces, key=_when):
            yield f"  {_time(trace)}  {trace.mention.kind:16}  {_where(trace)}"
        yield ""
    if found.unread:
        yield f"Not read ({len(found.unread)})"
        for one in found.unread[:_UNREAD]:
            yield f"  {plain(one.path)}: {plain(one.reason)}"
        if len(found.unread) > _UNREAD:
            yield f"  and {len(found.unread) - _UNREAD} more: --json has them all"
        yield ""
    links = f", {found.links:,} symbolic links not followed" if found.links else ""
    looked = f"{found.files:,} files and folders{links}"
    if found.traces:
        packages = len({(one.mention.name, one.mention.version) for one in found.traces})
        yield f"FOUND    {len(found.traces)} traces of {packages} listed packages in {looked}"
        yield "Next: take the machine off the network, keep these files, and rotate every credential that was on it."
    elif found.unread:
        yield f"UNKNOWN  nothing found in {looked}, but {len(found.unread)} could not be read"
        yield "Next: run it as a user who may read them, or name what matters."
    else:
        yield f"CLEAN    no trace of a listed package in {looked}"


def _when(trace: Trace) -> tuple[str, str]:
    return _time(trace), _where(trace)


def _time(trace: Trace) -> str:
    time = trace.mention.time
    return f"{time:%Y-%m-%d %H:%M:%S}Z" if time is not None else "time not known     "


def _where(trace: Trace) -> str:
    one = trace.mention
    return " · ".join(plain(text) for text in (trace.path, one.place, one.address) if text)
