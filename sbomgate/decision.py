"""What was decided, as two in-toto statements, and back. Pure: bytes and values, no I/O, no clock, no signature.

- The *detail* (`https://sbomgate.dev/decision/v1`) names every input by digest, so that one changed bit is found and
  `replay` can say which (PROMISES P22).
- The *summary* is a SLSA Verification Summary (`https://slsa.dev/verification_summary/v1`), small enough for any log.
  It names the signed detail by digest. The profile `observe` has none: what only records never satisfies `verify` (P8).

Both have the same two subjects: the artefact's own digest, and its build manifest's (`sbomgate.subject`).

Reading is strict in one simple way: what was read is written again and must give the same bytes. A statement has no
field that sbomgate would ignore.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from sbomgate import dsse
from sbomgate.errors import EvidenceError
from sbomgate.model import (
    RAN_SOURCE,
    SELF_DECLARED,
    TIME_SOURCES,
    Claimed,
    Context,
    Evaluation,
    Level,
    Ran,
    Subject,
    SubjectKind,
    Verdict,
)
from sbomgate.model.link import ASSERTED, BuildLink, Ties, TreeLink
from sbomgate.subject import build_manifest

DETAIL_TYPE = "https://sbomgate.dev/decision/v1"
SUMMARY_TYPE = "https://slsa.dev/verification_summary/v1"
DEFAULT_VERIFIER_ID = "https://sbomgate.dev/verifier/v1"
POLICY_URI = "https://sbomgate.dev/policy/v1"
EXTENSION = "https://sbomgate.dev/vsa/v1/"
"""Prefix of the summary's extension fields: SLSA wants them named by URI."""
SLSA_VERSION = "1.2"

MAX_SUMMARY_BYTES = 16 << 10  # what transparency logs take

SBOM = "sbom.cdx.json"
POLICY_INPUT = "policy-input.json"
POLICY = "policy.tar.gz"
EVALUATION = "evaluation.json"
TRUST = "trust.toml"
PROJECT = "project/"
"""Prefix of the project's own files: the lockfile is `project/` and its path. The others may hold secrets (.npmrc)."""

REQUIRED = (SBOM, POLICY_INPUT, POLICY, EVALUATION, TRUST)
"""Materials that every decision stores. The lockfile must be named, stored or not."""

PROFILES = ("observe", "default", "strict", "release")
"""From the weakest to the strictest."""

OBSERVE = "observe"
TIES = {
    "installed": "link/installed.json",
    "contained": "link/contained.json",
    "provenance": "link/build-provenance.sigstore.json",
}
"""Materials that the link of artefact and lockfile rests on (P13), by its name in `Ties`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """One input or output of the decision: `name` as in the evidence's folder, SHA-256 (hex), size in bytes.

    `stored` says whether its bytes are part of the evidence, or only named by digest.
    """

    name: str
    sha256: str
    size: int
    media_type: str
    stored: bool


def material(name: str, data: bytes, media_type: str, *, stored: bool = True) -> Material:
    """Return the material that names these bytes."""
    return Material(
        name=name, sha256=hashlib.sha256(data).hexdigest(), size=len(data), media_type=media_type, stored=stored
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRecord:
    """The policy engine: `ours` is false for an OPA that we did not start (P24)."""

    name: str
    version: str
    ours: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineRecord:
    """What drift was measured against: `accepted` with the digest of its decision, or `bootstrap` with the reason."""

    state: str
    reason: str
    evidence: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How much was judged, and what came of it.

    `denied`, `warnings` and `notes` count what is not waived; `unknown` counts over all levels.
    """

    packages: int
    rules: int
    denied: int
    warnings: int
    notes: int
    waived: int
    unknown: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """All that a detail says.

    Attributes:
        verdict, counts, rules: of the evaluation; `rules` are the ids of the rules that ran, sorted.
        context: subject (never None here), profile, time, lockfile path, workspace; repository, commit, environment,
            who says so.
        time_source: who vouches for the time, one of `TIME_SOURCES` (P17).
        link: how the artefact is tied to the lockfile (P13), as `Ties.link` says.
        ties: what that rests on, without the single problems; None where nothing was compared.
        project, project_version: of package.json.
        verifier_id: who decides (SLSA `verifier.id`); sbomgate: its version.
        engine: the policy engine.
        policy: SHA-256 of the policy bundle (`PolicyBundle.sha256`), which trust files accept.
        trust: SHA-256 of the trust file.
        baseline: what drift was measured against.
        materials: every input and output by digest, sorted by name.
        valid_until: the earliest end of what it rests on (waivers, approvals), or None (P29).
    """

    verdict: Verdict
    context: Context
    time_source: str
    link: str
    project: str
    project_version: str | None
    verifier_id: str
    sbomgate: str
    engine: EngineRecord
    policy: str
    rules: tuple[str, ...]
    trust: str
    baseline: BaselineRecord
    counts: Counts
    materials: tuple[Material, ...]
    valid_until: datetime | None = None
    ties: Ties | None = None

    @property
    def subject(self) -> Subject:
        """The artefact that it is about.

        Raises:
            EvidenceError: the context names none.
        """
        if self.context.subject is None:
            raise EvidenceError("a decision that is signed has a subject", place="subject")
        return self.context.subject

    @property
    def sha256(self) -> Mapping[str, str]:
        """SHA-256 of each material by name."""
        return {m.name: m.sha256 for m in self.materials}


def count(evaluation: Evaluation, packages: int) -> Counts:
    """Return the counts of an evaluation over so many packages."""
    findings = evaluation.findings
    return Counts(
        packages=packages,
        rules=len(evaluation.rules),
        denied=sum(f.level is Level.DENY and not f.waived for f in findings),
        warnings=sum(f.level is Level.WARN and not f.waived for f in findings),
        notes=sum(f.level is Level.NOTE and not f.waived for f in findings),
        waived=sum(f.waived for f in findings),
        unknown=sum(f.unknown for f in findings),
    )


def resource_uri(subject: Subject, repository: Claimed | None) -> str:
    """Return where a deployer fetches the subject, as far as its name tells: a purl, or git+URL@COMMIT."""
    match subject.kind:
        case SubjectKind.FILE:
            return f"pkg:generic/{quote(subject.name, safe='')}?checksum=sha256:{subject.digest['sha256']}"
        case SubjectKind.OCI:
            name = subject.name.rpartition("/")[2]
            return f"pkg:oci/{name}@sha256%3A{subject.digest['sha256']}?repository_url={quote(subject.name, safe='/:')}"
        case SubjectKind.GIT:
            commit = subject.digest["gitCommit"]
            return f"git+{repository.value}@{commit}" if repository else f"git:{commit}"


# --------------------------------------------------------------------------------------------------------------------
# Writing


def write_detail(decision: Decision) -> bytes:
    """Return the detail as an in-toto statement: the same decision gives the same bytes.

    Raises:
        EvidenceError: a material that every decision needs is missing, or something has a value that no decision has.
    """
    _check(decision)
    context = decision.context
    return dsse.statement(
        _subjects(decision.subject),
        DETAIL_TYPE,
        {
            "verdict": decision.verdict.value,
            "profile": context.profile,
            "evaluatedAt": write_time(context.evaluated_at),
            "timeSource": decision.time_source,
            "link": decision.link,
            **({} if decision.ties is None else {"ties": _write_ties(decision.ties)}),
            "subject": {
                "kind": decision.subject.kind.value,
                "name": decision.subject.name,
                "digest": dict(decision.subject.digest),
            },
            "project": {
                "name": decision.project,
                "version": decision.project_version,
                "repository": _claimed(context.repository),
                "commit": _claimed(context.commit),
                "lockfilePath": context.lockfile_path,
                "workspace": context.workspace,
            },
            "environment": _claimed(context.environment),
            # Left out where nobody said it, as in what older versions wrote.
            **({} if context.ran is None else {"ran": {"source": RAN_SOURCE, **asdict(context.ran)}}),
            "verifier": {"id": decision.verifier_id, "sbomgate": decision.sbomgate},
            "engine": {
                "name": decision.engine.name,
                "version": decision.engine.version,
                "ours": decision.engine.ours,
            },
            "policy": {"sha256": decision.policy, "rules": list(decision.rules)},
            "trust": {"sha256": decision.trust},
            "validUntil": None if decision.valid_until is None else write_time(decision.valid_until),
            "baseline": {
                "state": decision.baseline.state,
                "reason": decision.baseline.reason,
                "evidence": decision.baseline.evidence,
            },
            "counts": {name: getattr(decision.counts, name) for name in Counts.__slots__},
            "materials": [
                {
                    "name": m.name,
                    "digest": {"sha256": m.sha256},
                    "size": m.size,
                    "mediaType": m.media_type,
                    "stored": m.stored,
                }
                for m in decision.materials
            ],
        },
    )


def write_summary(decision: Decision, detail_bundle: bytes, *, uri: str | None = None) -> bytes | None:
    """Return the SLSA VSA of a decision as an in-toto statement, or None for `observe`, which has none.

    Args:
        decision: what was decided.
        detail_bundle: the signed detail; the summary names the digest of exactly these bytes.
        uri: where the deployer fetches the artefact; None for `resource_uri` of the subject.

    Raises:
        EvidenceError: larger than 16 KiB.
    """
    context = decision.context
    if context.profile == OBSERVE:
        return None
    passed = decision.verdict is Verdict.ALLOWED
    data = dsse.statement(
        _subjects(decision.subject),
        SUMMARY_TYPE,
        {
            "verifier": {
                "id": decision.verifier_id,
                "version": {"sbomgate": decision.sbomgate, "opa": decision.engine.version},
            },
            "timeVerified": write_time(context.evaluated_at),
            "resourceUri": resource_uri(decision.subject, context.repository) if uri is None else uri,
            "policy": {"uri": POLICY_URI, "digest": {"sha256": decision.policy}},
            "inputAttestations": [
                {
                    "name": "decision.sigstore.json",
                    "mediaType": dsse.BUNDLE_MEDIA_TYPE,
                    "digest": {"sha256": hashlib.sha256(detail_bundle).hexdigest()},
                }
            ],
            "verificationResult": "PASSED" if passed else "FAILED",
            # SLSA's own build level of the artefact is not evaluated here; FAILED carries no other level.
            "verifiedLevels": [f"SBOMGATE_{context.profile.upper()}", "SLSA_BUILD_LEVEL_UNEVALUATED"]
            if passed
            else ["FAILED"],
            "slsaVersion": SLSA_VERSION,
            f"{EXTENSION}profile": context.profile,
            f"{EXTENSION}timeSource": decision.time_source,
            f"{EXTENSION}link": decision.link,
            **({} if decision.ties is None else {f"{EXTENSION}ties": _summary_of_ties(decision.ties)}),
            f"{EXTENSION}lockfilePath": context.lockfile_path,
            f"{EXTENSION}workspace": context.workspace,
            f"{EXTENSION}repository": _claimed(context.repository),
            f"{EXTENSION}commit": _claimed(context.commit),
            f"{EXTENSION}environment": _claimed(context.environment),
            f"{EXTENSION}waiversUsed": decision.counts.waived,
            f"{EXTENSION}validUntil": None if decision.valid_until is None else write_time(decision.valid_until),
        },
    )
    if len(data) > MAX_SUMMARY_BYTES:
        raise EvidenceError(
            f"the summary has {len(data)} bytes, the limit is {MAX_SUMMARY_BYTES}",
            hint="shorten the names of artefact, repository and environment",
        )
    return data


def write_time(time: datetime) -> str:
    """Return RFC 3339 in UTC with `Z`.

    Raises:
        EvidenceError: the time has no zone.
    """
    if time.tzinfo is None:
        raise EvidenceError("a time without a zone", place="evaluatedAt")
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


# --------------------------------------------------------------------------------------------------------------------
# Reading


def read_detail(payload: bytes, where: str) -> Decision:
    """Return what a detail says.

    Raises:
        EvidenceError: not a detail of this version, or not the bytes that its own content would be written as.
    """
    statement = dsse.read_statement(payload, where)
    dsse.expect(statement["predicateType"], DETAIL_TYPE, where, "predicateType")
    predicate = statement["predicate"]
    return dsse.exactly(payload, where, "decision", lambda: _decision(predicate), write_detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a summary says beyond its decision: `passed`, and the `resourceUri`."""

    passed: bool
    resource_uri: str


def named_detail(payload: bytes, where: str) -> str:
    """Return the SHA-256 (hex) of the signed detail that a summary names.

    Raises:
        EvidenceError: not a summary, or it does not name exactly one.
    """
    statement = dsse.read_statement(payload, where)
    dsse.expect(statement["predicateType"], SUMMARY_TYPE, where, "predicateType")
    match statement["predicate"]:
        case {"inputAttestations": [{"digest": {"sha256": str(sha256)}}]}:
            return sha256
        case _:
            raise EvidenceError(
                "does not name exactly one detail by sha256", where=where, place="predicate.inputAttestations"
            )


def read_summary(payload: bytes, decision: Decision, detail_bundle: bytes, where: str) -> Summary:
    """Return what a summary says, which must be the one of this decision and of exactly this signed detail.

    Raises:
        EvidenceError: it is another decision's, or says anything that the detail does not.
    """
    sha256 = hashlib.sha256(detail_bundle).hexdigest()
    if (named := named_detail(payload, where)) != sha256:
        raise EvidenceError(
            f"names the detail {named}, not {sha256}", where=where, place="predicate.inputAttestations[0].digest.sha256"
        )
    uri = dsse.text(dsse.read_statement(payload, where)["predicate"].get("resourceUri"), where, "predicate.resourceUri")
    again = write_summary(decision, detail_bundle, uri=uri)
    if again is None:
        raise EvidenceError("a decision of the profile observe has no summary", where=where)
    if again != payload:
        raise dsse.difference(payload, again, where, "decision")
    return Summary(passed=decision.verdict is Verdict.ALLOWED, resource_uri=uri)


# --------------------------------------------------------------------------------------------------------------------
# The parts


def _check(decision: Decision) -> None:
    def refuse(message: str, place: str) -> EvidenceError:
        return EvidenceError(message, place=place)

    context = decision.context
    if context.profile not in PROFILES:
        raise refuse(f"no such profile: {context.profile!r}", "profile")
    if decision.time_source not in TIME_SOURCES:
        raise refuse(f"no such source of time: {decision.time_source!r}", "timeSource")
    if decision.link != (ASSERTED if decision.ties is None else decision.ties.link):
        raise refuse(f"the link {decision.link!r} is not what the comparisons come to", "link")
    if context.profile == "release" and decision.verdict is Verdict.ALLOWED and decision.link == ASSERTED:
        raise refuse("the profile release allows no artefact whose link to the lockfile is only asserted", "link")
    if context.profile == "release" and decision.verdict is Verdict.ALLOWED and decision.time_source == SELF_DECLARED:
        raise refuse("the profile release allows nothing on a signer's own word for the time", "timeSource")
    algorithm, lengths = ("gitCommit", (40, 64)) if decision.subject.kind is SubjectKind.GIT else ("sha256", (64,))
    digest = decision.subject.digest
    if set(digest) != {algorithm} or len(digest[algorithm]) not in lengths:
        raise refuse(f"not one whole {algorithm}", "subject.digest")
    _hex(digest[algorithm], "subject.digest")
    commit = context.commit.value if context.commit else None
    if decision.subject.kind is SubjectKind.GIT and commit not in (None, digest["gitCommit"]):
        raise refuse(f"the subject is another commit than {commit}", "project.commit")
    match decision.baseline:
        case BaselineRecord(state="accepted", evidence=str()) | BaselineRecord(state="bootstrap", evidence=None):
            pass
        case _:
            raise refuse("neither accepted with its evidence nor bootstrap without", "baseline")
    if not decision.rules or list(decision.rules) != sorted(set(decision.rules)):
        raise refuse("no rule ran, or they are not sorted", "policy.rules")
    if decision.counts.rules != len(decision.rules):
        raise refuse("the count is not the number of rules that ran", "counts.rules")
    if decision.verdict is Verdict.ALLOWED and decision.counts.denied and context.profile != OBSERVE:
        raise refuse("allowed, although findings deny", "counts.denied")
    if decision.valid_until is not None and decision.valid_until <= context.evaluated_at:
        raise refuse("it rested on something that had ended", "validUntil")
    names = [m.name for m in decision.materials]
    if names != sorted(set(names)):
        raise refuse("not sorted by name, or one is there twice", "materials")
    stored = {m.name for m in decision.materials if m.stored}
    if lacking := [name for name in REQUIRED if name not in stored]:
        raise refuse(f"not stored: {', '.join(lacking)}", "materials")
    if f"{PROJECT}{context.lockfile_path}" not in names:
        raise refuse(f"the lockfile is not named: {PROJECT}{context.lockfile_path}", "materials")
    if decision.sha256[TRUST] != decision.trust:
        raise refuse("the stored trust file is another one", "trust.sha256")
    digests = decision.sha256
    for name, file in TIES.items():
        tie = None if decision.ties is None else getattr(decision.ties, name)
        if digests.get(file) != (None if tie is None else tie.material):
            raise refuse("what was compared is not the material of that name", f"ties.{name}")
    for index, one in enumerate(decision.materials):
        _sha256(one.sha256, f"materials[{index}].digest.sha256")
    _sha256(decision.policy, "policy.sha256")
    if decision.baseline.evidence is not None:
        _sha256(decision.baseline.evidence, "baseline.evidence")


def _sha256(value: str, place: str) -> None:
    if len(value) != 64:
        raise EvidenceError("not a SHA-256", place=place)
    _hex(value, place)


def _hex(value: str, place: str) -> None:
    if set(value) - set("0123456789abcdef"):
        raise EvidenceError("not lowercase hex", place=place)


def _subjects(subject: Subject) -> list[tuple[str, Mapping[str, str]]]:
    return [(subject.name, subject.digest), ("build-manifest", {"sha256": build_manifest(subject).sha256})]


def _claimed(value: Claimed | None) -> dict[str, str] | None:
    return None if value is None else {"value": value.value, "source": value.source}


def _write_ties(ties: Ties) -> dict[str, Any]:
    found: dict[str, Any] = {"installed": None, "contained": None, "provenance": None}
    for name, tree in (("installed", ties.installed), ("contained", ties.contained)):
        if tree is not None:
            found[name] = {**{key: getattr(tree, key) for key in _OF_TREE}, "counts": dict(tree.counts)}
    if ties.provenance is not None:
        found["provenance"] = {key: getattr(ties.provenance, key) for key in BuildLink.__slots__}
    return found


_OF_BUILD = ("builder", "builder_id", "identity", "repository", "commit", "ref")
_OF_TREE = ("material", "packages", "bytes", "absent", "elsewhere", "bundled", "files", "holds")


def _summary_of_ties(ties: Ties) -> dict[str, Any]:
    """Return what the summary says: of how many packages names, and of how many bytes were compared; who built it."""
    found: dict[str, Any] = {}
    for name, tree in (("installed", ties.installed), ("contained", ties.contained)):
        if tree is not None:
            found[name] = {"packages": tree.packages, "bytes": tree.bytes, "holds": tree.holds}
    if ties.provenance is not None:
        found["provenance"] = {"state": ties.provenance.state, "builder": ties.provenance.builder}
    return found


def _read_ties(value: dict[str, Any]) -> Ties:
    def tree(name: str) -> TreeLink | None:
        one = value[name]
        if one is None:
            return None
        return TreeLink(
            link=name,
            material=_str(one["material"]),
            packages=_int(one["packages"]),
            bytes=_int(one["bytes"]),
            absent=_int(one["absent"]),
            elsewhere=_int(one["elsewhere"]),
            bundled=_int(one["bundled"]),
            files=_int(one["files"]),
            counts=tuple((_str(code), _int(number)) for code, number in one["counts"].items()),
            problems=(),
            holds=_bool(one["holds"]),
        )

    build = value["provenance"]
    return Ties(
        installed=tree("installed"),
        contained=tree("contained"),
        provenance=None
        if build is None
        else BuildLink(
            material=_str(build["material"]),
            state=_str(build["state"]),
            reason=_str(build["reason"]),
            **{name: None if build[name] is None else _str(build[name]) for name in _OF_BUILD},
        ),
    )


def _read_ran(value: dict[str, Any]) -> Ran:
    others = {name: value[name] for name in Ran.__slots__ if name != "system"}
    return Ran(
        system=_str(value["system"]), **{name: None if one is None else _str(one) for name, one in others.items()}
    )


def _decision(predicate: dict[str, Any]) -> Decision:
    """Build the value. What is wrong shows when it is written again, or raises KeyError, TypeError or ValueError."""

    def claimed(value: Any) -> Claimed | None:
        return None if value is None else Claimed(value=_str(value["value"]), source=_str(value["source"]))

    project, subject, baseline = predicate["project"], predicate["subject"], predicate["baseline"]
    return Decision(
        verdict=Verdict(predicate["verdict"]),
        context=Context(
            evaluated_at=_utc(_str(predicate["evaluatedAt"]), "evaluatedAt"),
            profile=_str(predicate["profile"]),
            lockfile_path=_str(project["lockfilePath"]),
            workspace=None if project["workspace"] is None else _str(project["workspace"]),
            repository=claimed(project["repository"]),
            commit=claimed(project["commit"]),
            environment=claimed(predicate["environment"]),
            subject=Subject(
                kind=SubjectKind(subject["kind"]),
                name=_str(subject["name"]),
                digest={_str(k): _str(v) for k, v in subject["digest"].items()},
            ),
            ran=_read_ran(predicate["ran"]) if "ran" in predicate else None,
        ),
        time_source=_str(predicate["timeSource"]),
        link=_str(predicate["link"]),
        project=_str(project["name"]),
        project_version=None if project["version"] is None else _str(project["version"]),
        verifier_id=_str(predicate["verifier"]["id"]),
        sbomgate=_str(predicate["verifier"]["sbomgate"]),
        engine=EngineRecord(
            name=_str(predicate["engine"]["name"]),
            version=_str(predicate["engine"]["version"]),
            ours=_bool(predicate["engine"]["ours"]),
        ),
        policy=_str(predicate["policy"]["sha256"]),
        rules=tuple(_str(rule) for rule in predicate["policy"]["rules"]),
        trust=_str(predicate["trust"]["sha256"]),
        baseline=BaselineRecord(
            state=_str(baseline["state"]),
            reason=_str(baseline["reason"]),
            evidence=None if baseline["evidence"] is None else _str(baseline["evidence"]),
        ),
        counts=Counts(**{_str(k): _int(v) for k, v in predicate["counts"].items()}),
        materials=tuple(
            Material(
                name=_str(m["name"]),
                sha256=_str(m["digest"]["sha256"]),
                size=_int(m["size"]),
                media_type=_str(m["mediaType"]),
                stored=_bool(m["stored"]),
            )
            for m in predicate["materials"]
        ),
        valid_until=None if predicate["validUntil"] is None else _utc(_str(predicate["validUntil"]), "validUntil"),
        ties=_read_ties(predicate["ties"]) if "ties" in predicate else None,
    )


def _utc(value: str, place: str) -> datetime:
    time = datetime.fromisoformat(value)
    if time.utcoffset() != timedelta(0):
        raise ValueError(f"{place} is not in UTC")
    return time.astimezone(UTC)


def _str(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.80} is not a text")
    return value


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r:.80} is not true or false")
    return value


def _int(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{value!r:.80} is not a count")
    return value
