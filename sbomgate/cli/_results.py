"""The result of a run: one decision, or several in one list. One that could not be made stops none of the others."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from posixpath import join
from typing import TYPE_CHECKING, Any

from sbomgate.errors import EXIT_ALLOWED, EXIT_DENIED, EXIT_NO_DECISION, SbomgateError

if TYPE_CHECKING:
    import argparse

    from sbomgate.cli._decide import Judge
    from sbomgate.model import DependencyGraph
    from sbomgate.report import Report

SCHEMA = "sbomgate/reports/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One decision: its report, or why there is none. `label` is the workspace, or the lockfile, in the repository."""

    label: str
    report: Report | None
    error: SbomgateError | None


class Results:
    """What came out, in order."""

    def __init__(self, args: argparse.Namespace, *, many: bool) -> None:
        """Print a list where `many`, whatever its length; else the only decision as it is."""
        self._args = args
        self._many = many
        self._label = ""
        self._results: list[Result] = []

    @contextlib.contextmanager
    def of(self, judge: Judge, part: DependencyGraph) -> Iterator[None]:
        """Make the decision on one part: of several, an error in one is kept for the end."""
        lockfile = judge.question.context.lockfile_path
        self._label = lockfile if part.workspace is None else join(lockfile.rpartition("/")[0], part.workspace)
        try:
            yield
        except SbomgateError as error:
            if not self._many:
                raise
            self._results.append(Result(label=self._label, report=None, error=error))

    def add(self, report: Report) -> None:
        """Keep the report of the decision that was just made."""
        self._results.append(Result(label=self._label, report=report, error=None))

    def show(self) -> int:
        """Print everything and return the exit code: 2 where one could not be decided, else 1 where one is denied."""
        import sys

        from sbomgate.cli._environment import say
        from sbomgate.report import json, text

        render = json.render if self._args.json else None
        if not self._many:
            (only,) = (result.report for result in self._results if result.report is not None)
            rendered = render(only) if render else text.render(only, verbose=self._args.verbose)
        else:
            rendered = self._json() if self._args.json else self._text()
        sys.stdout.buffer.write(rendered.encode("utf-8"))
        sys.stdout.buffer.flush()
        for result in self._results:
            if result.error is not None:
                say(f"error: {result.label}: {result.error}")
                if result.error.hint:
                    say(f"  hint: {result.error.hint}")
        return max(_code(result) for result in self._results)

    def _text(self) -> str:
        """Return the whole report of each that is denied (of all, where asked for), and a line for each."""
        from sbomgate.model import Verdict
        from sbomgate.report import text
        from sbomgate.report.escape import plain

        told = [
            text.render(one.report, verbose=self._args.verbose)
            for one in self._results
            if one.report is not None and (self._args.verbose or one.report.verdict is Verdict.DENIED)
        ]
        counted = {
            word: sum(_word(one) == word for one in self._results) for word in ("allowed", "denied", "undecided")
        }
        said = ", ".join(f"{number} {word}" for word, number in counted.items() if number)
        width = min(60, max(len(one.label) for one in self._results))
        lines = [f"{len(self._results)} decisions: {said}"]
        for one in self._results:
            what = ""
            if one.report is not None:
                what = "1 package" if one.report.packages == 1 else f"{one.report.packages} packages"
                if one.report.evidence is not None:
                    what += f"  {plain(one.report.evidence)}"
            lines.append(f"  {_word(one).upper():<10} {plain(one.label):<{width}}  {what}".rstrip())
        return "\n".join([*told, "\n".join(lines)]) + "\n"

    def _json(self) -> str:
        import orjson

        from sbomgate.report import json

        words = {_word(one) for one in self._results}
        value: dict[str, Any] = {
            "schema": SCHEMA,
            "verdict": None if "undecided" in words else "denied" if "denied" in words else "allowed",
            "reports": [orjson.loads(json.render(one.report)) for one in self._results if one.report is not None],
            "undecided": [
                {"place": one.label, "message": str(one.error), "hint": one.error.hint}
                for one in self._results
                if one.error is not None
            ],
        }
        return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode() + "\n"


def _word(result: Result) -> str:
    return "undecided" if result.report is None else result.report.verdict.value


def _code(result: Result) -> int:
    return {"allowed": EXIT_ALLOWED, "denied": EXIT_DENIED, "undecided": EXIT_NO_DECISION}[_word(result)]
