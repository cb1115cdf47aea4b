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

from sbomgate.errors import EXIT_NO_DECISION, SbomgateError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from typing import NoReturn

ISSUES_HINT = "this is a defect of sbomgate: please report it, with the traceback that --debug prints"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; never raises."""
    debug = "--debug" in (sys.argv if argv is None else argv)
    try:
        if argv is None:
            _own_process()
        arguments = list(sys.argv[1:] if argv is None else argv)
        try:
            code = _run(arguments)
        except SystemExit as stop:  # argparse: 0 after --help and --version, 2 after a usage error
            code = stop.code if isinstance(stop.code, int) else EXIT_NO_DECISION
        # A full disk behind stdout shows only when the buffer is written: before the exit code, not after it.
        sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001 - the one guard: whatever happens is "no decision", never 0
        code = _fail(error, debug=debug)
    _settle()
    if argv is None and "duckdb" not in sys.modules:  # which complains of whatever is not collected at the end
        import gc

        gc.freeze()  # Python looks for garbage once more when it ends, whatever `disable` said
    return code


def _own_process() -> None:
    """Set up a process that is ours: streams that are open, signals that end it as Ctrl-C does, and no collector.

    A verb lives for seconds and makes a hundred thousand values without cycles: looking for garbage among them would be
    a sixth of its time, and find none.
    """
    import gc
    import io
    import os
    import signal

    gc.disable()
    # A stream that was closed for us (`>&-`) would be the next file that is opened, and be written to as a stream.
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - a descriptor
    if sys.stdout is None:
        raise UsageError("stdout is closed, and the result goes there", hint="run it without `>&-`")
    # Results are UTF-8 (`_environment.emit`), whatever the locale: a line that a verb prints when all is done too.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    # Servers are ended and temporary files removed on the way out.
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is signal.SIG_DFL:
            signal.signal(getattr(signal, name), signal.default_int_handler)


def _settle() -> None:
    """Leave nothing that Python's own flush at exit would fail on: its exit code would replace ours."""
    import os

    for stream in (sys.stdout, sys.stderr):
        if stream is None:
            continue
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _run(arguments: list[str]) -> int:
    from sbomgate.cli._environment import Environment

    _must_be_text(arguments)
    first = arguments[0] if arguments else "--help"
    args = parser(first, listing=first in ("-h", "--help", "--version")).parse_args(arguments)
    code = args.run(args, Environment.of_process())
    if code not in (0, 1, 2):
        raise AssertionError(f"{args.verb} returned {code!r}")
    return int(code)


def _must_be_text(arguments: Sequence[str]) -> None:
    """Refuse an empty argument: a variable that is not set would name this folder, or no baseline, or nowhere.

    And one that is not UTF-8: what is signed or kept could not name it, or nobody could read it again.

    Raises:
        UsageError: there is one.
    """
    import os

    for at, argument in enumerate(arguments):
        option, is_set, value = argument.partition("=")
        if argument == "" or (option.startswith("--") and is_set and value == ""):
            where = option or (arguments[at - 1] if at else "sbomgate")
            raise UsageError("is followed by nothing", where=where, hint="is a variable not set? Leave the option out")
        try:
            os.fsencode(argument).decode("utf-8")
        except UnicodeError as e:
            raise UsageError("is not UTF-8", where=argument[:300], hint="rename it, or write it in UTF-8") from e


def parser(verb: str | None = None, *, listing: bool = False) -> argparse.ArgumentParser:
    """Return the parser with every verb of this folder, in alphabetical order; of a known `verb` with that one only.

    `listing`: nothing but the list of the verbs is asked for, so that none of them has to declare its arguments.
    """
    import argparse
    import functools
    import importlib
    import pkgutil

    from sbomgate import __version__

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            """Say what is wrong with the arguments, which may be the name of somebody's branch (P39)."""
            from sbomgate.report.escape import plain

            super().error(plain(message))

    top = Parser(
        prog="sbomgate",
        description="May this build ship, given exactly what it is made of?",
        epilog="Exit codes: 0 allowed, 1 denied, 2 no decision. `sbomgate VERB --help` has examples.",
        formatter_class=functools.partial(argparse.HelpFormatter, width=110),  # or it looks at the terminal each time
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"sbomgate {__version__}")
    layout = functools.partial(argparse.RawDescriptionHelpFormatter, max_help_position=32, width=110)
    # `prog`: to find it out, argparse would make a formatter that looks at the terminal.
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True, prog=top.prog)
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    for name in [verb] if verb in names else names:
        module = importlib.import_module(f"{__name__}.{name}")
        if listing:
            verbs.add_parser(name, help=module.HELP, add_help=False)
            continue
        made = verbs.add_parser(
            name,
            help=module.HELP,
            description=module.__doc__,
            formatter_class=layout,
            allow_abbrev=False,
        )
        made.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
        module.add_arguments(made)
        made.set_defaults(run=module.run)
    return top


def _fail(error: BaseException, *, debug: bool) -> int:
    """Say what went wrong on stderr, in one message without a traceback, and return the exit code."""
    if isinstance(error, BrokenPipeError):  # the reader of our stdout went away: nobody is left to be told
        return EXIT_NO_DECISION
    with contextlib.suppress(OSError, ValueError):  # nobody may be there to read it; the exit code says it
        if debug:
            import traceback

            traceback.print_exception(error)
        try:
            lines = _message(error)
        except BaseException:  # noqa: BLE001 - what words it is broken as well
            lines = [f"error: {type(error).__name__}"]
        print("\n".join(lines), file=sys.stderr, flush=True)
    return error.exit_code if isinstance(error, SbomgateError) else EXIT_NO_DECISION


def _message(error: BaseException) -> list[str]:
    from sbomgate.cli._environment import discreet

    if isinstance(error, SbomgateError):
        lines = [f"error: {discreet(str(error))}"]
        if error.hint:
            lines.append(f"  hint: {discreet(error.hint)}")
        return lines
    if isinstance(error, KeyboardInterrupt):
        return ["error: interrupted, no decision was made"]
    if isinstance(error, MemoryError):
        return ["error: out of memory, no decision was made"]
    if isinstance(error, OSError):
        where = error.filename if isinstance(error.filename, str) else "input or output"
        return [f"error: {discreet(where)}: {discreet((error.strerror or str(error)).lower())}"]
    return [f"error: {type(error).__name__}: {discreet(str(error))}", f"  hint: {ISSUES_HINT}"]
