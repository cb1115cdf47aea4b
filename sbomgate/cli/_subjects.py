"""What `gate` is asked about: one artefact, or one for each workspace."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sbomgate.errors import InputError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from sbomgate.cli._environment import Environment
    from sbomgate.model import Subject

MAX_SUBJECT_BYTES = 1 << 40  # hashed as a stream: a limit only against a device that never ends
MAX_FILE_BYTES = 4 << 20  # a line for each of ten thousand workspaces

_SUBJECT = re.compile(r"(?:file|git|oci):")
_PAIR = re.compile(r"(?s)(.+?)=((?:file|git|oci):.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The workspaces that are gated and the subject of each, as they were written.

    Attributes:
        workspaces: their names, or None where the whole lockfile is judged.
        specs: a subject for each of them; exactly one for the whole lockfile.
        many: whether the result is one decision, or a list, even of one.
    """

    workspaces: tuple[str, ...] | None
    specs: tuple[str, ...]
    many: bool

    def parse(self, env: Environment) -> tuple[Subject | InputError, ...]:
        """Return the subjects, each artefact hashed; one that cannot be read is a value, so that it stops no other.

        Raises:
            UsageError: one is no subject.
        """
        found = tuple(_parse(spec, env) for spec in self.specs)
        _warn_of_the_same(self.workspaces or (), found)
        return found

    def paths(self, subjects: Sequence[Subject | InputError]) -> dict[str, str]:
        """Return SHA-256 → path of the subjects that are files, as `parse` returned them."""
        return {
            found.digest["sha256"]: spec.partition(":")[2]
            for spec, found in zip(self.specs, subjects, strict=True)
            if not isinstance(found, InputError) and spec.startswith("file:")
        }


def read(args: argparse.Namespace, env: Environment) -> Asked:
    """Read what the command line and its file say.

    Raises:
        UsageError: no subject; several, and not each for a workspace; the file is not as it should be.
    """
    pairs = [_pair(text) for text in args.subject or ()]
    if args.subjects is not None:
        pairs += _file(args.subjects, env)
    if not pairs:
        raise UsageError(
            "nothing says what ships",
            where="--subject",
            hint="give file:PATH, git:COMMIT or oci:HOST/REPO@sha256:DIGEST",
        )
    names = [name for name, _ in pairs]
    specs = tuple(spec for _, spec in pairs)
    if args.workspace is not None:
        if names != [None]:
            raise UsageError(
                "names the workspace of one subject",
                where="--workspace",
                hint="give WORKSPACE=SUBJECT for each of several",
            )
        return Asked(workspaces=(args.workspace,), specs=specs, many=False)
    if names == [None]:
        return Asked(workspaces=None, specs=specs, many=False)
    if None in names:
        raise UsageError(
            "several subjects, and this one names no workspace",
            where="--subject",
            place=specs[names.index(None)],
            hint="give WORKSPACE=SUBJECT for each",
        )
    return Asked(
        workspaces=tuple(name for name in names if name is not None),
        specs=specs,
        many=len(names) > 1 or args.subjects is not None,
    )


def _pair(text: str) -> tuple[str | None, str]:
    """Return workspace and subject of `WORKSPACE=SUBJECT`, or None and the text as it is."""
    pair = None if _SUBJECT.match(text) else _PAIR.fullmatch(text)
    return (pair[1], pair[2]) if pair else (None, text)


def _file(path: str, env: Environment) -> list[tuple[str | None, str]]:
    import tomllib

    from sbomgate import files

    hint = 'write a line "WORKSPACE" = "SUBJECT" for each workspace'
    if not (env.working_directory / path).exists():
        raise UsageError("no such file", where=path, hint=hint)
    try:
        text = files.read(env.working_directory / path, limit=MAX_FILE_BYTES, error=InputError).decode("utf-8")
        document = tomllib.loads(text)
    except UnicodeDecodeError as e:
        raise UsageError(f"not UTF-8 at byte {e.start}", where=path, hint="save it as UTF-8") from e
    except (ValueError, RecursionError) as e:
        raise UsageError(f"not TOML: {e}", where=path, hint=hint) from e
    if not document:
        raise UsageError("names no workspace", where=path, hint=hint)
    for name, spec in document.items():
        if not isinstance(spec, str):
            raise UsageError("expected a text", where=path, place=name, hint=f"{hint}, in quotes: names hold dots")
    return list(document.items())


def _parse(spec: str, env: Environment) -> Subject | InputError:
    from sbomgate import files, subject

    try:
        return subject.parse(
            spec, lambda path: files.sha256_of(env.working_directory / path, limit=MAX_SUBJECT_BYTES, error=InputError)
        )
    except InputError as error:
        return error


def _warn_of_the_same(names: tuple[str, ...], subjects: tuple[Subject | InputError, ...]) -> None:
    """One image may well hold two services; but a line that was copied and not changed looks the same."""
    from sbomgate.cli._environment import say
    from sbomgate.model import SubjectKind

    first: dict[tuple[str, ...], str] = {}
    for name, subject in zip(names, subjects, strict=False):
        if not isinstance(subject, InputError) and subject.kind is not SubjectKind.GIT:
            other = first.setdefault((subject.kind.value, *subject.digest.values()), name)
            if other != name:
                say(f"warning: {name} has the same artefact as {other}")
