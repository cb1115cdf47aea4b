"""The result of a run: one decision, or several in one list. One that could not be made stops none of the others."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from posixpath import join
from typing import TYPE_CHECKING, Any

from sbomgate.errors import EXIT_ALLOWED, EXIT_DENIED, EXIT_NO_DECISION, SbomgateError, UsageError

if TYPE_CHECKING:
    import argparse

    from sbomgate.cli._decide import Decided, Judge, Tree
    from sbomgate.cli._environment import Environment
    from sbomgate.model import DependencyGraph
    from sbomgate.report import Report, Undecided

SCHEMA = "sbomgate/reports/v1"
PLAIN = ("text", "json")
"""Formats of one decision, which need no detail; several are put together here."""


def formats() -> tuple[str, ...]:
    """Return the formats of a report, sorted: each is a file of `sbomgate.report` with a name of one word."""
    import pkgutil
    from pathlib import Path

    folder = Path(__file__).resolve().parent.parent / "report"
    names = {module.name for module in pkgutil.iter_modules([str(folder)])}
    return tuple(sorted(name for name in names - {"escape"} if "_" not in name))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare how a decision is told."""
    parser.add_argument("--json", action="store_true", help="the whole decision as JSON")
    parser.add_argument(
        "--format",
        action="append",
        default=[],
        metavar="NAME[=FILE]",
        help=f"{', '.join(formats())}; may be repeated, each with a FILE (default: text)",
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="write the one without a FILE to this one")
    parser.add_argument("--verbose", action="store_true", help="warnings and notes too, and what approves a script")


def _asked(args: argparse.Namespace) -> list[tuple[str, str | None]]:
    """Return each format with the file that it is written to, None for stdout; one at most goes there.

    Raises:
        UsageError: no such format, or more than one for one place.
    """
    asked: list[tuple[str, str | None]] = [("json", None)] if args.json else []
    for text in args.format:
        name, equals, file = text.partition("=")
        if name not in formats() or (equals and not file):
            raise UsageError(f"got {text!a}", where="--format", hint=f"NAME or NAME=FILE, of {', '.join(formats())}")
        asked.append((name, file or None))
    rest = list(dict.fromkeys(name for name, file in asked if file is None))
    if len(rest) > 1:
        hint = f"give each a file of its own: --format {rest[1]}=FILE"
        raise UsageError(f"{' and '.join(rest)} would go to one place", where="--format", hint=hint)
    if args.output is not None and not rest:
        rest = ["text"]
    files: list[tuple[str, str | None]] = [(name, file) for name, file in asked if file is not None]
    files += [(name, args.output) for name in rest]
    if all(file not in (None, "-") for _, file in files):
        files.append(("text", None))  # the log of a pipeline says why it stopped
    return files


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One decision: its report, or why there is none. `label` is the workspace, or the lockfile, in the repository."""

    label: str
    report: Report | None
    error: SbomgateError | None


class Results:
    """What came out, in order."""

    def __init__(self, args: argparse.Namespace, env: Environment, *, many: bool) -> None:
        """Print a list where `many`, whatever its length; else the only decision as it is."""
        self._args = args
        self._env = env
        self._asked = _asked(args)
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

    def add(self, decided: Decided, tree: Tree, *, refused: Sequence[str] = (), **signed: str) -> None:
        """Keep the report of the decision that was just made; `refused`, `signed` as in `_report.of_decision`."""
        from sbomgate.cli import _report

        lockfile = decided.answer.graph.lockfile.path
        whole = any(name not in PLAIN for name, _ in self._asked)
        report = _report.of_decision(
            decided,
            lockfile=tree.project.files.read(lockfile) if whole else None,
            whole=whole,
            refused=refused,
            **signed,
        )
        self._results.append(Result(label=self._label, report=report, error=None))

    def show(self) -> int:
        """Print everything and return the exit code: 2 where one could not be decided, else 1 where one is denied."""
        from sbomgate.cli import _colour
        from sbomgate.cli._environment import say

        for name, file in self._asked:
            _colour.emit(self._rendered(name), file, self._env, plain=name != "text")
        for result in self._results:
            if result.error is not None:
                say(f"error: {result.label}: {result.error}")
                if result.error.hint:
                    say(f"  hint: {result.error.hint}")
        return max(_code(result) for result in self._results)

    def _rendered(self, name: str) -> str:
        from importlib import import_module

        from sbomgate.report import json, text

        reports = [result.report for result in self._results if result.report is not None]
        match name:
            case "text":
                return self._text() if self._many else text.render(reports[0], verbose=self._args.verbose)
            case "json":
                return self._json() if self._many else json.render(reports[0])
            case _:
                rendered: str = import_module(f"sbomgate.report.{name}").render(reports, self._undecided())
                return rendered

    def _undecided(self) -> list[Undecided]:
        from sbomgate.report import Undecided

        return [
            Undecided(label=one.label, message=str(one.error), hint=one.error.hint)
            for one in self._results
            if one.error is not None
        ]

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
        from sbomgate.report.escape import document

        words = {_word(one) for one in self._results}
        value: dict[str, Any] = {
            "schema": SCHEMA,
            "verdict": None if "undecided" in words else "denied" if "denied" in words else "allowed",
            "reports": [orjson.loads(json.render(one.report)) for one in self._results if one.report is not None],
            "undecided": [{"place": one.label, "message": one.message, "hint": one.hint} for one in self._undecided()],
        }
        return document(value) + "\n"


def _word(result: Result) -> str:
    return "undecided" if result.report is None else result.report.verdict.value


def _code(result: Result) -> int:
    return {"allowed": EXIT_ALLOWED, "denied": EXIT_DENIED, "undecided": EXIT_NO_DECISION}[_word(result)]
