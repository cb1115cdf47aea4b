"""The one guard: whatever goes wrong is exit code 2, with one message and no traceback (P1, P2)."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType

import pytest

from sbomgate import cli
from sbomgate.errors import InputError, SbomgateError


def raising(error: BaseException) -> Callable[..., int]:
    def run(*_: object) -> int:
        raise error

    return run


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., int]], None]:
    """Replace `generate` by a function of the test."""

    def install(run: Callable[..., int]) -> None:
        import sbomgate.cli.generate as generate

        assert isinstance(generate, ModuleType)
        monkeypatch.setattr(generate, "run", run)

    return install


ERRORS: dict[str, tuple[BaseException, str]] = {
    "our own": (InputError("got nothing", where="package-lock.json", hint="run npm install"), "run npm install"),
    "a defect": (ZeroDivisionError("x"), "ZeroDivisionError"),
    "recursion": (RecursionError("deep"), "RecursionError"),
    "memory": (MemoryError(), "out of memory"),
    "interrupt": (KeyboardInterrupt(), "interrupted"),
    "disk": (OSError(28, "No space left on device", "evidence"), "evidence: no space left on device"),
    "assertion": (AssertionError("bad"), "AssertionError"),
    "import": (ImportError("no module named wasmtime"), "wasmtime"),
}


@pytest.mark.parametrize(("error", "message"), ERRORS.values(), ids=ERRORS.keys())
def test_every_failure_is_2(
    error: BaseException, message: str, verb: Callable[[Callable[..., int]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """P1: an uncaught error exits 2, never 0 or 1."""
    verb(raising(error))
    assert cli.main(["generate"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert "Traceback" not in err


def test_an_exit_code_outside_the_three_is_2(verb: Callable[[Callable[..., int]], None]) -> None:
    verb(lambda *_: 7)
    assert cli.main(["generate"]) == 2


def test_hostile_text_in_an_error_is_inert(
    verb: Callable[[Callable[..., int]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """P39: an error repeats the name of a package, so it is escaped like a report."""
    verb(raising(SbomgateError("bad \x1b[2J\n::set-output", where="a\u202eb")))
    assert cli.main(["generate"]) == 2
    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert "\u202e" not in err
    assert not any(line.startswith("::") for line in err.splitlines())


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["generate", "--nonsense"], ["check", "--profile", "lax"]])
def test_usage_errors_are_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 2
    assert "usage:" in capsys.readouterr().err


def test_every_verb_explains_itself() -> None:
    sub = next(action for action in cli.parser()._actions if isinstance(action, argparse._SubParsersAction))
    assert set(sub.choices) >= {"generate", "check", "gate", "verify", "replay", "key", "trust"}
    for name, parser in sub.choices.items():
        assert parser.description, name
        flags = [a for a in parser._actions if a.option_strings and a.help != argparse.SUPPRESS and a.dest != "help"]
        most = 25 if name == "gate" else 20  # what ties an artefact to its lockfile is asked of no other verb
        assert len(flags) <= most, f"{name} has {len(flags)} flags"


@pytest.mark.parametrize("broken", ["import", "stdout"])
def test_the_process_itself(broken: str) -> None:
    """P2: a package that cannot be imported and a stdout that cannot be written are 2, not Python's own 1 or 120."""
    program = {
        "import": "import sys; sys.modules['sbomgate.cli._environment'] = None\n"
        "from sbomgate.cli import main; sys.exit(main(['generate', '/nowhere']))",
        "stdout": "import sys; sys.stdout = open('/dev/full', 'w')\n"
        "from sbomgate.cli import main; sys.exit(main(['--help']))",
    }[broken]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
