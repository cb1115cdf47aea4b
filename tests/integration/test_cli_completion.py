"""The completion scripts, in the real shells: what is offered is what the parser accepts."""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path

import pytest

from sbomgate import cli
from sbomgate.cli import completion
from testkit.commandline import World

BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_sbomgate
printf '%s\\n' "${COMPREPLY[@]}"
"""
# zsh's own functions are replaced by what prints what they are given: there is no line editor in a script.
ZSH = """
_describe() { local -a given; given=("${(@P)argv[-1]}"); print -rl -- "${(@)given%%:*}"; }
_files() { print -rl -- FILES; }
compadd() { shift; print -rl -- "$@"; }
compdef() { }
source "$1"; shift
words=("$@"); CURRENT=$#
_sbomgate
"""
FISH = """
source $argv[1]
complete -C "$argv[2]" | string split -f1 \\t
"""


def offered(shell: str, script: Path, words: list[str]) -> list[str]:
    """Return what a shell offers for the last of these words."""
    if shell == "bash":
        command = ["bash", "--norc", "-c", BASH, "bash", str(script), *words]
    elif shell == "zsh":
        command = ["zsh", "-f", "-c", ZSH, "zsh", str(script), *words]
    else:
        command = ["fish", "--no-config", "-c", FISH, str(script), " ".join(words)]
    home = {"HOME": str(script.parent), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    ran = subprocess.run(command, env=home, cwd=script.parent, capture_output=True, text=True, timeout=60, check=False)
    assert ran.stderr == ""
    return [line for line in ran.stdout.splitlines() if line]


@pytest.fixture(scope="module")
def scripts(ordinary: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scripts")
    for shell in completion.SHELLS:
        made = ordinary.run("completion", shell)
        assert made.code == 0, made.err
        (folder / shell).write_text(made.out)
    return folder


def known(*words: str) -> argparse.ArgumentParser:
    """Return the parser of a command."""
    found = cli.parser()
    for word in words:
        (action,) = (one for one in found._actions if isinstance(one, argparse._SubParsersAction))
        found = action.choices[word]
    return found


def below(parser: argparse.ArgumentParser) -> list[str]:
    return [str(c) for action in parser._actions if not action.option_strings for c in action.choices or ()]


def flags(parser: argparse.ArgumentParser) -> list[str]:
    shown = (action for action in parser._actions if action.help != argparse.SUPPRESS)
    return [name for action in shown for name in action.option_strings]


@pytest.mark.shells
@pytest.mark.parametrize("shell", completion.SHELLS)
def test_what_is_offered_is_what_is_accepted(scripts: Path, shell: str) -> None:
    script = scripts / shell
    assert sorted(offered(shell, script, ["sbomgate", ""])) == sorted(below(known()))
    assert offered(shell, script, ["sbomgate", "chec"] if shell != "zsh" else ["sbomgate", ""]).count("check") == 1
    assert sorted(offered(shell, script, ["sbomgate", "trust", ""])) == sorted(below(known("trust")))
    assert sorted(offered(shell, script, ["sbomgate", "completion", ""])) == sorted(completion.SHELLS)
    assert sorted(offered(shell, script, ["sbomgate", "check", "--profile", ""])) == [
        "default", "observe", "release", "strict",
    ]  # fmt: skip
    wanted = {name for name in flags(known("trust", "new")) if name.startswith("--")}
    assert wanted <= set(offered(shell, script, ["sbomgate", "trust", "new", "--"]))
    assert "--metrics" not in offered(shell, script, ["sbomgate", "check", "--"])
    (scripts / "lockfile.json").write_text("")
    here = offered(shell, script, ["sbomgate", "check", "lock" if shell != "zsh" else ""])
    assert here == (["FILES"] if shell == "zsh" else ["lockfile.json"])
    after = offered(shell, script, ["sbomgate", "check", "--trust", "lock" if shell != "zsh" else ""])
    assert after == (["FILES"] if shell == "zsh" else ["lockfile.json"])


def test_every_command_is_in_every_script(scripts: Path) -> None:
    """Without the shells: nothing is left out, and no help text breaks out of its quotes."""
    commands = list(completion.commands_of(cli.parser()))
    assert len(commands) > 30
    for shell in completion.SHELLS:
        text = (scripts / shell).read_text()
        for command in commands:
            assert all(word in text for word in command.words)
        assert all(set(flag.help).isdisjoint("\\`$'\"[]\n") for command in commands for flag in command.flags)


def test_an_unknown_shell(ordinary: World) -> None:
    assert ordinary.run("completion", "tcsh").code == 2
