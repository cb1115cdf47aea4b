"""Programs that hand over what no parser has looked at: an error of ours, which is never a decision (P1)."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

import sbomgate
from sbomgate.errors import FetchError, SbomgateError, UsageError
from testkit.commandline import World

LONG = "x" * 5000


class Odd:
    """A path that is none."""

    def __fspath__(self) -> bytes:
        return b"shop"


PATHS: list[Any] = [3, b"shop", ["shop"], "", "a\0b", 0.5, True, Odd()]
TEXTS: list[Any] = [3, b"x", ["a"], "", "a\0", "a\udcff", True]
WRONG: dict[str, dict[str, list[Any]]] = {
    "check": {
        "project": [*PATHS, None],
        "trust": PATHS,
        "baseline": PATHS,
        "facts": PATHS,
        "policy": PATHS,
        "workspace": TEXTS,
        "profile": [*TEXTS, "STRICT"],
        "offline": [3, 0, "no", None, []],
        "now": [3, "2026", datetime(2026, 1, 1), datetime(1, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC),
                date(2026, 1, 1)],
        "variables": [3, ["HOME"], {"HOME": 3}, {3: "x"}, {"HOME": None}, {b"HOME": b"x"}, {"HOME": "a\0b"}],
        "notify": [3, "print"],
        "client": [3, "httpx"],
    },
    "generate": {
        "project": [*PATHS, None],
        "workspace": TEXTS,
        "spec_version": [1.6, "1.4", None, "", []],
        "format": ["yaml", None, 3, []],
    },
    "verify": {
        "subject": [*TEXTS, None, Path("app.tgz")],
        "trust": [*PATHS, None],
        "store": PATHS,
        "bundles": ["app.tgz", Path("app.tgz"), b"x", 3, None, [3], [None], [b"x"], [""]],
        "environment": TEXTS,
        "workspace": TEXTS,
        "index": TEXTS,
        "now": [3, datetime(2026, 1, 1)],
    },
}  # fmt: skip


@pytest.fixture
def calls(world: World, monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[..., Any]]:
    """Each function with arguments that are right, but for what it is given."""
    monkeypatch.chdir(world.root)
    own: dict[str, Any] = {"trust": "trust.toml", "variables": world.environment()}
    return {
        "check": lambda **more: sbomgate.check(**{"project": "shop", "offline": True, **own, **more}),
        "generate": lambda **more: sbomgate.generate(**{"project": "shop", "variables": own["variables"], **more}),
        "verify": lambda **more: sbomgate.verify(**{"subject": "file:app.tgz", "store": "evidence", **own, **more}),
    }


@pytest.mark.parametrize("function", WRONG)
def test_P1_an_argument_of_another_kind_is_named(calls: dict[str, Callable[..., Any]], function: str) -> None:
    for name, values in WRONG[function].items():
        for value in values:
            with pytest.raises(UsageError) as e:
                calls[function](**{name: value})
            assert name in (e.value.where or "") + e.value.message, f"{name}={value!r:.60}: {e.value}"
            assert e.value.hint


def test_P1_what_the_system_refuses_is_an_error_of_ours(calls: dict[str, Callable[..., Any]]) -> None:
    """A name that is too long is one for the system alone."""
    for function, name in (("check", "project"), ("check", "baseline"), ("generate", "project"), ("verify", "store")):
        with pytest.raises(SbomgateError):
            calls[function](**{name: LONG})
    with pytest.raises(FetchError, match="too long"):
        calls["check"](project=LONG)


def test_P1_a_working_directory_that_is_gone(
    calls: dict[str, Callable[..., Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for call in calls.values():
        with pytest.raises(SbomgateError):
            call()


def test_threads_get_the_same_answer(calls: dict[str, Callable[..., Any]]) -> None:
    now = datetime.now(UTC)
    first = calls["check"](now=now)
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(calls["check"](now=now))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert found == [first] * 3


FORK = """
import os, sys
from datetime import UTC, datetime
import sbomgate
def ask():
    return sbomgate.check("shop", trust="trust.toml", offline=True, now=now).policy_input
now = datetime.now(UTC)
first = ask()
child = os.fork()
if child == 0:
    os._exit(0 if ask() == first else 3)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_of_a_process_that_has_asked_gets_the_same_answer(world: World) -> None:
    """As in servers that fork: the engine's threads are not in the child."""
    command = [sys.executable, "-c", FORK]
    variables = world.environment(PYTHONPATH=str(Path(sbomgate.__file__).resolve().parents[1]))
    made = subprocess.run(command, cwd=world.root, env=variables, capture_output=True, timeout=120, check=False)
    assert made.returncode == 0, made.stderr
