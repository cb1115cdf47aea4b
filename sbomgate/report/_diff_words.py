"""What a difference is called, the same in text and in Markdown. Nothing here is escaped: the renderings do that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from sbomgate.model.difference import Difference, EdgeChange, EdgeState, PackageChange, PackageState

Word = Callable[[str], str]
"""How a rendering writes what comes from outside."""

MAX_BRINGERS = 3
PROJECT = "the project itself"


def sections(difference: Difference, word: Word) -> Iterator[tuple[str, str, list[str]]]:
    """Yield (title, what it means, lines) of each part that is not empty, what a reviewer must see first."""
    bringers: dict[str, list[str]] = {}
    for edge in difference.edges_added:
        bringers.setdefault(edge.target, []).append(edge.source)
    changed, state = Changed(word), State(word, bringers)
    for title, meaning, lines in (
        (
            "SAME VERSION, OTHER BYTES",
            "only an edited file or a registry that serves something else explains this",
            [changed.bytes(one) for one in difference.other_bytes],
        ),
        ("New packages", "names that were not there at all", list(map(state, sorted(difference.new, key=_quiet)))),
        ("Updated", "", list(map(changed, sorted(difference.updated, key=lambda one: not one.new_script)))),
        ("Further versions", "of names that were there", list(map(state, sorted(difference.added, key=_quiet)))),
        ("Removed", "", [state(one, gone=True) for one in difference.removed]),
        ("Same version, said otherwise", "", [changed.facts(one) for one in difference.altered]),
        ("New edges", "", _edges(difference.edges_added, word)),
        ("Removed edges", "", _edges(difference.edges_removed, word)),
        ("Changed edges", "", [_edge_change(one, word) for one in difference.edges_changed]),
    ):
        if lines:
            yield title, meaning, lines


class State:
    """A package that is on one side only, as a line."""

    def __init__(self, word: Word, bringers: dict[str, list[str]]) -> None:
        self.word = word
        self.bringers = bringers

    def __call__(self, state: PackageState, *, gone: bool = False) -> str:
        parts = [_label(state.name, state.version, self.word)]
        if state.aliases:
            parts.append(f"as {', '.join(map(self.word, state.aliases))}")
        if state.install_script and not gone:
            parts.append("HAS AN INSTALL SCRIPT")
        if not gone and state.kinds != ("registry",):
            parts.append(f"from {', '.join([*state.kinds, *map(self.word, state.sources)])}")
        if not gone and "registry" in state.kinds and not state.integrities:
            parts.append("no integrity")
        if not gone and (by := sorted(set(self.bringers.get(state.name, ())))):
            more = f" and {len(by) - MAX_BRINGERS} more" if len(by) > MAX_BRINGERS else ""
            parts.append(f"needed by {', '.join(_source(name, self.word) for name in by[:MAX_BRINGERS])}{more}")
        return " · ".join(parts)


class Changed:
    """A package that is on both sides, as a line."""

    def __init__(self, word: Word) -> None:
        self.word = word

    def __call__(self, change: PackageChange) -> str:
        versions = f"{self.word(change.before.version or '?')} → {self.word(change.after.version or '?')}"
        return " · ".join([f"{self.word(change.after.name)} {versions}", *self._remarks(change)])

    def bytes(self, change: PackageChange) -> str:
        label = _label(change.after.name, change.after.version, self.word)
        before, after = (" ".join(map(self.word, one.integrities)) for one in (change.before, change.after))
        return " · ".join([f"{label}: {before} → {after}", *self._remarks(change)])

    def facts(self, change: PackageChange) -> str:
        label = _label(change.after.name, change.after.version, self.word)
        before, after = change.before, change.after
        remarks = list(self._remarks(change))
        if after.integrities and not before.integrities:
            remarks.append("integrity stated now")
        elif before.integrities and after.integrities and before.integrities != after.integrities:
            stated = (", ".join(map(self.word, one.integrities)) for one in (before, after))
            remarks.append(f"integrity {' → '.join(stated)}")
        if before.install_script is True and after.install_script is False:
            remarks.append("no install script any more")
        return " · ".join([label, *remarks])

    def _remarks(self, change: PackageChange) -> Iterator[str]:
        def where(state: PackageState) -> str:
            return ", ".join(map(self.word, state.sources))

        if change.new_script:
            yield "NEW INSTALL SCRIPT"
        if change.source_changed:
            yield f"SOURCE {where(change.before)} → {where(change.after)}"
        if change.lost_integrity:
            yield "INTEGRITY GONE"


def _label(name: str, version: str, word: Word) -> str:
    return f"{word(name)} {word(version)}" if version else word(name)


def _source(name: str, word: Word) -> str:
    return word(name) if name else PROJECT


def _quiet(state: PackageState) -> bool:
    """Sorts what runs code when it is installed to the front."""
    return state.install_script is not True


def _edges(edges: Iterable[EdgeState], word: Word) -> list[str]:
    """Return one line for each package that depends; how the project itself declares what it depends on is said too."""
    held: dict[str, list[str]] = {}
    for edge in edges:
        declared = "" if edge.source else ", ".join(_declared(edge, word))
        held.setdefault(edge.source, []).append(word(edge.target) + (f" ({declared})" if declared else ""))
    return [f"{_source(source, word)} → {', '.join(targets)}" for source, targets in held.items()]


def _declared(edge: EdgeState, word: Word) -> list[str]:
    said = [f"{kind} {word(range_)}" if range_ else kind for kind, range_ in edge.declared]
    return [one for one in said if one != "unknown"]


def _edge_change(change: EdgeChange, word: Word) -> str:
    before, after = (", ".join(_declared(one, word)) for one in (change.before, change.after))
    return f"{_source(change.after.source, word)} → {word(change.after.target)}: {before} → {after}"
