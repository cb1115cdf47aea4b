"""Every command of the documentation is run, page by page, in a real shell; what cannot be run here says why.

Whatever stands in a block must be a command that sbomgate has, run or not. How a page says what it needs:
testkit/pages.py; what every page has: testkit/reader.py.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sbomgate import cli
from sbomgate.errors import SbomgateError
from testkit import oci_simulator, pages, reader, shell
from testkit.reader import Reader
from testkit.registry import Simulator

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
}
WITH_COMMANDS = [name for name, text in PAGES.items() if any(block.why_not is None for block in pages.blocks(text))]
MAY_NOT_RUN = 52  # commands beside those of cli.md: a mark is for what needs somebody else's service


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A reader who has one build of his own, by `gate`."""
    folder = tmp_path_factory.mktemp("docs")
    with shell.sbomgate_on_path(folder) as programs, Simulator() as npm, oci_simulator.simulator() as oci:
        reader.publish(npm)
        made = reader.new_reader(folder / "first", npm, oci, programs)
        gate = "sbomgate gate --subject file:dist/app.tgz --key ../release.key --trust ../trust.toml"
        (done,) = shell.run([gate], cwd=made.cwd, env=made.environment(), scratch=folder / "scratch")
        assert done.code == 0, done.out + done.err
        yield made


@pytest.mark.opa
@pytest.mark.cosign
@pytest.mark.npm
@pytest.mark.parametrize("name", WITH_COMMANDS)
def test_a_page(name: str, first: Reader, tmp_path: Path) -> None:
    """Its commands do what the page says, in their order."""
    missing = [program for program in ("jq", "git", "bash") if shutil.which(program) is None]
    assert not missing, f"install {', '.join(missing)}"
    reader_of_it = first.copy(tmp_path / "world")
    own: dict[str, str] = {}
    script: list[str] = []
    asked: list[tuple[pages.Block, pages.Command | None]] = []
    for block in pages.blocks(PAGES[name]):
        own |= block.stands_for
        if block.first:
            script.append(reader.stands_for(block.first, own))
            asked.append((block, None))
        for command in () if block.why_not else block.commands:
            script.append(reader.stands_for(command.text, own))
            asked.append((block, command))
    env = reader_of_it.environment()
    done = shell.run(script, cwd=reader_of_it.cwd, env=env, scratch=tmp_path / "scratch", before=reader.FUNCTIONS)
    wrong = []
    for (block, shown), text, result in zip(asked, script, done, strict=False):
        where = f"{name}:{shown.line if shown else block.line}: {text}"
        wanted = block.code if shown else 0
        if result.code != wanted:
            wrong.append(f"{where}\n  exit code {result.code}, not {wanted}\n{result.out[-1500:]}{result.err[-1500:]}")
        elif shown and (line := pages.missing(shown.shows, printed(result, first))):
            wrong.append(f"{where}\n  does not print: {line}\n{result.out[-3000:]}{result.err[-1500:]}")
    assert not wrong, "\n".join(wrong)
    assert len(done) == len(script), f"{name}: the shell ended after {script[len(done)]}"


@pytest.mark.parametrize("name", sorted(PAGES))
def test_what_is_shown_is_there(name: str) -> None:
    """Verbs and flags exist, in blocks that are not run and in the running text as well."""
    wrong = []
    for block in pages.blocks(PAGES[name]):
        for command in block.commands:
            for words in _own(reader.stands_for(command.text, block.stands_for)):
                if problem := _problem(words):
                    wrong.append(f"{name}:{command.line}: sbomgate {' '.join(words)}: {problem}")
    wrong += [f"{name}: `{text}`: {problem}" for text in pages.spoken(PAGES[name]) if (problem := _unknown(text))]
    assert not wrong, "\n".join(wrong)


def test_commands_stand_in_blocks() -> None:
    """Whoever shows a command shows it in a fenced block: indented ones are not looked at."""
    lines = [
        f"{name}: {line}"
        for name, text in PAGES.items()
        for line in pages.outside(text)
        if re.match(r" {4,}(\$ )?(\w+=\S+ )?sbomgate [a-z]", line)
    ]
    assert not lines


def test_what_is_not_run() -> None:
    """Each has its reason, and there are few."""
    reasons = [
        f"{name}:{command.line}: {block.why_not}"
        for name, text in PAGES.items()
        for block in pages.blocks(text)
        if block.why_not and name != "docs/cli.md"
        for command in block.commands
    ]
    assert len(reasons) <= MAY_NOT_RUN


def printed(result: shell.Done, who: Reader) -> str:
    """Return what a command printed, with the name that the pages give to the registry."""
    return f"{result.out}\n{result.err}".replace(who.oci, "registry.example")


def _own(command: str) -> Iterator[list[str]]:
    """Return the arguments of each `sbomgate` in a command."""
    lexer = shlex.shlex(command.replace("\\\n", " "), posix=True, punctuation_chars="|;&><")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if re.fullmatch(r"[|;&><]+", word):
            while words and re.match(r"\w+=", words[0]):
                words.pop(0)
            if words and words[0] == "sbomgate":
                yield words[1:]
            words = []
        else:
            words.append(word)


def _problem(words: list[str]) -> str | None:
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            cli.parser(words[0] if words else None).parse_args(words)
        except SystemExit as stop:
            return said.getvalue() if stop.code else None
        except SbomgateError as error:
            return str(error)
    return None


@functools.cache
def _everything() -> argparse.ArgumentParser:
    return cli.parser()


def _unknown(text: str) -> str | None:
    """Return what of `sbomgate VERB … --flag …` does not exist."""
    words = [word.strip("[],.;:") for word in text.split()[1:]]
    flags = {word.partition("=")[0] for word in words if re.match(r"--[a-z]", word)}
    parser = _everything()
    for word in words:
        inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        if not inner:
            break
        if word.startswith("-") or not re.fullmatch(r"[a-z-]+", word):
            continue
        if word not in inner[0].choices:
            return f"no {word}"
        parser = inner[0].choices[word]
    known = {option for action in parser._actions for option in action.option_strings}
    strange = flags - known - {"--help", "--version"}
    return f"no {', '.join(sorted(strange))}" if strange else None
