"""The story again, from stored bytes: does a decision come out as it was signed, and what would be decided now?

It calls the steps of `sbomgate.gate` with what the evidence holds. Nothing is fetched, no clock is read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from sbomgate import __version__, decision, facts, gate, ledger, link, sbom, trust
from sbomgate.canonical import ABSENT, dumps, first_difference
from sbomgate.decision import Counts, Decision
from sbomgate.errors import EvidenceError
from sbomgate.evidence.record import Record
from sbomgate.gate import Answer, Question, TrustMaterial
from sbomgate.model import (
    Authors,
    BaselineBuild,
    Bootstrap,
    Context,
    DependencyGraph,
    Engine,
    Evaluation,
    PolicyBundle,
    Sbom,
    Trust,
)
from sbomgate.policy import bundle as bundles
from sbomgate.policy import evaluation as evaluations
from sbomgate.policy import parameters
from sbomgate.policy.parameters import Declared
from sbomgate.strict_json import load_object
from sbomgate.times import format_time, parse_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that does not come out as it was stored; `place` is the first place inside it, where that is known."""

    name: str
    stored: str
    now: str
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What came out of deciding again.

    Attributes:
        claimed: the decision as it was signed.
        steps: (name, same) of each step that was done again, in order.
        differences: what is not as it was stored; empty when the decision reproduces.
    """

    claimed: Decision
    steps: tuple[tuple[str, bool], ...]
    differences: tuple[Difference, ...]


def replay(
    record: Record,
    *,
    engine: Engine,
    shipped: TrustMaterial | None = None,
    shipped_policy: str = "",
    declared: Declared | None = None,
) -> Replay:
    """Decide again from stored bytes, at the recorded time: nothing is fetched, no clock is read.

    Reading the record compared every stored file with the digest that the signed detail names. Whether the signer is
    accepted is not asked here: that is `verify`.

    Args:
        record: the evidence.
        engine: evaluates the stored policy.
        shipped: this installation's trust root and registry keys: what a decision of the same version used, where its
            trust file names no other.
        shipped_policy: SHA-256 (hex) of this installation's policy.
        declared: the parameters of its rules. The defaults in it count where the decision was made by that policy; of
            another policy only what the stored trust file sets is known.

    Raises:
        EvidenceError: a file that is needed is not part of the evidence.
        SbomgateError: a stored file cannot be read.
    """
    claimed = record.claimed
    # (1) read back every input
    bom, question = stored(record, shipped=shipped)
    accepted, bundle = question.trust, question.bundle
    # (2) derive again what the rules saw; ask them about what was stored
    question = gate.tie(bom.graph, question)
    gathered = gate.gather(bom.graph, question, collect=lambda _: facts.loads(record.material(gate.FACTS)))
    derived = gate.derive(bom.graph, gathered, question)
    packages = len(bom.graph.packages) - 1
    said = gate.evaluate(record.material(decision.POLICY_INPUT), question, packages, engine)
    ends = gate.valid_until(said, gathered.people, excluded=gate.excluded_until(said, bom.graph, question))
    # (3) compare
    known = declared if declared is not None and claimed.policy == shipped_policy else {}
    counts = decision.count(said, packages)
    looks = ledger.dumps(derived.ledger)
    compared = (
        ("policy bundle", claimed.policy, bundle.sha256),
        ("project files", *_project_files(claimed, bom.graph)),
        ("trust root", *_roots(claimed, question.material, accepted, shipped)),
        ("parameters", "as strict as the trust file", _parameters(known, accepted, question.parameters)),
        ("malicious lists", "those of the trust file", _listed(accepted, record.blobs)),
        ("sbom, provenance verified again", bom.sha256, derived.sbom.sha256),
        ("link of artefact and lockfile", *_links(claimed, question.context)),
        ("ledger", claimed.sha256.get(gate.LEDGER, "none"), hashlib.sha256(looks).hexdigest()),
        ("policy input", claimed.sha256[decision.POLICY_INPUT], hashlib.sha256(derived.policy_input).hexdigest()),
        ("evaluation", claimed.sha256[decision.EVALUATION], said.sha256),
        ("verdict", claimed.verdict.value, said.verdict.value),
        ("end of what it rests on", str(claimed.valid_until), str(ends)),
        ("counts and rules", _sums(claimed.counts, claimed.rules), _sums(counts, said.rules)),
    )
    documents = {
        "sbom, provenance verified again": (bom.data, derived.sbom.data),
        "ledger": (record.blobs.get(gate.LEDGER, b"{}"), looks),
        "policy input": (record.material(decision.POLICY_INPUT), derived.policy_input),
        "evaluation": (record.material(decision.EVALUATION), said.data),
    }
    return Replay(
        claimed=claimed,
        steps=tuple((name, was == now) for name, was, now in compared),
        differences=tuple(
            Difference(name=name, stored=was, now=now, place=_difference(*documents.get(name, (b"{}", b"{}"))))
            for name, was, now in compared
            if was != now
        ),
    )


def stored(record: Record, *, shipped: TrustMaterial | None = None) -> tuple[Sbom, Question]:
    """Return the SBOM and the question of a stored decision, as they were; `tie` says again what ties the artefact.

    Raises:
        EvidenceError: a file that is needed is not part of the evidence.
        SbomgateError: a stored file cannot be read.
    """
    claimed, blobs = record.claimed, record.blobs
    bom = sbom.read(record.material(decision.SBOM))
    heading = sbom.heading(bom.data)
    pinned = {hashlib.sha256(data).hexdigest(): data for data in blobs.values()}
    accepted = trust.parse(record.material(decision.TRUST), pinned=_by_digest(pinned), where=decision.TRUST)
    # What nothing else holds: the parameters, when the baseline was decided, and the date of another version's trust
    # root. The comparison of a replay covers the rest.
    asked = load_object(record.material(decision.POLICY_INPUT), decision.POLICY_INPUT)
    updated = asked.get("trust_root", {}).get("updated")
    if shipped is not None and claimed.sbomgate == __version__:
        updated = None if shipped.updated is None else format_time(shipped.updated)
    baseline: BaselineBuild | Bootstrap = Bootstrap(reason=claimed.baseline.reason)
    if claimed.baseline.evidence is not None:
        baseline = BaselineBuild(
            sbom=sbom.read(record.material(gate.BASELINE_SBOM)),
            evidence=claimed.baseline.evidence,
            decided_at=parse_time(asked["baseline"]["decided_at"]),
        )

    def below(folder: str) -> dict[str, bytes]:
        return {name.removeprefix(folder): data for name, data in blobs.items() if name.startswith(folder)}

    folder = decision.PROJECT + claimed.context.lockfile_path.removesuffix(bom.graph.lockfile.path)
    return bom, Question(
        context=replace(claimed.context, time_source=claimed.time_source),
        ties={name: blobs[name] for name in decision.TIES.values() if name in blobs},
        trust=accepted,
        material=gate.material_of(
            accepted,
            record.material(gate.TRUSTED_ROOT),
            record.material(gate.REGISTRY_KEYS),
            updated=None if updated is None else parse_time(updated),
        ),
        parameters=asked["parameters"],
        lists=below(gate.LISTS),
        bundle=bundles.from_tar(record.material(decision.POLICY)),
        baseline=baseline,
        project_files={
            m.name.removeprefix(folder): (m.sha256, m.size) for m in claimed.materials if m.name.startswith(folder)
        },
        approvals=below(gate.APPROVALS),
        # Who made the change was told by what is not stored; the policy input is signed with what was found.
        authors=Authors(
            people=tuple(asked["change"]["authors"]),
            known=asked["change"]["authors_known"],
            reason=asked["change"]["reason"],
        ),
        ledger=blobs.get(gate.LEDGER_BEFORE),
        source_date=heading.timestamp,
        parties=heading.parties,
        sbomgate=claimed.sbomgate,
    )


def decide_again(record: Record, question: Question, *, engine: Engine) -> Answer:
    """Decide about a stored build by another question than `stored` returns: a newer time, further lists.

    Nothing is fetched: what is known of the packages is what was known then, and every attestation is verified again.

    Args:
        record: the evidence.
        question: tied (`tie`).
        engine: evaluates the policy.

    Raises:
        SbomgateError: no decision could be made.
    """
    graph = sbom.read(record.material(decision.SBOM)).graph
    gathered = gate.gather(graph, question, collect=lambda _: facts.loads(record.material(gate.FACTS)))
    return gate.decide(graph, gathered, question, engine=engine)


def reevaluate(
    policy_input: bytes,
    bundle: PolicyBundle,
    *,
    engine: Engine,
    declared: Declared,
    profile: str | None = None,
) -> Evaluation:
    """Ask a policy about what the rules saw in a stored decision: what would it have said at that time?

    Parameters keep the values that they had. Of rules that came later they have their defaults.

    Args:
        policy_input: of the decision.
        bundle: the policy.
        engine: evaluates it.
        declared: the parameters of its rules.
        profile: instead of the recorded one, or None.

    Raises:
        PolicyError: the policy gives no whole answer.
        SbomgateError: the input has no single meaning.
    """
    asked = load_object(policy_input, decision.POLICY_INPUT)
    held = asked["parameters"]
    used = {
        rule: {name: about["default"] for name, about in of.items()} | held.get(rule, {})
        for rule, of in declared.items()
    }
    if profile is not None:
        asked["profile"] = profile
    asked["parameters"] = held | used
    said = engine.evaluate(bundle, dumps(asked), evaluations.QUERY)
    return evaluations.read(said, bundle, packages=len(asked["packages"]), profile=asked["profile"])


def _difference(stored: bytes, now: bytes) -> str:
    """Return the first place where two JSON documents differ, with both values, or "" where they do not."""
    found = first_difference(json.loads(stored), json.loads(now))
    if found is None:
        return ""
    place, one, other = found
    return f"{place}: stored {_shown(one)}, now {_shown(other)}"


def _shown(value: object) -> str:
    if value is ABSENT:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}…"


def _project_files(claimed: Decision, graph: DependencyGraph) -> tuple[str, str]:
    """Return what the detail and the SBOM say of the project: name, workspace, and the digest of each file read."""
    root = graph.packages[0]
    folder = claimed.context.lockfile_path.removesuffix(graph.lockfile.path)
    files = {**graph.manager.files, graph.lockfile.path: graph.lockfile.sha256}
    named = claimed.sha256
    theirs = {path: named.get(f"{decision.PROJECT}{folder}{path}", "not named") for path in files}
    return (
        _digest([claimed.project, claimed.project_version, claimed.context.workspace, theirs]),
        _digest([root.name or "(unnamed project)", root.version, graph.workspace, files]),
    )


def _roots(claimed: Decision, used: TrustMaterial, accepted: Trust, shipped: TrustMaterial | None) -> tuple[str, str]:
    """Return what package provenance was verified against, and what it should have been (P25).

    What the trust file names was read by its digest. Another version of sbomgate may have shipped another root.
    """
    both = _digest([hashlib.sha256(one).hexdigest() for one in (used.trusted_root, used.registry_keys)])
    if shipped is None or claimed.sbomgate != __version__:
        return both, both
    expected = (accepted.trusted_root or shipped.trusted_root, accepted.registry_keys or shipped.registry_keys)
    return both, _digest([hashlib.sha256(one).hexdigest() for one in expected])


def _parameters(known: Declared, accepted: Trust, used: Mapping[str, Mapping[str, object]]) -> str:
    looser = parameters.looser(known, accepted.parameters, used)
    return f"looser: {', '.join(looser)}" if looser else "as strict as the trust file"


def _listed(accepted: Trust, blobs: Mapping[str, bytes]) -> str:
    if accepted.malicious_lists is None:
        wanted = {"shipped.csv": blobs.get(f"{gate.LISTS}shipped.csv")}
    else:
        wanted = {f"trust/{name}": data for name, data in accepted.malicious_lists.items()}
    missing = [name for name, data in wanted.items() if data is None or blobs.get(gate.LISTS + name) != data]
    return f"missing: {', '.join(sorted(missing))}" if missing else "those of the trust file"


def _links(claimed: Decision, now: Context) -> tuple[str, str]:
    """Return the link and what it rests on, as it was signed and as it comes out."""
    ties = None if now.ties is None else link.brief(now.ties)
    # What a link rests on says which it is (`Ties.link`), and a decision has no other: writing it saw to that.
    return claimed.link, claimed.link if claimed.ties == ties else f"{now.link}, from {ties}"


def _sums(counts: Counts, rules: tuple[str, ...]) -> str:
    return _digest([{name: getattr(counts, name) for name in Counts.__slots__}, list(rules)])


def _digest(value: object) -> str:
    return hashlib.sha256(dumps(value)).hexdigest()


def _by_digest(blobs: Mapping[str, bytes]) -> Callable[[str, str], bytes]:
    def pinned(name: str, sha256: str) -> bytes:
        if sha256 not in blobs:
            raise EvidenceError("the trust file names this file, and the evidence does not hold it", where=name)
        return blobs[sha256]

    return pinned
