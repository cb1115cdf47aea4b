"""Evidence as files beside the build: `gate --bundle-out`, `verify --bundle`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sbomgate.errors import EvidenceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sbomgate.cli._environment import Environment
    from sbomgate.evidence.bundles import Given
    from sbomgate.evidence.record import Record

LINES = ".jsonl"
MAX_FILE_BYTES = 512 << 20  # a JSONL of many decisions
MAX_FILES = 10_000  # of one folder


def write(output: str, record: Record, env: Environment) -> None:
    """Write the signed statements of a decision into a folder, or add them to a JSONL of bundles.

    In a folder: `NAME.ID.decision.sigstore.json`, `NAME.ID.vsa.sigstore.json` and the SBOM, `NAME.ID.cdx.json`, where
    NAME is the artefact's and ID the beginning of the decision's digest. What is there is never overwritten by another
    decision.

    Raises:
        UsageError: it cannot be written.
    """
    from sbomgate import decision
    from sbomgate.cli._environment import emit

    bundles = [one for one in (record.detail, record.summary) if one is not None]
    path = env.working_directory / output
    if output.endswith(LINES):
        from sbomgate import dsse, files

        held = dsse.split_lines(files.read(path, limit=MAX_FILE_BYTES, error=UsageError)) if path.exists() else []
        lines = [line for line in held if line.strip()]
        lines += [one for one in bundles if one not in lines]
        emit(b"".join(line + b"\n" for line in lines), output, env)
        return
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise UsageError(
            f"cannot be made: {(e.strerror or str(e)).lower()}", where=output, hint="name a folder, or a FILE.jsonl"
        ) from e
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", record.claimed.subject.name.rpartition("/")[2]).lstrip(".-") or "artefact"
    start = f"{output.rstrip('/')}/{name[:100]}.{record.id[:12]}"
    emit(record.detail, f"{start}.decision.sigstore.json", env)
    emit(record.blobs[decision.SBOM], f"{start}.cdx.json", env)
    if record.summary is not None:
        emit(record.summary, f"{start}.vsa.sigstore.json", env)


def read(given: Sequence[str], env: Environment) -> list[Given]:
    """Return the bundles in files and folders: of a folder those called `*.sigstore.json`, `*.sigstore` or `*.jsonl`.

    Raises:
        EvidenceError: one cannot be read, or there are too many.
        UsageError: nothing is there.
    """
    from sbomgate import dsse, files
    from sbomgate.evidence.bundles import Given

    found: list[Given] = []
    for argument in given:
        path = env.working_directory / argument
        if not path.exists():
            raise UsageError("no such file or folder", where="--bundle", place=argument)
        for file in _files(path):
            data = files.read(file, limit=MAX_FILE_BYTES, error=EvidenceError)
            lines = dsse.split_lines(data)
            found += [
                Given(where=file.name if len(lines) == 1 else f"{file.name} line {number}", data=line)
                for number, line in enumerate(lines, 1)
            ]
    return found


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(one for one in path.iterdir() if one.name.endswith((".sigstore.json", ".sigstore", LINES)))
    if len(found) > MAX_FILES:
        raise EvidenceError(f"more than {MAX_FILES:,} bundles", where=str(path))
    if not found:
        raise UsageError(
            "no *.sigstore.json, *.sigstore or *.jsonl in this folder", where="--bundle", place=str(path.name)
        )
    return found
