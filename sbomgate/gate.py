"""The story, told once: from the lockfile to the signed decision, and again from stored bytes.

It calls the steps in order and contains none of their behaviour. It does no I/O of its own and reads no clock: what
reaches outside (collecting facts, the engine, the signer) is handed in by `sbomgate.cli`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from sbomgate import __version__, approvals, decision, facts, ledger, link, sbom, trust
from sbomgate.canonical import dumps
from sbomgate.decision import Counts, Decision, EngineRecord, Material, material
from sbomgate.errors import EvidenceError, InputError, PolicyError, SigningError, TrustError
from sbomgate.evidence.record import Record
from sbomgate.ledger import Ledger
from sbomgate.model import (
    SBOM_KIND,
    Authors,
    BaselineBuild,
    Bootstrap,
    CollectedFacts,
    Context,
    DependencyGraph,
    EdgeKind,
    Engine,
    Evaluation,
    FactKey,
    Level,
    PackageFacts,
    People,
    PolicyBundle,
    Rebuilder,
    Sbom,
    Subject,
    Trust,
    TrustRoot,
)
from sbomgate.model.link import ASSERTED, CONTAINED, INSTALLED, PROVENANCE, BuildLink, Ties, TreeLink
from sbomgate.policy import evaluation as evaluations
from sbomgate.policy import input as policy_input
from sbomgate.policy import lists as malicious
from sbomgate.policy import parameters
from sbomgate.policy.parameters import Declared
from sbomgate.sbom.parties import Parties
from sbomgate.signing import Signer
from sbomgate.strict_json import load_object
from sbomgate.times import format_time, parse_time

if TYPE_CHECKING:
    from sbomgate.provenance.batch import Verified

FACTS = "facts.json"
LEDGER = "ledger.json"
LEDGER_BEFORE = "ledger.before.json"
BASELINE_SBOM = "baseline.cdx.json"
TRUSTED_ROOT = "trust/trusted_root.json"
REGISTRY_KEYS = "trust/registry_keys.json"
LISTS = "lists/"
APPROVALS = "approvals/"

AUTHOR_UNKNOWN = Authors()

Collect = Callable[[DependencyGraph], Mapping[FactKey, CollectedFacts]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What is known about the packages of a lockfile: collected and verified once, for the decision on each part.

    Attributes:
        collected: the facts, as they were found.
        verified: the states of their attestations and signatures.
        lists: of malicious packages.
        people: what approvers signed.
    """

    collected: Mapping[FactKey, CollectedFacts]
    verified: Verified
    lists: Sequence[malicious.MaliciousList]
    people: People


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustMaterial:
    """What package provenance is verified against: sigstore's trusted root and the registry's keys, as files.

    Attributes:
        updated: when the trusted root was last known to be the newest; None where the trust file names it and no time.
    """

    trusted_root: bytes
    registry_keys: bytes
    issuers: tuple[str, ...]
    updated: datetime | None = None

    @property
    def root(self) -> TrustRoot:
        """What the rules see of it."""
        return TrustRoot(
            trusted_root=hashlib.sha256(self.trusted_root).hexdigest(),
            registry_keys=hashlib.sha256(self.registry_keys).hexdigest(),
            updated=self.updated,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """All that a decision depends on, beside the dependency graph and the facts about it.

    Attributes:
        context: subject, profile, time, who says what.
        trust: the trust file.
        material: what provenance is verified against.
        parameters: rule id → parameters, complete.
        lists: name → bytes of each list of malicious packages.
        project_files: path in the project → (SHA-256, size in bytes) of every file that was read.
        bundle: the policy.
        baseline: the last approved build, or why there is none.
        approvals: file name → bytes of each waiver and approval that lies beside the project, not yet believed.
        authors: who made the change.
        ties: name of the material → bytes of what ties the artefact to the lockfile (`decision.TIES`).
        ledger: what registries had at earlier looks: of the newest decision by an accepted signer; None starts one.
        source_date: the SBOM's timestamp, or None for none.
        parties: who made the SBOM and who supplies the project, by the user's own word.
        sbomgate: version that the SBOM names as its tool.
    """

    context: Context
    trust: Trust
    material: TrustMaterial
    parameters: Mapping[str, Mapping[str, object]]
    lists: Mapping[str, bytes]
    bundle: PolicyBundle
    baseline: BaselineBuild | Bootstrap
    project_files: Mapping[str, tuple[str, int]]
    approvals: Mapping[str, bytes] = field(default_factory=dict)
    authors: Authors = AUTHOR_UNKNOWN
    ties: Mapping[str, bytes] = field(default_factory=dict)
    ledger: bytes | None = None
    source_date: datetime | None = None
    sbomgate: str = __version__
    parties: Parties | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was decided, with everything that it was decided from."""

    graph: DependencyGraph
    collected: Mapping[FactKey, CollectedFacts]
    ledger: Ledger
    sbom: Sbom
    policy_input: bytes
    evaluation: Evaluation
    engine: EngineRecord
    people: People


def prepare(bundle: PolicyBundle, engine: Engine) -> None:
    """Have the engine compile the policy in the background, where it can, for the next `decide`."""
    engine.prepare(bundle, evaluations.QUERY)


def gather(graph: DependencyGraph, question: Question, *, collect: Collect) -> Gathered:
    """Collect what is known about the packages of a lockfile, and verify it; and what people signed about it.

    Args:
        graph: of `lockfiles.read`: the packages of all parts that are judged.
        question: what is verified against what, and the lists of malicious packages.
        collect: collects the facts; the only step that may use the network.
    """
    lists = _lists(question.lists)
    collected, verified = gather_facts(graph, question.material, collect=collect)
    return Gathered(collected=collected, verified=verified, lists=lists, people=_people(question))


def gather_facts(
    graph: DependencyGraph, material: TrustMaterial, *, collect: Collect
) -> tuple[Mapping[FactKey, CollectedFacts], Verified]:
    """Collect what is known about packages, and verify it: for a decision, or for an SBOM alone."""
    collected = collect(graph)
    return collected, _verify(graph, collected, material)


def package_facts(
    graph: DependencyGraph,
    collected: Mapping[FactKey, CollectedFacts],
    verified: Verified,
    *,
    looks: Ledger,
    now: datetime,
    rebuilders: Sequence[Rebuilder] = (),
) -> dict[str, PackageFacts]:
    """Return package id → what a rule may use of what was collected: what an SBOM says of each package.

    Args:
        graph: whose packages it is about.
        collected: of `gather_facts`, of these packages.
        verified: of `gather_facts`.
        looks: what registries had at earlier looks; empty where there was none.
        now: the time of evaluation.
        rebuilders: of the trust file.
    """
    attestations, signatures = verified
    rebuilt: Mapping[str, tuple[str, ...]] = {}
    if rebuilders:
        from sbomgate.provenance import rebuild

        rebuilt = rebuild.rebuilt(rebuilders)
    return facts.assemble(
        graph,
        collected,
        attestations=attestations,
        signatures=signatures,
        sightings=ledger.sightings(looks, collected.values()),
        now=now,
        rebuilt=rebuilt,
    )


def tie(graph: DependencyGraph, question: Question) -> Question:
    """Return the question with how the artefact is tied to the lockfile: a pure function of what was found (P13).

    Args:
        graph: what the decision is about.
        question: with `ties`, the bytes of what was found.

    Raises:
        SbomgateError: they are not what a reader wrote.
    """
    if question.context.subject is None:
        return question
    if not question.ties:
        return replace(question, context=replace(question.context, link=ASSERTED, ties=None))

    def compared(name: str) -> TreeLink | None:
        data = question.ties.get(decision.TIES[name])
        return None if data is None else link.compare(graph, link.loads(data, decision.TIES[name]))

    built = question.ties.get(decision.TIES[PROVENANCE])
    found = Ties(
        installed=compared(INSTALLED),
        contained=compared(CONTAINED),
        provenance=None if built is None else _built(built, question, question.context.subject),
    )
    return replace(question, context=replace(question.context, link=found.link, ties=found))


def _built(bundle: bytes, question: Question, subject: Subject) -> BuildLink:
    from sbomgate.signing import builder

    if not question.trust.builders:
        raise TrustError(
            "accepts no builder, so that no build's provenance means anything",
            where="the trust file",
            hint="name in [[builders]] who builds the release (docs/trust-file.md)",
        )
    context = question.context
    repository = question.trust.repository if context.repository is None else context.repository.value
    commit = None if context.commit is None else context.commit.value
    return builder.verify(
        bundle,
        question.trust.builders,
        subject=subject,
        repository=repository,
        commit=commit,
        trusted_root=question.material.trusted_root,
    )


def decide(
    graph: DependencyGraph, gathered: Gathered, question: Question, *, engine: Engine, second: Engine | None = None
) -> Answer:
    """Decide whether the build may ship.

    Args:
        graph: of `lockfiles.read`, or of one workspace (`lockfiles.sub_graphs`).
        gathered: about the whole lockfile; only what is about the graph's own packages becomes part of the decision.
        question: what it depends on.
        engine: evaluates the policy.
        second: the embedded engine, where `engine` is an OPA that we do not run and the profile is `release` (P24).

    Raises:
        SbomgateError: no decision could be made.
    """
    if graph.workspace != question.context.workspace:
        raise InputError(
            f"the graph is of the workspace {graph.workspace!r}, the question about {question.context.workspace!r}",
            where=graph.lockfile.path,
        )
    if len(graph.packages) < 2 and any(edge.kind is not EdgeKind.PEER_OPTIONAL for edge in graph.edges):
        raise InputError(
            "package.json declares dependencies, and the lockfile holds no package",
            where=graph.lockfile.path,
            hint="run `npm install --package-lock-only`",
        )
    if graph.lockfile.kind == SBOM_KIND:
        _judgeable(graph, question.context)
    keys = {facts.key_of(package) for package in graph.packages}
    collected = {key: found for key, found in gathered.collected.items() if key in keys}
    looks = ledger.update(_looks_before(question), collected.values(), now=question.context.evaluated_at)
    bom = _sbom(graph, collected, gathered.verified, looks, question)
    asked = policy_input.build(
        bom,
        context=question.context,
        trust=question.trust,
        trust_root=question.material.root,
        baseline=question.baseline,
        parameters=question.parameters,
        lists=gathered.lists,
        people=gathered.people,
    )
    policy_input.validate(asked)
    evaluation = _evaluate(asked, question, len(graph.packages) - 1, engine)
    if second is not None:
        again = _evaluate(asked, question, len(graph.packages) - 1, second)
        if again.data != evaluation.data:
            raise PolicyError(
                f"the OPA at {engine.name} and the embedded engine disagree",
                where="the policy's result",
                hint="use the embedded engine, and find out what that OPA runs",
            )
    return Answer(
        graph=graph,
        collected=collected,
        ledger=looks,
        sbom=bom,
        policy_input=asked,
        evaluation=evaluation,
        engine=EngineRecord(name=engine.name, version=engine.version, ours=engine.ours),
        people=gathered.people,
    )


def _judgeable(graph: DependencyGraph, context: Context) -> None:
    """Refuse to sign a verdict on an SBOM that somebody else made, and to judge one that holds nothing.

    What such a file leaves out nobody knows: no release rests on it (P4).
    """
    if context.time_source is not None:
        raise InputError(
            "an SBOM is only its author's word, and what is signed rests on the lockfile",
            where=graph.lockfile.path,
            hint="name the project or its lockfile; `sbomgate check` judges an SBOM, unsigned",
        )
    if len(graph.packages) < 2:  # (P3) nothing to judge is no reason to allow
        raise InputError(
            "no npm package stands in this SBOM", where=graph.lockfile.path, hint="name a project, or another SBOM"
        )


def sign(answer: Answer, question: Question, *, signer: Signer) -> Record:
    """Sign the decision: the detail that names every input, and the summary that names the detail.

    Raises:
        SigningError: the trust file does not accept this signer, so nobody would accept what it signs.
        TrustError: the policy is not one that the trust file accepts.
    """
    return complete(unsigned(answer, question, signer=signer), question.trust, signer=signer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsigned:
    """A decision that was made and is not signed yet: everything but the signatures. It satisfies nobody.

    `hashed`: the digests in it were made of these very bytes, in this process.
    """

    decision: Decision
    blobs: Mapping[str, bytes]
    hashed: bool = False


def unsigned(answer: Answer, question: Question, *, signer: Signer) -> Unsigned:
    """Return the decision as `signer` will sign it.

    Raises:
        SigningError: the trust file does not accept this signer, so nobody would accept what it signs.
        TrustError: the policy is not one that the trust file accepts.
    """
    blobs, materials = _materials(answer, question)
    made = Decision(
        verdict=answer.evaluation.verdict,
        context=question.context,
        time_source=signer.time_source,
        link=question.context.link or "",
        ties=None if question.context.ties is None else link.brief(question.context.ties),
        project=answer.graph.packages[0].name or "(unnamed project)",
        project_version=answer.graph.packages[0].version,
        verifier_id=_verifier_id(question.trust, signer),
        sbomgate=question.sbomgate,
        engine=answer.engine,
        policy=question.bundle.sha256,
        rules=answer.evaluation.rules,
        trust=question.trust.sha256 or "",
        baseline=_baseline_record(question.baseline),
        counts=decision.count(answer.evaluation, len(answer.graph.packages) - 1),
        materials=materials,
        valid_until=_valid_until(answer.evaluation, answer.people),
    )
    return Unsigned(decision=made, blobs=blobs, hashed=True)


def complete(pending: Unsigned, accepted: Trust, *, signer: Signer) -> Record:
    """Sign a decision, now or later: what it says, its time included, stays as it was made.

    What was signed is verified as a consumer with this trust file would, before anybody hears of it.

    Raises:
        SigningError: it could not be signed, or not so that this trust file accepts it; made with another trust file.
    """
    from sbomgate.evidence.verify import Reason, signed_by

    made = pending.decision
    if made.trust != accepted.sha256:
        raise SigningError(
            f"it was decided by another trust file, sha256:{made.trust}", hint="give that one, or decide again"
        )
    if (made.verifier_id, made.time_source) != (_verifier_id(accepted, signer), signer.time_source):
        raise SigningError(
            f"it was decided for a signer of another kind ({made.time_source}) than {signer.identity}",
            hint="give the signer that it was decided for, or decide again",
        )
    detail = signer.sign(decision.write_detail(made))
    summary = decision.write_summary(made, detail, uri=accepted.resource_uri)
    record = Record(
        detail=detail,
        summary=None if summary is None else signer.sign(summary),
        blobs=pending.blobs,
        hashed=pending.hashed,
    )
    try:
        found = signed_by(record, accepted.signers)
    except EvidenceError as e:
        raise SigningError(f"what {signer.identity} signed does not hold: {e}", hint=_NOT_THEIRS) from e
    if isinstance(found, Reason):
        raise SigningError(f"the trust file does not accept what was signed: {found.message}", hint=_NOT_THEIRS)
    return record


_NOT_THEIRS = "compare the trust file's [[signers]] and [sigstore] with the signer; nothing was stored"


def _verifier_id(accepted: Trust, signer: Signer) -> str:
    """Return the verifier.id that decisions by this signer carry."""
    found = [s for s in accepted.signers if "decision" in s.roles and signer.may_be(s)]
    if not found:
        raise SigningError(
            f"the trust file does not accept decisions by {signer.identity}",
            hint="sign with a key or an identity that it names, or add yours to its [[signers]]",
        )
    ids = sorted({s.verifier_id or decision.DEFAULT_VERIFIER_ID for s in found})
    if len(ids) > 1:
        raise SigningError(
            f"the identities in the trust file sign for different verifiers, {' and '.join(ids)}",
            hint="give them one `verifier`, or each a trust file of its own",
        )
    return ids[0]


def _valid_until(evaluation: Evaluation, people: People) -> datetime | None:
    """Return the earliest end of what the verdict rests on (P29), or None where it rests on nobody's word."""
    ends = {one.id: one.said.until for one in people.signed}
    rests_on = {
        id
        for finding in evaluation.findings
        if finding.waived and finding.level is Level.DENY
        for id in evaluation.waived_by[finding.fingerprint]
    }
    if strangers := rests_on - ends.keys():
        raise PolicyError(f"the policy waives by what nobody signed: {sorted(strangers)}", where="the policy's result")
    return min((ends[id] for id in rests_on), default=None)


def _people(question: Question) -> People:
    return approvals.accepted(
        question.approvals, question.trust, now=question.context.evaluated_at, authors=question.authors
    )


def _materials(answer: Answer, question: Question) -> tuple[dict[str, bytes], tuple[Material, ...]]:
    from sbomgate.policy import bundle

    stored = {
        decision.SBOM: (answer.sbom.data, "application/vnd.cyclonedx+json"),
        FACTS: (facts.dumps(answer.collected), "application/json"),
        LEDGER: (ledger.dumps(answer.ledger), "application/json"),
        decision.POLICY_INPUT: (answer.policy_input, "application/json"),
        decision.POLICY: (bundle.to_tar(question.bundle), "application/gzip"),
        decision.EVALUATION: (answer.evaluation.data, "application/json"),
        decision.TRUST: (question.trust.data, "application/toml"),
        TRUSTED_ROOT: (question.material.trusted_root, "application/json"),
        REGISTRY_KEYS: (question.material.registry_keys, "application/json"),
    }
    stored |= {name: (data, "application/json") for name, data in question.ties.items()}
    stored |= {LISTS + name: (data, "text/csv") for name, data in question.lists.items()}
    stored |= {APPROVALS + name: (data, "application/json") for name, data in question.approvals.items()}
    if isinstance(question.baseline, BaselineBuild):
        stored[BASELINE_SBOM] = (question.baseline.sbom.data, "application/vnd.cyclonedx+json")
    if question.ledger is not None:
        stored[LEDGER_BEFORE] = (question.ledger, "application/json")
    known = {decision.SBOM: answer.sbom.sha256, decision.EVALUATION: answer.evaluation.sha256}
    named = [
        Material(name=name, sha256=known[name], size=len(data), media_type=media_type, stored=True)
        if name in known
        else material(name, data, media_type)
        for name, (data, media_type) in stored.items()
    ]
    held = {one.sha256 for one in named}
    for sha256, data in question.trust.pinned.items():  # every other file that the trust file names
        if sha256 not in held:
            name = f"trust/{sha256}"
            stored[name] = (data, "application/octet-stream")
            named.append(material(name, *stored[name]))
    lock = answer.graph.lockfile
    # Only the digests of the project's own files: .npmrc and a `resolved` may hold secrets (P40).
    folder = question.context.lockfile_path.removesuffix(lock.path)
    named += [
        Material(
            name=f"{decision.PROJECT}{folder}{path}",
            sha256=sha256,
            size=size,
            media_type="application/octet-stream",
            stored=False,
        )
        for path, (sha256, size) in question.project_files.items()
    ]
    blobs = {name: data for name, (data, _) in stored.items()}
    return blobs, tuple(sorted(named, key=lambda one: one.name))


def _baseline_record(baseline: BaselineBuild | Bootstrap) -> decision.BaselineRecord:
    if isinstance(baseline, Bootstrap):
        return decision.BaselineRecord(state="bootstrap", reason=baseline.reason, evidence=None)
    return decision.BaselineRecord(state="accepted", reason="", evidence=baseline.evidence)


def _evaluate(asked: bytes, question: Question, packages: int, engine: Engine) -> Evaluation:
    said = engine.evaluate(question.bundle, asked, evaluations.QUERY)
    return evaluations.read(said, question.bundle, packages=packages, profile=question.context.profile)


def _looks_before(question: Question) -> Ledger:
    """Return the ledger that the newest accepted decision left; a first run starts with an empty one."""
    return {} if question.ledger is None else ledger.loads(question.ledger, where=LEDGER_BEFORE)


def _sbom(
    graph: DependencyGraph,
    collected: Mapping[FactKey, CollectedFacts],
    verified: Verified,
    looks: Ledger,
    question: Question,
) -> Sbom:
    """Write what a rule may use of what was collected into the SBOM, and go on with what the SBOM says."""
    return sbom.make(
        graph,
        package_facts(
            graph,
            collected,
            verified,
            looks=looks,
            now=question.context.evaluated_at,
            rebuilders=question.trust.rebuilders,
        ),
        timestamp=question.source_date,
        tool_version=question.sbomgate,
        parties=question.parties,
    )


def _verify(graph: DependencyGraph, collected: Mapping[FactKey, CollectedFacts], material: TrustMaterial) -> Verified:
    """Verify the attestations and signatures that were collected."""
    from sbomgate.provenance import Verifier
    from sbomgate.provenance.batch import verify_all

    verifier = Verifier.from_material(material.trusted_root, material.registry_keys, material.issuers)
    sha512 = {facts.key_of(package): package.sha512 for package in graph.packages}
    earlier = facts.earlier_documents(collected)
    sha512 |= {key: facts.sha512_of(key.integrity) for key in earlier}
    return verify_all({**collected, **earlier}, verifier, sha512)


def _lists(files: Mapping[str, bytes]) -> list[malicious.MaliciousList]:
    return [malicious.load(data, name=name, where=name) for name, data in sorted(files.items())]


# --------------------------------------------------------------------------------------------------------------------
# The story again, from stored bytes


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
    # (2) decide again, step by step
    question = tie(bom.graph, question)
    collected = facts.loads(_material(record, FACTS))
    looks = ledger.update(_looks_before(question), collected.values(), now=question.context.evaluated_at)
    again_bom = _sbom(bom.graph, collected, _verify(bom.graph, collected, question.material), looks, question)
    people = _people(question)
    again_input = policy_input.build(
        again_bom,
        context=question.context,
        trust=accepted,
        trust_root=question.material.root,
        baseline=question.baseline,
        parameters=question.parameters,
        lists=_lists(question.lists),
        people=people,
    )
    again = _evaluate(_material(record, decision.POLICY_INPUT), question, len(bom.graph.packages) - 1, engine)
    # (3) compare
    known = declared if declared is not None and claimed.policy == shipped_policy else {}
    counts = decision.count(again, len(bom.graph.packages) - 1)
    compared = (
        ("policy bundle", claimed.policy, bundle.sha256),
        ("project files", *_project_files(claimed, bom.graph)),
        ("trust root", *_roots(claimed, question.material, accepted, shipped)),
        ("parameters", "as strict as the trust file", _parameters(known, accepted, question.parameters)),
        ("malicious lists", "those of the trust file", _listed(accepted, record.blobs)),
        ("sbom, provenance verified again", bom.sha256, again_bom.sha256),
        ("link of artefact and lockfile", *_links(claimed, question.context)),
        ("ledger", claimed.sha256.get(LEDGER, "none"), hashlib.sha256(ledger.dumps(looks)).hexdigest()),
        ("policy input", claimed.sha256[decision.POLICY_INPUT], hashlib.sha256(again_input).hexdigest()),
        ("evaluation", claimed.sha256[decision.EVALUATION], again.sha256),
        ("verdict", claimed.verdict.value, again.verdict.value),
        ("end of what it rests on", str(claimed.valid_until), str(_valid_until(again, people))),
        ("counts and rules", _sums(claimed.counts, claimed.rules), _sums(counts, again.rules)),
    )
    documents = {
        "sbom, provenance verified again": (bom.data, again_bom.data),
        "ledger": (record.blobs.get(LEDGER, b"{}"), ledger.dumps(looks)),
        "policy input": (_material(record, decision.POLICY_INPUT), again_input),
        "evaluation": (_material(record, decision.EVALUATION), again.data),
    }
    return Replay(
        claimed=claimed,
        steps=tuple((name, was == now) for name, was, now in compared),
        differences=tuple(
            Difference(name=name, stored=was, now=now, place=_first_difference(*documents.get(name, (b"{}", b"{}"))))
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
    from sbomgate.policy import bundle as bundles

    claimed, blobs = record.claimed, record.blobs
    bom = sbom.read(_material(record, decision.SBOM))
    heading = sbom.heading(bom.data)
    pinned = {hashlib.sha256(data).hexdigest(): data for data in blobs.values()}
    accepted = trust.parse(_material(record, decision.TRUST), pinned=_by_digest(pinned), where=decision.TRUST)
    # What nothing else holds: the parameters, when the baseline was decided, and the date of another version's trust
    # root. The comparison of a replay covers the rest.
    asked = load_object(_material(record, decision.POLICY_INPUT), decision.POLICY_INPUT)
    updated = asked.get("trust_root", {}).get("updated")
    if shipped is not None and claimed.sbomgate == __version__:
        updated = None if shipped.updated is None else format_time(shipped.updated)
    baseline: BaselineBuild | Bootstrap = Bootstrap(reason=claimed.baseline.reason)
    if claimed.baseline.evidence is not None:
        baseline = BaselineBuild(
            sbom=sbom.read(_material(record, BASELINE_SBOM)),
            evidence=claimed.baseline.evidence,
            decided_at=parse_time(asked["baseline"]["decided_at"]),
        )
    folder = decision.PROJECT + claimed.context.lockfile_path.removesuffix(bom.graph.lockfile.path)
    return bom, Question(
        context=replace(claimed.context, time_source=claimed.time_source),
        ties={name: blobs[name] for name in decision.TIES.values() if name in blobs},
        trust=accepted,
        material=material_of(
            accepted,
            _material(record, TRUSTED_ROOT),
            _material(record, REGISTRY_KEYS),
            updated=None if updated is None else parse_time(updated),
        ),
        parameters=asked["parameters"],
        lists={name.removeprefix(LISTS): data for name, data in blobs.items() if name.startswith(LISTS)},
        bundle=bundles.from_tar(_material(record, decision.POLICY)),
        baseline=baseline,
        project_files={
            m.name.removeprefix(folder): (m.sha256, m.size) for m in claimed.materials if m.name.startswith(folder)
        },
        approvals={name.removeprefix(APPROVALS): data for name, data in blobs.items() if name.startswith(APPROVALS)},
        # Who made the change was told by what is not stored; the policy input is signed with what was found.
        authors=Authors(
            people=tuple(asked["change"]["authors"]),
            known=asked["change"]["authors_known"],
            reason=asked["change"]["reason"],
        ),
        ledger=blobs.get(LEDGER_BEFORE),
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
    graph = sbom.read(_material(record, decision.SBOM)).graph
    collected = facts.loads(_material(record, FACTS))
    return decide(graph, gather(graph, question, collect=lambda _: collected), question, engine=engine)


def _material(record: Record, name: str) -> bytes:
    if name not in record.blobs:
        raise EvidenceError("the decision does not hold this file", where=name)
    return record.blobs[name]


def _first_difference(stored: bytes, now: bytes) -> str:
    """Return the first place where two JSON documents differ, with both values, or "" where they do not."""
    place = ""
    one, other = json.loads(stored), json.loads(now)
    while one != other:
        match one, other:
            case dict(), dict():
                key = next(
                    k for k in sorted(one.keys() | other.keys()) if k not in one or k not in other or one[k] != other[k]
                )
                place, one, other = f"{place}.{key}", one.get(key, _ABSENT), other.get(key, _ABSENT)
            case list(), list():
                index = next(
                    (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
                )
                place += f"[{index}]"
                one = one[index] if index < len(one) else _ABSENT
                other = other[index] if index < len(other) else _ABSENT
            case _:
                return f"{place.lstrip('.')}: stored {_shown(one)}, now {_shown(other)}"
    return ""


_ABSENT = object()


def _shown(value: object) -> str:
    if value is _ABSENT:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}…"


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
        wanted = {"shipped.csv": blobs.get(f"{LISTS}shipped.csv")}
    else:
        wanted = {f"trust/{name}": data for name, data in accepted.malicious_lists.items()}
    missing = [name for name, data in wanted.items() if data is None or blobs.get(LISTS + name) != data]
    return f"missing: {', '.join(sorted(missing))}" if missing else "those of the trust file"


def _links(claimed: Decision, now: Context) -> tuple[str, str]:
    """Return the link and what it rests on, as it was signed and as it comes out."""
    ties = None if now.ties is None else link.brief(now.ties)
    same = claimed.link == now.link and claimed.ties == ties
    return claimed.link, claimed.link if same else f"{now.link}, from {ties or 'nothing'}"


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


def material_of(
    accepted: Trust, trusted_root: bytes, registry_keys: bytes, *, updated: datetime | None
) -> TrustMaterial:
    """Return what provenance is verified against: what the trust file replaces, else what is given.

    Args:
        accepted: the trust file.
        trusted_root: sigstore's.
        registry_keys: the registry's.
        updated: when `trusted_root` was last known to be the newest.

    Raises:
        TrustError: the trust file accepts no issuer although it names some.
    """
    from sbomgate.provenance import DEFAULT_ISSUERS

    if accepted.issuers and not all(accepted.issuers):
        raise TrustError("an issuer is empty", place="issuers")
    return TrustMaterial(
        trusted_root=accepted.trusted_root or trusted_root,
        registry_keys=accepted.registry_keys or registry_keys,
        issuers=accepted.issuers or DEFAULT_ISSUERS,
        updated=updated if accepted.trusted_root is None else accepted.trusted_root_updated,
    )
