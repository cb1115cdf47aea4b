"""Where waivers and approvals lie beside the project, how they are read, and how one is signed and put there."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sbomgate.errors import InputError, SigningError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from sbomgate.cli._environment import Environment
    from sbomgate.model import Approval, Trust, Waiver
    from sbomgate.project import DiskFiles
    from sbomgate.signing import Signer

FOLDER = ".sbomgate/approvals"
"""Below the project's folder: committed with the change that they are about. Each is signed."""
SUFFIX = ".sigstore.json"
MAX_FILES = 10_000  # ten years of a waiver a day, and more

_NAME = re.compile(r"[A-Za-z0-9_@+=-][A-Za-z0-9_.@+=,-]{0,199}")
_DAYS = re.compile(r"([0-9]{1,4})d")


def read(files: DiskFiles) -> dict[str, bytes]:
    """Return file name → bytes of every bundle in the project's folder of approvals; none is believed yet.

    Raises:
        InputError: too many, or a name that evidence could not hold.
    """
    names = [name for name in files.names(FOLDER) if name.endswith(SUFFIX)]
    if len(names) > MAX_FILES:
        raise InputError(f"more than {MAX_FILES:,} files", where=FOLDER, hint="remove those that have ended")
    for name in names:
        if not _NAME.fullmatch(name):
            raise InputError("not a plain file name", where=f"{FOLDER}/{name}", hint="rename it, or remove it")
    return {name: data for name in names if (data := files.read(f"{FOLDER}/{name}")) is not None}


def until(text: str | None, now: datetime, trust: Trust) -> datetime:
    """Return the end that `--until` names: a date (to its last second, UTC), a time with its zone, or `30d`.

    Raises:
        UsageError: no such time, in the past, or later than the trust file allows.
    """
    from sbomgate.times import parse_time

    where = "--until"
    hint = "write 2026-12-31, 2026-12-31T12:00:00Z or 30d"
    if text is None:
        raise UsageError("every waiver and approval has an end", where=where, hint=hint)
    try:
        if days := _DAYS.fullmatch(text):
            end = now + timedelta(days=int(days[1]))
        elif re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            end = parse_time(f"{text}T23:59:59Z")
        else:
            end = parse_time(text)
    except (ValueError, OverflowError) as e:
        raise UsageError(f"{text!a} {e}", where=where, hint=hint) from e
    if end <= now:
        raise UsageError(f"{end:%Y-%m-%d %H:%M} UTC is past", where=where, hint=hint)
    if end - now > timedelta(days=trust.max_waiver_days):
        raise UsageError(
            f"{end:%Y-%m-%d} is later than the {trust.max_waiver_days:g} days that the trust file allows",
            where=where,
            hint="take an earlier end: what is still needed then is looked at again",
        )
    return end


def reason(text: str) -> str:
    """Return why somebody signs.

    Raises:
        UsageError: it says nothing.
    """
    if not text.strip():
        raise UsageError("says nothing", where="--reason", hint="write what whoever reads the register should know")
    return text


def sign(said: Waiver | Approval, signer: Signer, trust: Trust, root: Path, name: str, env: Environment) -> str:
    """Sign, and write into the project's folder of approvals; return the file's path below it.

    Raises:
        SigningError: the trust file has no approver with this key, so it would count for nothing.
        UsageError: the file is there already, or cannot be written.
    """
    import hashlib

    from sbomgate import approvals
    from sbomgate.cli._environment import emit
    from sbomgate.model import Authors

    bundle = signer.sign(approvals.write(said))
    # What would not count is not written: read as a decision will read it.
    if refused := approvals.accepted({name: bundle}, trust, now=env.now, authors=Authors()).refused:
        raise SigningError(
            f"it would not count: {refused[0][1]}",
            hint='an approver is a [[signers]] entry of the trust file with roles = ["approver"]',
        )
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.")[:120]
    path = root / FOLDER / f"{plain}-{hashlib.sha256(bundle).hexdigest()[:12]}{SUFFIX}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise UsageError(f"cannot be made: {e.strerror}", where=f"{FOLDER}/") from e
    emit(bundle, str(path), env)
    return f"{FOLDER}/{path.name}"


def project_name(trust: Trust, repository: str | None, root_name: str) -> str:
    """Return what a decision will call this project: its repository, else the name in its package.json."""
    name = repository or trust.repository or root_name
    if not name:
        raise UsageError(
            "nothing names this project: no repository, and package.json has no name",
            hint="put `repository = …` into the trust file",
        )
    return name
