"""How a step says that it stops: `Invalid` for evidence that is wrong, `CannotVerify` for evidence of an unknown kind.

Both stay inside this package: `Verifier` turns them into an `Attestation`, since bad is a value.
"""

from __future__ import annotations


class Stop(Exception):
    """A numbered step did not pass.

    Args:
        step: its number, as in `docs/provenance.md` (`5b`).
        message: what was found and what was expected, in one sentence without a full stop.
    """

    def __init__(self, step: str, message: str) -> None:
        super().__init__(f"step {step}: {message}")
        self.step = step


class Invalid(Stop):
    """The evidence contradicts itself, the trust root or the package."""


class CannotVerify(Stop):
    """The evidence is of a kind or version that this verifier does not know: neither good nor bad (PROMISES P7)."""
