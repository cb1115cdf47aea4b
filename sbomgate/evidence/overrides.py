"""Overrides of FAILED decisions: where a store keeps them, and whether `verify` honours them (P32).

    STORE/overrides/<decision>/<sha256>.sigstore.json      <decision>: SHA-256 of its signed detail

Each is signed and names its decision, and the store's log has it (`evidence.log`): what is taken away is seen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import orjson

from sbomgate import decision, dsse, files, override
from sbomgate.errors import EvidenceError
from sbomgate.evidence.commit import could_not
from sbomgate.evidence.layout import OVERRIDES as FOLDER
from sbomgate.evidence.record import Record, Statements
from sbomgate.evidence.revocation import withdraws
from sbomgate.evidence.verify import VerificationResult
from sbomgate.model import Trust
from sbomgate.signing.verify import VerifiedStatement

SUFFIX = ".sigstore.json"
MAX_FILES = 1000  # about one decision, which two are enough for
_HEX = re.compile(r"[0-9a-f]{64}")


def read(store: Path, about: str) -> dict[str, bytes]:
    """Return file name → bytes of every override of a decision (hex); none is believed yet.

    Raises:
        EvidenceError: one cannot be read, or there are too many.
    """
    folder = store / FOLDER / about
    try:
        names = sorted(one.name for one in folder.iterdir() if one.name.endswith(SUFFIX)) if folder.is_dir() else []
    except OSError as e:
        raise could_not("be read", folder, e) from e
    if len(names) > MAX_FILES:
        raise EvidenceError(f"more than {MAX_FILES:,} files", where=str(folder), hint="who wrote them?")
    return {
        name: files.read(folder / name, limit=dsse.MAX_BUNDLE_BYTES, error=EvidenceError, follow=False)
        for name in names
    }


def decisions(store: Path) -> tuple[str, ...]:
    """Return the decisions (hex) for which the store keeps overrides, sorted: for whoever audits it."""
    folder = store / FOLDER
    return tuple(sorted(one.name for one in folder.iterdir() if _HEX.fullmatch(one.name))) if folder.is_dir() else ()


def never(record: Record) -> tuple[str, ...]:
    """Return what denies in a decision and nothing waives, as `rule/code`, sorted: nothing overrides it (P28)."""
    said = orjson.loads(record.blobs[decision.EVALUATION])
    return tuple(
        sorted(
            {
                f"{one['rule']}/{one['code']}"
                for one in said["findings"]
                if one["level"] == "deny"
                and not one["waived"]
                and (not one["waivable"] or one["rule"] in override.NEVER)
            }
        )
    )


def refusing(of: Statements, revocations: Mapping[str, bytes], trust: Trust) -> override.Revoked:
    """Return what tells which overrides of a decision do not count, whatever they say.

    Their signer is not accepted for its environment (P20), or was revoked.
    """
    environment = of.claimed.context.environment_name
    why = withdraws(revocations, trust.signers, environment)

    def refused(signed: VerifiedStatement) -> str | None:
        by = signed.signer
        return why(signed) if by.may_for(environment) else by.only_for(environment)

    return refused


def honour(
    result: VerificationResult, store: Path, trust: Trust, *, now: datetime, revocations: Mapping[str, bytes]
) -> VerificationResult:
    """Return the result of `verify_build`, accepted where the only reason against it is overridden.

    The reason stays in it, and `overridden` says by whom: such a build is OVERRIDDEN, never PASSED.

    Args:
        result: of `verify_build`.
        store: where the overrides lie.
        trust: who may override.
        now: the time.
        revocations: SHA-256 → bundle of every one that was given to `verify_build`: whom they withdraw, overrides
            nothing.

    Raises:
        EvidenceError: an override cannot be read.
    """
    deciding = result.deciding
    if deciding is None or {reason.code for reason in result.reasons} != {"failed"}:
        return result
    record, bundles = deciding.record, read(store, deciding.record.id)
    if not bundles or not isinstance(record, Record):  # without what it names nobody knows what it denied
        return result
    found = override.accepted(
        bundles,
        trust,
        decision=deciding.record.id,
        subject=deciding.record.claimed.subject,
        now=now,
        revoked=refusing(deciding.record, revocations, trust),
    )
    notes = [f"override {name[:12]} does not count: {reason}" for name, reason in found.refused]
    if hindrances := never(record):
        notes.append(f"nothing overrides {', '.join(hindrances)}")
    elif not found.honoured:
        by = ", ".join(one.by for one in found.signed) or "nobody"
        notes.append(f"an override needs {override.PERSONS} persons, and is by {by}")
    else:
        return replace(result, accepted=True, overridden=found, notes=tuple(sorted([*result.notes, *notes])))
    return replace(result, notes=tuple(sorted([*result.notes, *notes])))
