"""The frozen values that flow from the lockfile to the decision.

    lockfile bytes → DependencyGraph → CollectedFacts → PackageFacts → Sbom → PolicyInput → Evaluation → Decision

Every type here is immutable (those of a lockfile's entries to the type checker alone: `graph.numerous`), does no I/O
and knows no other module of the package except `errors`. A fact that is not known is a value that says so, with the
reason; no field has a default that a rule could mistake for good news.

Times are timezone-aware `datetime`s in UTC. Digests are lowercase hex without a prefix unless the name says otherwise.

The types lie in parts, and `from sbomgate.model import …` imports no more of them than it needs: making forty
dataclasses takes longer than reading most lockfiles.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sbomgate.model.approval import *  # noqa: F403
    from sbomgate.model.decision import *  # noqa: F403
    from sbomgate.model.facts import *  # noqa: F403
    from sbomgate.model.graph import *  # noqa: F403
    from sbomgate.model.link import *  # noqa: F403
    from sbomgate.model.policy import *  # noqa: F403
    from sbomgate.model.trust import *  # noqa: F403

_PARTS = (
    "graph",
    "policy",
    "trust",
    "decision",
    "facts",
    "approval",
    "link",
)  # in the order of how many verbs need them


def __getattr__(name: str) -> object:
    """Return a type of the first part that has it."""
    if not name.startswith("_"):
        for part in _PARTS:
            module = import_module(f"{__name__}.{part}")
            if hasattr(module, name):
                found = globals()[name] = getattr(module, name)
                return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
