"""The error tree, and the exit code that each class ends with.

    SbomgateError                 2   no decision could be made
    ├── UsageError                2   the command line or a setting is wrong
    ├── InputError                2   a file of the project has no single meaning, or is over a limit
    ├── TrustError                2   the trust file is missing, loose or wrong
    ├── FetchError                2   a registry, cache or store could not be read
    ├── ProvenanceError           2   the verifier itself failed its self-test, or its trust root is wrong
    ├── PolicyError               2   the policy or its engine gave no usable answer
    ├── SigningError              2   nothing could be signed
    └── EvidenceError             2   evidence is altered, incomplete or cannot be stored

A denial is not an error: it is a `Verdict`, exit code 1. Anything else that escapes is a defect, and the guard in
`sbomgate.cli` turns it into exit code 2 as well (PROMISES P1, P2).
"""

from __future__ import annotations

EXIT_ALLOWED = 0
EXIT_DENIED = 1
EXIT_NO_DECISION = 2


class SbomgateError(Exception):
    """No decision could be made.

    Args:
        message: what went wrong: got and expected, in one sentence.
        where: the file, URL or document concerned.
        place: the path inside that document (`packages["node_modules/a"].integrity`) or `line 3, column 7`.
        hint: what to do next, in one sentence.
    """

    exit_code = EXIT_NO_DECISION

    def __init__(self, message: str, *, where: str = "", place: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.place = place
        self.hint = hint

    def __str__(self) -> str:
        """Return `where: place: message`, leaving out what is not known; the hint is shown on a line of its own."""
        return ": ".join(part for part in (self.where, self.place, self.message) if part)


class UsageError(SbomgateError):
    """The command line or a setting is wrong."""


class InputError(SbomgateError):
    """A file of the project has no single meaning, or is over a limit."""


class TrustError(SbomgateError):
    """The trust file is missing, loose or wrong."""


class FetchError(SbomgateError):
    """A registry, cache or store could not be read."""


class ProvenanceError(SbomgateError):
    """The verifier failed its self-test, or its trust root cannot be used. A bad attestation is a state, not this."""


class PolicyError(SbomgateError):
    """The policy or its engine gave no usable answer."""


class SigningError(SbomgateError):
    """Nothing could be signed."""


class EvidenceError(SbomgateError):
    """Evidence is altered, incomplete, or cannot be stored."""
