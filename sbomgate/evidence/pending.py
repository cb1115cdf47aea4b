"""Decisions that were made and could not be signed yet (PROMISES P34): kept beside the builds, as plain files.

    STORE/pending/<SHA-256 of decision.json>/decision.json, and every file that the decision stores

Nothing here is signed, so nothing here is believed by its place: whoever resumes names the decision by its digest,
which `gate` printed when it kept it, and every file is compared with what that names.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from sbomgate import decision, files
from sbomgate.decision import Decision
from sbomgate.errors import EvidenceError
from sbomgate.evidence.commit import TEMPORARY, Commit, could_not
from sbomgate.evidence.layout import MAX_BLOB_BYTES, PENDING
from sbomgate.evidence.record import DETAIL, check_names

MAX_DETAIL_BYTES = 64 << 20  # names 200,000 files
_ID = re.compile(r"[0-9a-f]{64}")


def folder(store: Path, pending: str) -> Path:
    """Return where a pending decision lies."""
    return store / PENDING / pending


def keep(store: Path, made: Decision, blobs: Mapping[str, bytes]) -> str:
    """Write a decision as pending and return its id. When this returns it is on disk, whole; again changes nothing.

    Raises:
        EvidenceError: it cannot be written.
    """
    check_names(made)
    detail = decision.write_detail(made)
    pending = hashlib.sha256(detail).hexdigest()
    target = folder(store, pending)
    if target.is_dir():
        return pending
    with Commit(target) as commit:
        commit.make_folders(target.parent)
        commit.sync(store)
        if (left := target.with_name(f"{TEMPORARY}{pending}")).exists():  # a killed writer's
            shutil.rmtree(left)
        commit.folder(target, {name: (data, None) for name, data in {**blobs, DETAIL: detail}.items()})
        commit.run()
    return pending


_AGAIN = "this is not what was decided: find out who wrote there, remove the folder, and gate the artefact again"


def read(store: Path, pending: str) -> tuple[Decision, dict[str, bytes]]:
    """Return a pending decision and the bytes of every file that it stores, each compared with its digest.

    Raises:
        EvidenceError: there is none of that id, or it is not what the id names.
    """
    if not _ID.fullmatch(pending):
        raise EvidenceError(
            "not a pending decision's SHA-256 in hex",
            where=pending[:80],
            hint="the run that kept it printed all 64 digits; its folder in STORE/pending has that name",
        )
    base = folder(store, pending)
    if not base.is_dir():
        raise EvidenceError(
            "no decision is pending under this id",
            where=str(base),
            hint="it may be signed already, which `sbomgate verify` tells; or it lies in another --store",
        )
    detail = files.read(base / DETAIL, limit=MAX_DETAIL_BYTES, error=EvidenceError, follow=False)
    if (got := hashlib.sha256(detail).hexdigest()) != pending:
        raise EvidenceError(f"altered: its sha256 is {got}", where=str(base / DETAIL), hint=_AGAIN)
    made = decision.read_detail(detail, str(base / DETAIL))
    check_names(made)
    blobs: dict[str, bytes] = {}
    for material in made.materials:
        if not material.stored:
            continue
        at = base / material.name
        data = files.read(at, limit=min(MAX_BLOB_BYTES, material.size), error=EvidenceError, follow=False)
        if (got := hashlib.sha256(data).hexdigest()) != material.sha256:
            raise EvidenceError(
                f"altered: its sha256 is {got}, the decision names {material.sha256}", where=str(at), hint=_AGAIN
            )
        blobs[material.name] = data
    return made, blobs


def drop(store: Path, pending: str) -> None:
    """Remove a decision that is signed and stored now. One that is gone already is no error.

    Raises:
        EvidenceError: it cannot be removed.
    """
    target = folder(store, pending)
    try:
        if target.is_dir():
            # Its name goes at once: what a kill leaves behind is no pending decision.
            gone = target.with_name(f"{TEMPORARY}{pending}")
            if gone.exists():
                shutil.rmtree(gone)
            target.rename(gone)
            shutil.rmtree(gone)
    except OSError as e:
        raise could_not("be removed", target, e) from e
