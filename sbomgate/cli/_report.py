"""From a decision to what people are told of it: one just made, or one read back from stored evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sbomgate.errors import EvidenceError, InputError, TrustError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from sbomgate.cli._decide import Decided
    from sbomgate.decision import EngineRecord
    from sbomgate.evidence.head import View
    from sbomgate.evidence.record import Record
    from sbomgate.model import (
        BaselineBuild,
        Bootstrap,
        CollectedFacts,
        Context,
        Evaluation,
        Package,
        People,
        Sbom,
        Trust,
        TrustRoot,
    )
    from sbomgate.report import Detail, Kept, Report, Standing
    from sbomgate.report._store import Moment

UNSIGNED = "nothing is signed: it holds for whoever ran it, and for nobody else"


def of_decision(
    decided: Decided,
    *,
    lockfile: bytes | None,
    signer: str | None = None,
    refused: Sequence[str] = (),
    evidence: str | None = None,
    decision: str | None = None,
    whole: bool = True,
) -> Report:
    """Return the report of a decision that was just made.

    Args:
        decided: the question and the answer.
        lockfile: the lockfile's bytes, for the lines of its entries.
        signer: who signed it, where somebody did.
        refused: why a deployment by the same trust file is refused all the same (`standing`).
        evidence: where the evidence lies.
        decision: SHA-256 (hex) of the signed decision.
        whole: whether the rendering needs the detail.
    """
    import hashlib

    import orjson

    from sbomgate import decision as decisions
    from sbomgate import gate
    from sbomgate.report import Standing

    question, answer = decided.question, decided.answer
    root, lock = question.material.root, answer.graph.lockfile
    digests = {
        decisions.SBOM: answer.sbom.sha256,
        decisions.EVALUATION: answer.evaluation.sha256,
        gate.TRUSTED_ROOT: root.trusted_root,
        gate.REGISTRY_KEYS: root.registry_keys,
    }
    if question.trust.sha256 is not None:
        digests[decisions.TRUST] = question.trust.sha256
    lists: dict[str, int] = {}
    if whole:
        digests[decisions.POLICY_INPUT] = hashlib.sha256(answer.policy_input).hexdigest()
        lists = {one["name"]: one["entries"] for one in orjson.loads(answer.policy_input)["malicious_lists"]}
        digests |= {f"{gate.LISTS}{name}": hashlib.sha256(data).hexdigest() for name, data in question.lists.items()}
    folder = question.context.lockfile_path.removesuffix(lock.path)
    digests |= {f"{decisions.PROJECT}{folder}{path}": sha for path, (sha, _) in question.project_files.items()}
    said = UNSIGNED if signer is None else f"signed by {signer}, and accepted by the trust file"
    return _report(
        answer.evaluation,
        answer.sbom,
        context=question.context,
        baseline=question.baseline,
        engine=answer.engine,
        policy=question.bundle.sha256,
        sbomgate=question.sbomgate,
        trust=question.trust,
        trust_root=root,
        people=answer.people,
        digests=digests,
        standing=Standing(verified=signer is not None, signer=signer or "", said=said, reasons=tuple(refused)),
        lists=lists,
        lockfile=lockfile,
        evidence=evidence,
        decision=decision,
        kept=_kept(answer.collected.values()),
        whole=whole,
    )


def _kept(collected: Iterable[CollectedFacts]) -> Kept | None:
    """Return what was taken from the cache of the registries' words; what is signed takes none of it (P26, P33)."""
    from sbomgate.model import Origin, RegistryWord
    from sbomgate.report import Kept

    asked = [
        one.registry.asked_at
        for one in collected
        if isinstance(one.registry, RegistryWord) and one.registry.origin is Origin.CACHE
    ]
    return Kept(packages=len(asked), oldest=min(asked)) if asked else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """What a record's own files say."""

    sbom: Sbom
    evaluation: Evaluation
    trust: Trust
    people: People
    trust_root: TrustRoot
    lists: Mapping[str, int]  # of malicious packages → entries
    baseline_time: datetime | None


def _read(record: Record) -> _Stored:
    import hashlib
    from dataclasses import replace

    import orjson

    from sbomgate import approvals, decision, gate, sbom
    from sbomgate import trust as trusts
    from sbomgate.model import Authors, TrustRoot
    from sbomgate.policy import bundle as bundles
    from sbomgate.policy import evaluation as evaluations
    from sbomgate.times import parse_time

    claimed, blobs = record.claimed, record.blobs
    bom = sbom.read(blobs[decision.SBOM])
    evaluation = evaluations.read(
        blobs[decision.EVALUATION],
        bundles.from_tar(blobs[decision.POLICY]),
        packages=len(bom.graph.packages) - 1,
        profile=claimed.context.profile,
    )
    if evaluation.verdict is not claimed.verdict:
        raise EvidenceError(
            f"the statement says {claimed.verdict.value}, the evaluation {evaluation.verdict.value}",
            where=decision.EVALUATION,
            hint="nothing of this evidence can be relied on; `sbomgate replay` says more",
        )
    # What only the policy input says. Another version's may hold more or less: what is read here has to be there.
    try:
        asked = orjson.loads(blobs[decision.POLICY_INPUT])
        root, change, decided_at = asked["trust_root"], asked["change"], asked["baseline"]["decided_at"]
        trust_root = TrustRoot(
            trusted_root=root["trusted_root"],
            registry_keys=root["registry_keys"],
            updated=None if root["updated"] is None else parse_time(root["updated"]),
        )
        authors = Authors(people=tuple(change["authors"]), known=change["authors_known"], reason=change["reason"])
        lists = {one["name"]: int(one["entries"]) for one in asked["malicious_lists"]}
        baseline_time = None if decided_at is None else parse_time(decided_at)
    except (KeyError, TypeError, ValueError) as e:
        raise EvidenceError(
            f"not a policy input that this version reads ({type(e).__name__}: {e})",
            where=decision.POLICY_INPUT,
            hint=f"it was made by sbomgate {claimed.sbomgate}: use that version",
        ) from e
    pinned = {hashlib.sha256(data).hexdigest(): data for data in blobs.values()}
    accepted = trusts.parse(blobs[decision.TRUST], pinned=_pinned(pinned), where=decision.TRUST)
    people = approvals.accepted(
        {name: data for name, data in blobs.items() if name.startswith(gate.APPROVALS)},
        accepted,
        now=claimed.context.evaluated_at,
        authors=authors,
        context=replace(claimed.context, time_source=claimed.time_source),
    )
    return _Stored(
        sbom=bom,
        evaluation=evaluation,
        trust=accepted,
        people=people,
        trust_root=trust_root,
        lists=lists,
        baseline_time=baseline_time,
    )


def of_record(record: Record, standing: Standing, *, lockfile: bytes | None = None) -> Report:
    """Return the report of a stored decision, from its own bytes alone.

    Args:
        record: the evidence; that it exists says that its bytes are those that its statements name.
        standing: what `standing` found, or that nobody looked.
        lockfile: the lockfile's bytes, for the lines of its entries.

    Raises:
        EvidenceError: a file is not part of it, or the statement says otherwise than the files.
        InputError: another lockfile than the one that was decided on.
    """
    import hashlib
    from dataclasses import replace

    from sbomgate import gate, sbom
    from sbomgate.model import BaselineBuild, Bootstrap

    claimed, stored = record.claimed, _read(record)
    lock = stored.sbom.graph.lockfile
    if lockfile is not None and hashlib.sha256(lockfile).hexdigest() != lock.sha256:
        raise InputError(
            f"not the lockfile that was decided on, sha256:{lock.sha256}",
            where="--lockfile",
            hint="give the one of that commit, or leave it out: then there are no lines",
        )
    baseline: BaselineBuild | Bootstrap = Bootstrap(reason=claimed.baseline.reason)
    if claimed.baseline.evidence is not None:
        if gate.BASELINE_SBOM not in record.blobs or stored.baseline_time is None:
            raise EvidenceError("the decision does not hold this file", where=gate.BASELINE_SBOM)
        baseline = BaselineBuild(
            sbom=sbom.read(record.blobs[gate.BASELINE_SBOM]),
            evidence=claimed.baseline.evidence,
            decided_at=stored.baseline_time,
        )
    build = record.build.sha256
    return _report(
        stored.evaluation,
        stored.sbom,
        context=replace(claimed.context, link=claimed.link, time_source=claimed.time_source),
        baseline=baseline,
        engine=claimed.engine,
        policy=claimed.policy,
        sbomgate=claimed.sbomgate,
        trust=stored.trust,
        trust_root=stored.trust_root,
        people=stored.people,
        digests={**claimed.sha256, "build manifest": build},
        standing=standing,
        lists=stored.lists,
        lockfile=lockfile,
        evidence=f"{build[:2]}/{build}",
        decision=record.id,
    )


def moment(record: Record, standing: Standing) -> Moment:
    """Return what a store's report holds of one decision.

    Raises:
        EvidenceError: as `of_record`.
    """
    from sbomgate.model import Level
    from sbomgate.report._coverage import coverage
    from sbomgate.report._store import Moment

    claimed, stored = record.claimed, _read(record)
    findings = stored.evaluation.findings
    return Moment(
        decision=record.id,
        build=record.build.sha256,
        verdict=claimed.verdict,
        project=claimed.project,
        version=claimed.project_version,
        context=_public(claimed.context),
        counts={name: getattr(claimed.counts, name) for name in type(claimed.counts).__slots__},
        coverage=coverage(stored.sbom, claimed.context.evaluated_at),
        standing=standing,
        signed=stored.people.signed,
        used=frozenset(id_ for ids in stored.evaluation.waived_by.values() for id_ in ids),
        denied_by=tuple(sorted({f.rule for f in findings if f.level is Level.DENY and not f.waived})),
    )


def _public(context: Context) -> Context:
    """Return a context without what is nobody's business in its repository's address (P40)."""
    from dataclasses import replace

    from sbomgate.purl import public_url

    if context.repository is None:
        return context
    return replace(context, repository=replace(context.repository, value=public_url(context.repository.value)))


def _pinned(held: Mapping[str, bytes]) -> Callable[[str, str], bytes]:
    def find(name: str, sha256: str) -> bytes:
        if sha256 not in held:
            raise EvidenceError("the trust file names this file, and the evidence does not hold it", where=name)
        return held[sha256]

    return find


def standing(
    record: Record,
    trust: Trust | None,
    *,
    shipped_policy: str,
    beside: Sequence[Record] = (),
    view: View | None = None,
) -> Standing:
    """Return what a stored decision is worth by a trust file, as of the time at which it was decided.

    Time does not count: the same evidence gives the same report tomorrow. Whether it may be deployed now is `verify`.

    Args:
        record: the evidence.
        trust: who and what is accepted, or None: then nothing is verified.
        shipped_policy: as in `evidence.verify.verify_build`.
        beside: the other decisions on the same artefact: a newer one of an accepted signer is said.
        view: what its store holds beside the builds: a revocation counts whenever it was signed. How fresh the store's
            head is depends on the clock, and is not asked here.

    Raises:
        TrustError: the trust file accepts nobody.
    """
    from dataclasses import replace

    from sbomgate.evidence.head import NOTHING
    from sbomgate.evidence.verify import Reason, counted_by, signed_by, verify_build
    from sbomgate.model import LOGGED, SELF_DECLARED, TIMESTAMPED
    from sbomgate.report import Standing

    if trust is None:
        return Standing(verified=False, signer="", said="no trust file was given, so nobody knows who signed this")
    if not trust.signers:
        raise TrustError("no signer is accepted: nothing can be verified", where="--trust")
    signed = signed_by(record, trust.signers)
    if isinstance(signed, Reason):
        said = "nobody whom the trust file accepts signed this"
        return Standing(verified=False, signer="", said=said, reasons=(signed.message,))
    context = record.claimed.context
    environment = context.environment_name
    if trust.environments and environment not in trust.environments:
        environment = trust.environments[0]
    found = verify_build(
        (record,),
        record.claimed.subject,
        trust,
        now=max(record.claimed_time, signed.signed_at or record.claimed_time),  # what was pending was signed later
        shipped_policy=shipped_policy,
        environment=environment if trust.environments else None,
        view=NOTHING if view is None else replace(view, bundle=None),
    )
    reasons = [reason.message for reason in found.reasons if reason.code not in ("failed", "head")]
    reasons += [
        f"a newer decision on the same artefact, of {other.claimed_time:%Y-%m-%d %H:%M} UTC: {other.claimed.verdict}"
        for other in beside
        if other.claimed_time > record.claimed_time
        and other.claimed.context.workspace == context.workspace
        and not isinstance(counted_by(other, trust.signers), Reason)
    ]
    time = {
        SELF_DECLARED: "the time is the signer's own word",
        TIMESTAMPED: "a timestamp authority vouches for the time",
        LOGGED: "a transparency log vouches for the time",
    }[signed.time_source]
    return Standing(
        verified=True, signer=signed.signer.name, said=f"signed by {signed.signer.name}; {time}", reasons=tuple(reasons)
    )


def _report(
    evaluation: Evaluation,
    sbom: Sbom,
    *,
    context: Context,
    baseline: BaselineBuild | Bootstrap,
    engine: EngineRecord,
    policy: str,
    sbomgate: str,
    trust: Trust,
    trust_root: TrustRoot,
    people: People,
    digests: Mapping[str, str],
    standing: Standing,
    lists: Mapping[str, int],
    lockfile: bytes | None,
    evidence: str | None,
    decision: str | None,
    kept: Kept | None = None,
    whole: bool = True,
) -> Report:
    from sbomgate import __version__
    from sbomgate import report as reports
    from sbomgate.model import BaselineBuild
    from sbomgate.policy import bundle as bundles

    versions: dict[str, frozenset[str]] = {}
    if isinstance(baseline, BaselineBuild):
        said = f"the build of {baseline.decided_at:%Y-%m-%d %H:%M} UTC (decision sha256:{baseline.evidence[:12]}…)"
        before: dict[str, set[str]] = {}
        for package in baseline.sbom.graph.packages:
            if package.version is not None:
                before.setdefault(package.name, set()).add(package.version)
        versions = {name: frozenset(of) for name, of in before.items()}
    else:
        said = f"nothing (bootstrap): {baseline.reason}"
    judged = f"OPA {engine.version} {engine.name}"
    # Another version of sbomgate shipped another policy: of its decisions nobody here knows whether it was theirs.
    if sbomgate == __version__ and policy != bundles.shipped().sha256:
        judged += f" · not the shipped policy: sha256:{policy}"
    detail: Detail | None = None
    if whole:
        held = {**digests, "policy": policy}
        detail = _detail(evaluation, sbom, context, baseline, people, held, standing, lists, lockfile)
    return reports.build(
        evaluation,
        sbom,
        profile=context.profile,
        engine=judged,
        baseline=said,
        baseline_versions=versions,
        signers=len(trust.signers),
        trust_root=trust_root,
        evidence=evidence,
        decision=decision,
        ran=context.ran,
        kept=kept,
        detail=detail,
    )


def _detail(
    evaluation: Evaluation,
    sbom: Sbom,
    context: Context,
    baseline: BaselineBuild | Bootstrap,
    people: People,
    digests: Mapping[str, str],
    standing: Standing,
    lists: Mapping[str, int],
    lockfile: bytes | None,
) -> Detail:
    from sbomgate import review
    from sbomgate.model import BaselineBuild
    from sbomgate.policy import parameters
    from sbomgate.report import Detail, _lines, catalogue
    from sbomgate.resources import path as resource

    before, compared = (baseline.sbom, baseline.evidence) if isinstance(baseline, BaselineBuild) else (baseline, None)
    found = {finding.package for finding in evaluation.findings}
    named: list[Package] = [package for package in sbom.graph.packages if package.id in found]
    return Detail(
        context=_public(context),
        sbom=sbom,
        people=people,
        change=review.review(
            sbom,
            evaluation,
            before,
            compared=compared,
            profile=context.profile,
            now=context.evaluated_at,
        ),
        digests=dict(sorted(digests.items())),
        standing=standing,
        rules=catalogue(resource(*parameters.CATALOGUE).read_bytes()),
        lists=lists,
        lines=_lines.find("" if lockfile is None else lockfile.decode("utf-8", "replace"), named),
    )
