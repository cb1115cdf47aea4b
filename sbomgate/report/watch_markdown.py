"""A watch for an issue or a chat (GitHub flavoured Markdown); what is from outside stands in code spans (P39)."""

from __future__ import annotations

from collections.abc import Iterator

from sbomgate.model.watch import Watched
from sbomgate.report import _watch_words as words
from sbomgate.report.diff_markdown import code

_UNKNOWN = 20  # lines: all of them are in the JSON


def render(watched: Watched) -> str:
    """Return the watch as Markdown, ending in a newline."""
    return "\n".join(_lines(watched)) + "\n"


def _lines(watched: Watched) -> Iterator[str]:
    if watched.alerts:
        yield f"### Watch: {words.headline(watched)}"
    elif watched.unknown:
        yield "### Watch: not everything could be looked at"
    else:
        yield "### Watch: nothing new that looks wrong"
    for first, alerts in words.by_release(watched):
        yield ""
        yield f"**{code(f'{first.name} {first.version}')}**, {words.published(first)}, {code(words.held(first))}"
        yield ""
        yield from (f"- **{one.code}**: {code(one.message)}" for one in alerts)
    if watched.unknown:
        yield ""
        yield f"**Not known** ({len(watched.unknown)}), looked at again in the next run"
        yield ""
        yield from (f"- {code(words.unknown(one))}: {code(one.reason)}" for one in watched.unknown[:_UNKNOWN])
        if len(watched.unknown) > _UNKNOWN:
            yield f"- and {len(watched.unknown) - _UNKNOWN} more: `--json` has them all"
    yield ""
    yield from (f"{code(note)}  " for note in watched.notes)
    yield words.looked(watched)
    if said := words.next_steps(watched):
        yield ""
        yield said
