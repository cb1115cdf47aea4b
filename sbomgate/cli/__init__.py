"""The command line: one module per verb, the only code that prints, exits, reads the environment or the clock.

A verb is a module of this folder without a leading underscore, with

    HELP: str                                                one line for `sbomgate --help`
    add_arguments(parser: argparse.ArgumentParser) -> None
    run(args: argparse.Namespace, env: Environment) -> int   the exit code

and nothing heavy imported at its top: `--help` stays fast. Adding a verb is adding its file.

Exit codes: 0 the policy allows, 1 it denies, 2 no decision could be made. The guard in `main` covers everything from
the first import of a verb to the flush of stdout, so that a crash is 2 as well (PROMISES P1, P2).
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from sbomgate.errors import EXIT_NO_DECISION, SbomgateError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

ISSUES_HINT = "this is a defect of sbomgate: please report it, with the traceback that --debug prints"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; never raises, but for `SystemExit(0)` of `--help` and `--version`."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    try:
        code = _run(arguments)
        # A full disk behind stdout shows only when the buffer is written: before the exit code, not after it.
        sys.stdout.flush()
    except SystemExit as stop:  # argparse: 0 after --help, 2 after a usage error
        try:
            sys.stdout.flush()
        except OSError:
            return EXIT_NO_DECISION
        return stop.code if isinstance(stop.code, int) else EXIT_NO_DECISION
    except BaseException as error:  # noqa: BLE001 - the one guard: whatever happens is "no decision", never 0
        return _fail(error, debug=debug)
    return code


def _run(arguments: list[str]) -> int:
    from sbomgate.cli._environment import Environment

    args = parser().parse_args(arguments)
    code = args.run(args, Environment.of_process())
    if code not in (0, 1, 2):
        raise AssertionError(f"{args.verb} returned {code!r}")
    return int(code)


def parser() -> argparse.ArgumentParser:
    """Return the parser with every verb of this folder, in alphabetical order."""
    import argparse
    import importlib
    import pkgutil

    from sbomgate import __version__

    top = argparse.ArgumentParser(
        prog="sbomgate",
        description="May this build ship, given exactly what it is made of?",
        epilog="Exit codes: 0 allowed, 1 denied, 2 no decision. `sbomgate VERB --help` has examples.",
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"sbomgate {__version__}")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        if name.startswith("_"):
            continue
        module = importlib.import_module(f"{__name__}.{name}")
        verb = verbs.add_parser(
            name,
            help=module.HELP,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        verb.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
        module.add_arguments(verb)
        verb.set_defaults(run=module.run)
    return top


def _fail(error: BaseException, *, debug: bool) -> int:
    """Say what went wrong on stderr, in one message without a traceback, and return the exit code."""
    import os

    if debug and not isinstance(error, BrokenPipeError):
        import traceback

        traceback.print_exception(error)
    if isinstance(error, BrokenPipeError):
        # The reader of our stdout went away. Point stdout elsewhere so that Python's own flush at exit stays quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_NO_DECISION
    from sbomgate.report.escape import plain

    if isinstance(error, SbomgateError):
        lines = [f"error: {plain(str(error))}"]
        if error.hint:
            lines.append(f"  hint: {plain(error.hint)}")
    elif isinstance(error, KeyboardInterrupt):
        lines = ["error: interrupted, no decision was made"]
    elif isinstance(error, MemoryError):
        lines = ["error: out of memory, no decision was made"]
    elif isinstance(error, OSError):
        lines = [f"error: {plain(str(error.filename or 'input or output'))}: {plain(error.strerror or str(error))}"]
    else:
        lines = [f"error: {type(error).__name__}: {plain(str(error))}", f"  hint: {ISSUES_HINT}"]
    with contextlib.suppress(OSError):  # nobody may be there to read it; the exit code says it
        print("\n".join(lines), file=sys.stderr, flush=True)
    return error.exit_code if isinstance(error, SbomgateError) else EXIT_NO_DECISION
