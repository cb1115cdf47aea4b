"""How much of what was judged is known, and how it is known: counted from the SBOM's facts. Nothing is scored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sbomgate.model import OWN_KINDS, AttestationState, Sbom, SignatureState

PROVENANCE = {
    AttestationState.VERIFIED: "verified",
    AttestationState.UNATTESTED: "none was published",
    AttestationState.INVALID: "invalid",
    AttestationState.CANNOT_VERIFY: "of a kind that cannot be verified",
    AttestationState.ADVERTISED_MISSING: "promised by the registry, and missing",
    AttestationState.UNREACHABLE: "could not be fetched",
    AttestationState.NOT_APPLICABLE: "does not apply: from no registry",
}
SIGNATURE = {
    SignatureState.VERIFIED: "verified",
    SignatureState.ABSENT: "none",
    SignatureState.NOT_SERVED: "not served by this registry",
    SignatureState.INVALID: "invalid",
    SignatureState.UNKNOWN: "not known",
    SignatureState.NOT_APPLICABLE: "does not apply: from no registry",
}
SCRIPTS = {"none": "runs nothing when it is installed", "present": "runs code when it is installed"}
AGES = (
    ("under 3 days", timedelta(days=3)),
    ("3 to 30 days", timedelta(days=30)),
    ("1 to 12 months", timedelta(days=365)),
    ("1 to 3 years", timedelta(days=3 * 365)),
    ("over 3 years", timedelta.max),
)
UNKNOWN = "not known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Counts over the packages that are not the project's own; each of the mappings adds up to `packages`.

    Attributes:
        packages: how many.
        bound: how many have a sha512 in the lockfile.
        provenance, signatures, scripts, ages: words → how many, in a fixed order, none of them zero.
    """

    packages: int
    bound: int
    provenance: Mapping[str, int]
    signatures: Mapping[str, int]
    scripts: Mapping[str, int]
    ages: Mapping[str, int]

    @property
    def verified(self) -> int:
        """How many have provenance that was verified."""
        return self.provenance.get(PROVENANCE[AttestationState.VERIFIED], 0)


def coverage(sbom: Sbom, now: datetime) -> Coverage:
    """Count what is known of the packages, at the time of the decision."""
    provenance: Counter[str] = Counter()
    signatures: Counter[str] = Counter()
    scripts: Counter[str] = Counter()
    ages: Counter[str] = Counter()
    packages = [package for package in sbom.graph.packages if package.kind not in OWN_KINDS]
    for package in packages:
        facts = sbom.facts.get(package.id)
        provenance[UNKNOWN if facts is None else PROVENANCE[facts.provenance.state]] += 1
        signatures[UNKNOWN if facts is None else SIGNATURE[facts.signature.state]] += 1
        scripts[UNKNOWN if facts is None else SCRIPTS.get(facts.scripts.state, UNKNOWN)] += 1
        ages[_age(None if facts is None else facts.publish.time, now)] += 1
    return Coverage(
        packages=len(packages),
        bound=sum(package.sha512 is not None for package in packages),
        provenance=_ordered(provenance, PROVENANCE.values()),
        signatures=_ordered(signatures, SIGNATURE.values()),
        scripts=_ordered(scripts, SCRIPTS.values()),
        ages=_ordered(ages, (name for name, _ in AGES)),
    )


def _ordered(counted: Counter[str], order: Iterable[str]) -> dict[str, int]:
    names = dict.fromkeys((*order, UNKNOWN))
    return {name: counted[name] for name in names if counted[name]}


def _age(published: datetime | None, now: datetime) -> str:
    if published is None:
        return UNKNOWN
    return next(name for name, limit in AGES if now - published < limit)
