"""The statements that signatures are over: decisions, summaries, waivers, approvals, overrides, heads, revocations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from sbomgate import approvals, decision, dsse, override
from sbomgate.errors import EvidenceError
from sbomgate.evidence import head, revocation
from sbomgate.model import Approval, Waiver
from testkit import evidence

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
READERS: tuple[Callable[[bytes, str], object], ...] = (
    decision.read_detail,
    decision.named_detail,
    approvals.read,
    override.read,
    head.read_head,
    revocation.read,
    dsse.read_other_statement,
)


def seeds() -> Iterator[tuple[str, bytes]]:
    """Return one statement of most kinds."""
    made = evidence.decision()
    detail = decision.write_detail(made)
    yield "detail.json", detail
    summary = decision.write_summary(made, evidence.key().sign(detail))
    assert summary is not None
    yield "summary.json", summary
    waiver = Waiver(
        rule="release_age", package=("ms", "2.0.1", "sha512-x"), fingerprint=None, project="shop", issued_at=NOW,
        until=NOW + timedelta(days=30), reason="read it",
    )  # fmt: skip
    yield "waiver.json", approvals.write(waiver)
    approval = Approval(
        project="shop", change="ab" * 32, findings=("cd" * 32,), packages=(("ms", "2.0.1", "sha512-x"),),
        issued_at=NOW, until=NOW + timedelta(days=30), reason="read it",
    )  # fmt: skip
    yield "approval.json", approvals.write(approval)


def read(data: bytes) -> object:
    """Read it as each; refused is refused by one error of ours, and by none of Python's."""
    found: list[object] = []
    refused: EvidenceError | None = None
    for reader in READERS:
        try:
            found.append(reader(data, "x"))
        except EvidenceError as error:
            refused = error
    if refused is not None and not found:
        raise refused
    return found
