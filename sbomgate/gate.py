"""The story, told once: from the lockfile to the signed decision, and again from stored bytes.

It calls the steps in order and contains none of their behaviour. It does no I/O of its own and reads no clock: what
reaches outside (collecting facts, the engine, the signer) is handed in by `sbomgate.cli`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from sbomgate import __version__, approvals, decision, facts, ledger, link, sbom
from sbomgate.decision import Decision, EngineRecord, Material, material
from sbomgate.errors import EvidenceError, InputError, PolicyError, SigningError, TrustError
from sbomgate.evidence.record import Record
from sbomgate.ledger import Ledger
from sbomgate.model import (
    SBOM_KIND,
    AttestationDocument,
    AttestationState,
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
    Missing,
    Origin,
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
from sbomgate.sbom.parties import Parties
from sbomgate.signing import Signer

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
Again = Callable[[DependencyGraph, Collection[FactKey]], Mapping[FactKey, CollectedFacts]]


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
    """What was decided, with everything that it was decided from.

    `facts`: `collected` as a document, where it has been written already; None where it has not.
    """

    graph: DependencyGraph
    collected: Mapping[FactKey, CollectedFacts]
    ledger: Ledger
    sbom: Sbom
    policy_input: bytes
    evaluation: Evaluation
    engine: EngineRecord
    people: People
    facts: bytes | None = None


def prepare(bundle: PolicyBundle, engine: Engine) -> None:
    """Have the engine compile the policy in the background, where it can, for the next `decide`."""
    engine.prepare(bundle, evaluations.QUERY)


def gather(graph: DependencyGraph, question: Question, *, collect: Collect, again: Again | None = None) -> Gathered:
    """Collect what is known about the packages of a lockfile, and verify it; and what people signed about it.

    Args:
        graph: of `lockfiles.read`: the packages of all parts that are judged.
        question: what is verified against what, and the lists of malicious packages.
        collect: collects the facts; the only step that may use the network.
        again: of `gather_facts`.
    """
    lists = _lists(question.lists)
    collected, verified = gather_facts(graph, question.material, collect=collect, again=again)
    return Gathered(collected=collected, verified=verified, lists=lists, people=_people(question))


def gather_facts(
    graph: DependencyGraph, material: TrustMaterial, *, collect: Collect, again: Again | None = None
) -> tuple[Mapping[FactKey, CollectedFacts], Verified]:
    """Collect what is known about packages, and verify it: for a decision, or for an SBOM alone.

    Args:
        graph: whose packages.
        material: what is verified against.
        collect: collects the facts.
        again: collects them without what the cache has of the attestations of these keys; None where nothing may be
            asked. What was served wrong once is asked for again before it counts, or it would deny for ever; where
            there is no new answer, it counts.
    """
    collected = collect(graph)
    verified = _verify(graph, collected, material)
    if again is None or not (doubted := _invalid_in_cache(collected, verified)):
        return collected, verified
    anew = again(graph, doubted)
    kept = {key for key in doubted if key in anew and isinstance(anew[key].attestations, Missing)}
    collected = {**anew, **{key: collected[key] for key in kept}}
    return collected, _verify(graph, collected, material)


def _invalid_in_cache(collected: Mapping[FactKey, CollectedFacts], verified: Verified) -> frozenset[FactKey]:
    """Return what the attestations that are invalid and came from the cache are filed under, earlier releases too."""
    documents = {**collected, **facts.earlier_documents(collected)}
    return frozenset(
        key
        for key, states in verified[0].items()
        if any(one.state is AttestationState.INVALID for one in states)
        and isinstance(document := documents[key].attestations, AttestationDocument)
        and document.origin is Origin.CACHE
    )


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """What follows from a graph, what is known of its packages, and the question, before any rule is asked."""

    ledger: Ledger
    sbom: Sbom
    policy_input: bytes


def derive(graph: DependencyGraph, gathered: Gathered, question: Question) -> Derived:
    """Write what a rule may use of what was gathered into the SBOM, and go on with what the SBOM says.

    Args:
        graph: of the packages that are judged.
        gathered: about exactly these packages.
        question: what the decision depends on.
    """
    before: Ledger = {} if question.ledger is None else ledger.loads(question.ledger, where=LEDGER_BEFORE)
    looks = ledger.update(before, gathered.collected.values(), now=question.context.evaluated_at)
    known = package_facts(
        graph,
        gathered.collected,
        gathered.verified,
        looks=looks,
        now=question.context.evaluated_at,
        rebuilders=question.trust.rebuilders,
    )
    bom = sbom.make(
        graph, known, timestamp=question.source_date, tool_version=question.sbomgate, parties=question.parties
    )
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
    return Derived(ledger=looks, sbom=bom, policy_input=asked)


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
    gathered = replace(gathered, collected=collected)
    derived = derive(graph, gathered, question)
    policy_input.validate(derived.policy_input)
    written: bytes | None = None
    if question.context.time_source is None:
        evaluation = _agreed(derived.policy_input, question, len(graph.packages) - 1, engine, second)
    else:  # what is signed holds the facts: they are written while the engine, which needs no Python, is at work
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as beside:
            writing = beside.submit(facts.dumps, collected)
            evaluation = _agreed(derived.policy_input, question, len(graph.packages) - 1, engine, second)
        written = writing.result()
    return Answer(
        graph=graph,
        collected=collected,
        ledger=derived.ledger,
        sbom=derived.sbom,
        policy_input=derived.policy_input,
        evaluation=evaluation,
        engine=EngineRecord(name=engine.name, version=engine.version, ours=engine.ours),
        people=gathered.people,
        facts=written,
    )


def _agreed(asked: bytes, question: Question, packages: int, engine: Engine, second: Engine | None) -> Evaluation:
    """Return what the engine says, and the second one as well, where there is one."""
    evaluation = evaluate(asked, question, packages, engine)
    if second is not None and evaluate(asked, question, packages, second).data != evaluation.data:
        raise PolicyError(
            f"the OPA at {engine.name} and the embedded engine disagree",
            where="the policy's result",
            hint="use the embedded engine, and find out what that OPA runs",
        )
    return evaluation


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
        valid_until=valid_until(
            answer.evaluation, answer.people, excluded=excluded_until(answer.evaluation, answer.graph, question)
        ),
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
    signed = None if summary is None else signer.sign(summary)
    try:
        record = Record(detail=detail, summary=signed, blobs=pending.blobs, hashed=pending.hashed)
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


def excluded_until(evaluation: Evaluation, graph: DependencyGraph, question: Question) -> tuple[datetime, ...]:
    """Return the ends of the trust file's exclusions by which a finding is only a note."""
    if not question.trust.exclusions:
        return ()
    packages = {package.id: (package.name, package.version, package.integrity) for package in graph.packages}
    noted = {
        (finding.rule, *packages[finding.package])
        for finding in evaluation.findings
        if finding.level is Level.NOTE and finding.package in packages
    }
    return tuple(
        one.until
        for one in question.trust.exclusions
        if one.until is not None
        and one.until > question.context.evaluated_at
        and (one.rule, one.name, one.version, one.integrity) in noted
    )


def valid_until(evaluation: Evaluation, people: People, *, excluded: Sequence[datetime] = ()) -> datetime | None:
    """Return the earliest end of what the verdict rests on (P29), or None where it rests on nobody's word.

    Args:
        evaluation: with the verdict.
        people: waivers and approvals.
        excluded: of `excluded_until`.

    Raises:
        PolicyError: the policy waives by what nobody signed.
    """
    ends = {one.id: one.said.until for one in people.signed}
    rests_on = {
        id
        for finding in evaluation.findings
        if finding.waived and finding.level is Level.DENY
        for id in evaluation.waived_by[finding.fingerprint]
    }
    if strangers := rests_on - ends.keys():
        raise PolicyError(f"the policy waives by what nobody signed: {sorted(strangers)}", where="the policy's result")
    return min((*(ends[id] for id in rests_on), *excluded), default=None)


def _people(question: Question) -> People:
    return approvals.accepted(
        question.approvals,
        question.trust,
        now=question.context.evaluated_at,
        authors=question.authors,
        context=question.context,
    )


def _materials(answer: Answer, question: Question) -> tuple[dict[str, bytes], tuple[Material, ...]]:
    from sbomgate.policy import bundle

    stored = {
        decision.SBOM: (answer.sbom.data, "application/vnd.cyclonedx+json"),
        FACTS: (facts.dumps(answer.collected) if answer.facts is None else answer.facts, "application/json"),
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


def evaluate(asked: bytes, question: Question, packages: int, engine: Engine) -> Evaluation:
    """Return what the question's policy says of a policy input about so many packages, the project not counted.

    Raises:
        PolicyError: the engine gives no whole answer.
    """
    said = engine.evaluate(question.bundle, asked, evaluations.QUERY)
    return evaluations.read(said, question.bundle, packages=packages, profile=question.context.profile)


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

    if not all(accepted.issuers):
        raise TrustError("an issuer is empty", place="issuers")
    return TrustMaterial(
        trusted_root=accepted.trusted_root or trusted_root,
        registry_keys=accepted.registry_keys or registry_keys,
        issuers=accepted.issuers or DEFAULT_ISSUERS,
        updated=updated if accepted.trusted_root is None else accepted.trusted_root_updated,
    )
