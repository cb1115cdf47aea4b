"""The one comment that sbomgate keeps on a pull request, in the words of each forge's interface. Pure: nothing is sent.

A forge is a module of this folder with

    LIMIT: int                                               characters that a comment may have there
    parse(url: str) -> Pull | None                           what the address of a pull request of this forge says
    comment(pull: Pull, text: str) -> Story                  the requests, one after the other

A `Story` yields each request and is sent its answer, decoded; what it returns is what became of the comment. A comment
is ours where it begins with `MARK` and its author is whoever the token stands for: a comment that somebody else wrote
is never made to say what we say, since its author could change it later.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from sbomgate.errors import FetchError, UsageError

MARK = "<!-- sbomgate review -->"
MAX_PAGES = 50  # of 100 comments
_CUT = "\n\n… cut here: the whole text is among the job's artefacts.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """Where a pull request lies.

    Attributes:
        url: its address for people.
        api: what the addresses of its forge's interface begin with.
        project: as the interface names it.
        number: of the pull request.
    """

    url: str
    api: str
    project: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request. `again`: it may be sent a second time where no answer came, because twice is as once."""

    method: str
    url: str
    body: Mapping[str, Any] | None = None
    again: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the comment: `written`, `replaced` or `kept`, and its address."""

    what: str
    url: str


Story = Generator[Call, Any, Outcome]


def find(url: str) -> tuple[ModuleType, Pull]:
    """Return the forge that an address of a pull request belongs to, and what the address says.

    Raises:
        UsageError: it is none that is known.
    """
    for name in sorted(module.name for module in iter_modules(__path__)):
        forge = import_module(f"{__name__}.{name}")
        pull = forge.parse(url)
        if pull is not None:
            return forge, pull
    raise UsageError(
        "is not the address of a pull request that a comment can be put on",
        where="--on",
        hint="https://HOST/OWNER/NAME/pull/7 (GitHub), https://HOST/GROUP/NAME/-/merge_requests/7 (GitLab), or "
        "https://HOST/ORGANISATION/PROJECT/_git/NAME/pullrequest/7 (Azure)",
    )


def body(text: str, limit: int) -> str:
    """Return the comment: the mark, and as many whole lines of a text as there is room for.

    Raises:
        UsageError: the text is empty, or a line of it would be a command to a forge (`/merge` to GitLab).
    """
    if not text.strip():
        raise UsageError("holds no text", where="the comment", hint="give the file that `sbomgate review` wrote")
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("/"):
            raise UsageError(
                "begins with a slash: to GitLab it is a command, which the token's holder would have given",
                where="the comment",
                place=f"line {number}",
                hint="give the file that `sbomgate review --format markdown` wrote, as it is",
            )
    made = f"{MARK}\n{text.rstrip()}\n"
    if len(made) <= limit:
        return made
    return made[: made.rindex("\n", 0, limit - len(_CUT))] + _CUT


def same(there: str, wanted: str) -> bool:
    """Whether a comment says already what it shall say; forges keep line ends and outer blanks as they like."""
    return there.replace("\r\n", "\n").strip() == wanted.strip()


def is_ours(text: object) -> bool:
    """Whether a comment bears our mark; whose it is has to be looked at as well."""
    return isinstance(text, str) and text.lstrip().startswith(MARK)


def strange(where: str, what: str) -> FetchError:
    """Return the error for an answer that is not of the form that the interface promises."""
    return FetchError(f"answers without {what}: nothing is known of the comment", where=where, hint="look at the page")
