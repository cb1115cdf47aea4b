"""The commands of the documentation: fenced blocks of Markdown, as a reader sees them.

A block whose info string is `sh`, `bash` or `console` is commands; in `console` they follow `$ `, and what stands
between them is what they print (`…` for whatever; digests and times may differ). A comment before a block says what
is special:

    <!-- run: no, REASON -->        it cannot be run here; its commands must still be ones that sbomgate has
    <!-- run: exit 1 -->            its commands end with this code, not with 0
    <!-- run: first, COMMANDS -->   what the reader is taken to have done; run before it, on one line or several
    <!-- run: WORD is TEXT -->      from here on, TEXT stands for WORD in the commands of this page
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

SHELL = ("sh", "bash", "console")
_MARK = re.compile(r"<!-- run: (.*?) -->", re.S)
_FENCE = re.compile(
    r"(?P<marks>(?:^ *<!-- run: (?:(?!-->).)*-->\n\s*?)*)"
    r"^(?P<indent> *)```(?P<language>[\w-]*)[^\n]*\n(?P<body>.*?)^(?P=indent)```$",
    re.M | re.S,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command: its line in the page, its text, and the lines that the page says it prints."""

    line: int
    text: str
    shows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block of commands.

    Attributes:
        line: of its first command.
        why_not: why it is not run here; None where it is.
        code: the exit code of each of its commands.
        first: commands that come before it.
        stands_for: words of this block and later ones → the text that is run in their place.
    """

    line: int
    commands: tuple[Command, ...]
    why_not: str | None = None
    code: int = 0
    first: str = ""
    stands_for: dict[str, str] = field(default_factory=dict)


def blocks(page: str) -> list[Block]:
    """Return the blocks of commands of a page, in order.

    Raises:
        ValueError: a mark that is none of ours, or belongs to no block of commands.
    """
    found = []
    marked = 0
    for fence in _FENCE.finditer(page):
        marks = _MARK.findall(fence["marks"])
        marked += len(marks)
        start = _line(page, fence.start("body"))
        if fence["language"] not in SHELL:
            if marks:
                raise ValueError(f"line {start}: a mark before a block that is no commands")
            continue
        lines = [line.removeprefix(fence["indent"]) for line in fence["body"].splitlines()]
        read = _console if fence["language"] == "console" else _plain
        found.append(_block(start, tuple(read(lines, start)), marks))
    if marked != len(_MARK.findall(page)):
        raise ValueError("a mark stands before no block")
    return found


def _line(page: str, at: int) -> int:
    return page.count("\n", 0, at) + 1


def _block(line: int, commands: tuple[Command, ...], marks: list[str]) -> Block:
    why_not, code, first = None, 0, ""
    stands_for: dict[str, str] = {}
    for text in marks:
        if match := re.fullmatch(r"no, (\S.+)", text, re.S):
            why_not = " ".join(match[1].split())
        elif match := re.fullmatch(r"exit ([012])", text):
            code = int(match[1])
        elif match := re.fullmatch(r"first, (\S.*)", text, re.S):
            first = match[1]
        elif match := re.fullmatch(r"(.+?) is (.+)", text):
            stands_for[match[1]] = match[2]
        else:
            raise ValueError(f"line {line}: not a mark that is known: {text}")
    return Block(line=line, commands=commands, why_not=why_not, code=code, first=first, stands_for=stands_for)


def _plain(lines: list[str], start: int) -> Iterator[Command]:
    taken: list[str] = []
    until = ""
    for number, line in enumerate(lines, start=start):
        if not taken and (not line.strip() or line.lstrip().startswith("#")):
            continue
        taken.append(line)
        if until:
            ended = line == until
        elif heredoc := re.search(r"<<-?\s*['\"]?(\w+)", line):
            until, ended = heredoc[1], False
        else:
            ended = not line.endswith("\\")
        if ended:
            yield Command(line=number - len(taken) + 1, text="\n".join(taken))
            taken, until = [], ""
    if taken:
        raise ValueError(f"line {start}: the last command of this block does not end")


def _console(lines: list[str], start: int) -> Iterator[Command]:
    at: list[int] = [number for number, line in enumerate(lines) if line.startswith("$ ")]
    if lines and at[:1] != [0]:
        raise ValueError(f"line {start}: a console block begins with a command, after `$ `")
    for first, following in zip(at, [*at[1:], len(lines)], strict=True):
        text = [lines[first].removeprefix("$ ")]
        rest = first + 1
        while text[-1].endswith("\\"):
            text.append(lines[rest].removeprefix("> "))
            rest += 1
        shows = tuple(line for line in lines[rest:following] if line.strip())
        yield Command(line=start + first, text="\n".join(text), shows=shows)


def missing(shows: tuple[str, ...], printed: str) -> str | None:
    """Return the first line of `shows` that is not among what was printed, in this order; None where all are."""
    lines = iter([_loose(line) for line in printed.splitlines()])
    for line in shows:
        pattern = re.compile(".*".join(map(re.escape, _loose(line).split("…"))))
        if not any(pattern.fullmatch(real) for real in lines):
            return line
    return None


def _loose(line: str) -> str:
    line = re.sub(r"\b[0-9a-f]{6,}\b", "…", line)
    line = re.sub(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d)?(Z| UTC)?)?", "…", line)
    return re.sub(r"\s+", " ", re.sub(r"…+", "…", line)).strip()


def outside(page: str) -> list[str]:
    """Return the lines of a page that stand in no fenced block."""
    return _FENCE.sub("", page).splitlines()


def spoken(page: str) -> list[str]:
    """Return what stands as `sbomgate …` in the running text of a page."""
    prose = "\n".join(outside(page))
    return [" ".join(found.split()) for found in re.findall(r"`(sbomgate [^`]+)`", prose)]
