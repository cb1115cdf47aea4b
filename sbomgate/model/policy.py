"""The policy, and what evaluates it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyBundle:
    """Rego files and data by path relative to the bundle's root (`decision.rego`, `rules/pinned.rego`), tests left out.

    `sha256` is the policy digest: over the canonical tar, so it does not depend on where the files came from.
    `rules` are the ids of the rules that it holds, sorted: one file each in `rules/`.
    """

    files: Mapping[str, bytes]
    sha256: str
    rules: tuple[str, ...]


class Engine(Protocol):
    """A policy engine. Every implementation gives the same bytes for the same bundle and input."""

    name: str  # `embedded`, `opa`, `opa-url`: recorded in the decision
    version: str  # OPA's version
    ours: bool  # whether we started it: an OPA that we do not run is recorded as such (P24)

    def prepare(self, bundle: PolicyBundle, query: str) -> None:
        """Get ready in the background for `evaluate` of the same, where the engine can. It is `evaluate` that fails."""
        ...

    def evaluate(self, bundle: PolicyBundle, policy_input: bytes, query: str) -> bytes:
        """Evaluate `query` (`data.sbomgate.decision.result`) and return its canonical JSON.

        Raises:
            PolicyError: compile error, forbidden built-in, undefined result, failing built-in, over a limit.
        """
        ...
