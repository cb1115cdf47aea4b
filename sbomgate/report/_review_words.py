"""What many packages of a change share is said once, and no word of what is approved is left out: for its renderings.

`check` names some of the packages that share a finding; who approves signs all of them. So a sentence is shared only
where it is the same for each but for the package's own name, each gets a number, and every package stands once, with
the numbers of what is said of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sbomgate.model import PolicyFinding
from sbomgate.model.review import Entry, Review

MAX_EACH = 4
"""Packages that are told the same, each by itself; of more it is said once (as `check` does)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """A sentence about more than `MAX_EACH` packages.

    Attributes:
        number: what it is referred to by, from 1.
        level: deny, warn, note or waived; "" for what a package can do.
        rule: the rule that says it; "" likewise.
        text: the sentence, with `it` for the package.
        packages: about how many it is.
    """

    number: int
    level: str
    rule: str
    text: str
    packages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A package of which something is said that is not said of many: only that, and the numbers of the rest."""

    entry: Entry
    can: tuple[str, ...]
    findings: tuple[PolicyFinding, ...]
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouped:
    """A change without its repetitions.

    Attributes:
        shared: the worst first.
        told: in the order of the review.
        alike: numbers → packages about which these are all that is said, those with the most packages first.
    """

    shared: tuple[Shared, ...]
    told: tuple[Told, ...]
    alike: tuple[tuple[tuple[int, ...], tuple[Entry, ...]], ...]


_Sentence = tuple[str, str, str]
_ORDER = {"deny": 0, "warn": 1, "": 2, "note": 3, "waived": 4}


def grouped(review: Review) -> Grouped:
    """Return the packages of a change, with what many of them share said once."""
    held: dict[_Sentence, int] = {}
    for entry in review.entries:
        for sentence in dict.fromkeys(_sentences(entry)):
            held[sentence] = held.get(sentence, 0) + 1
    many = [one for one, count in held.items() if count > MAX_EACH]
    many.sort(key=lambda one: (_ORDER[one[0]], -held[one], one))
    numbers = {sentence: number for number, sentence in enumerate(many, 1)}
    told: list[Told] = []
    alike: dict[tuple[int, ...], list[Entry]] = {}
    for entry in review.entries:
        one = _told(entry, numbers)
        if one.can or one.findings or entry.scripts or not one.numbers:
            told.append(one)
        else:
            alike.setdefault(one.numbers, []).append(entry)
    return Grouped(
        shared=tuple(
            Shared(number=number, level=level, rule=rule, text=text, packages=held[level, rule, text])
            for (level, rule, text), number in numbers.items()
        ),
        told=tuple(told),
        alike=tuple(
            (of, tuple(sorted(found, key=lambda entry: (entry.name, entry.version))))
            for of, found in sorted(alike.items(), key=lambda item: (-len(item[1]), item[0]))
        ),
    )


def marked(finding: PolicyFinding) -> str:
    """Return the word for what a finding does."""
    return "waived" if finding.waived else finding.level.value


def named(entry: Entry) -> str:
    """Return a package with where it comes from: `axios 1.14.0 → 1.14.1`, `ms 2.1.3 (new)`."""
    was = f"{', '.join(entry.was)} → " if entry.was and entry.changed else ""
    new = " (unchanged)" if not entry.changed else "" if entry.was else " (new)"
    return f"{entry.name} {was}{entry.version}{new}"


def _told(entry: Entry, numbers: Mapping[_Sentence, int]) -> Told:
    said = [(finding, _of_finding(entry, finding)) for finding in entry.findings]
    could = [(phrase, _of_phrase(entry, phrase)) for phrase in entry.can]
    return Told(
        entry=entry,
        can=tuple(phrase for phrase, sentence in could if sentence not in numbers),
        findings=tuple(finding for finding, sentence in said if sentence not in numbers),
        numbers=tuple(sorted({numbers[one] for one in _sentences(entry) if one in numbers})),
    )


def _sentences(entry: Entry) -> Iterator[_Sentence]:
    yield from (_of_finding(entry, finding) for finding in entry.findings)
    yield from (_of_phrase(entry, phrase) for phrase in entry.can)


def _of_finding(entry: Entry, finding: PolicyFinding) -> _Sentence:
    return marked(finding), finding.rule, _without_name(entry, finding.message)


def _of_phrase(entry: Entry, phrase: str) -> _Sentence:
    return "", "", _without_name(entry, phrase)


def _without_name(entry: Entry, text: str) -> str:
    """Return the sentence with `it` for the package: for its name with the version, and for its name at the start."""
    label = re.escape(f"{entry.name} {entry.version}")
    text = re.sub(rf"(?<![\w@/.-]){label}(?![\w+-]|\.\w)", "it", text)
    return re.sub(rf"^{re.escape(entry.name)}(?= )", "it", text)
