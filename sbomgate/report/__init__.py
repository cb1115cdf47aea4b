"""One Report value, many renderings: one file a format, each with `render`.

    text, json                                  render(report)
    html, markdown, sarif, junit, csv           render(reports, undecided): all decisions of one run in one file

The second kind needs a report's `detail`: what is dear to make, or nobody else asks for.

`build` groups the findings by what a person has to do: one entry per package and change, the worst first. Nothing is
decided here: every word comes from the evaluation, the SBOM and the baseline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # `escape` below is for everybody: most of them need no more than it
    from datetime import datetime

    from sbomgate.model import Context, Evaluation, Package, People, PolicyFinding, Ran, Sbom, TrustRoot, Verdict
    from sbomgate.model.review import Review

UNKNOWN_RULE = "complete_evidence"
INPUT_RULE = "lockfile_sound"
"""The rule that counts what is not known."""

SCRIPT_RULE = "install_scripts"
"""The rule whose findings a person answers by reading a script."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """An install script, with all that an approval in the trust file is bound to.

    Attributes:
        name, version, integrity: of the package.
        digest: of the script (`model.Scripts.digest`).
        scripts: name → text, as the tarball has it.
    """

    name: str
    version: str
    integrity: str
    digest: str
    scripts: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """All findings about one package (every installed copy of one name and version), or about the project as a whole.

    Attributes:
        name, version: of the package; both "" for the project as a whole.
        was: the version in the baseline, where it was another; None otherwise.
        path: names from the root to the package, one shortest chain.
        findings: sorted by rule and code.
        scripts: what a person has to read, where a finding is about an install script that nobody approved.
    """

    name: str
    version: str
    was: str | None
    path: tuple[str, ...]
    findings: tuple[PolicyFinding, ...]
    scripts: tuple[Script, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule in its own METADATA's words: what it denies, why, and how to put it right."""

    title: str
    description: str
    why: str
    fix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the decision is worth to somebody who did not make it.

    Attributes:
        verified: an accepted signer signed it, and every stored byte is the one that was signed.
        signer: who, or "".
        said: one sentence.
        reasons: why a deployment that asks for this trust file's terms is refused all the same; the result itself is
            none of them.
    """

    verified: bool
    signer: str
    said: str
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """What pages, tables and other programs are told beyond the findings.

    Attributes:
        context: subject, profile, time, repository, commit, environment.
        sbom: what was judged.
        people: what approvers signed: waivers and approvals, and what of them was refused.
        change: what changed since the last approved build; None where nobody looked.
        digests: name → SHA-256 (hex) of everything that the decision was made from, and of the decision.
        standing: what it is worth.
        rules: id → its texts, of the rules that the catalogue knows.
        lists: name → entries of each list of malicious packages that was compared with.
        lines: package id → line of its entry in the lockfile, from 1, of the packages with findings; as far as known.
    """

    context: Context
    sbom: Sbom
    people: People
    change: Review | None
    digests: Mapping[str, str]
    standing: Standing
    rules: Mapping[str, Rule]
    lists: Mapping[str, int]
    lines: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecided:
    """A decision that could not be made: `label` is the workspace, or the lockfile."""

    label: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a registry said at another time, and this decision took from the cache (P33).

    Attributes:
        packages: how many it is about; oldest: when the registry said the oldest of it.
    """

    packages: int
    oldest: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a person, a program or a page is told of one decision.

    Attributes:
        workspace: directory of the workspace that was judged, or None for the whole lockfile.
        packages: how many were judged; signers: how many the trust file accepts.
        denials: what denies, worst first; warnings: what warns; notes: what is only recorded; waived: what would deny.
        unknown: what is not known, one finding for each kind of evidence, and what an SBOM does not say.
        evidence: path of the stored evidence, or None where nothing was stored.
        decision: SHA-256 (hex) of the decision statement, or None.
        ran: where it was decided, by that machine's own word; None where nobody said.
        kept: the registries' words that were taken from the cache; None where there were none.
        detail: what some renderings need beside this.
    """

    verdict: Verdict
    project: str
    version: str | None
    lockfile: str
    workspace: str | None
    packages: int
    profile: str
    engine: str
    baseline: str
    signers: int
    trust_root: TrustRoot
    denials: tuple[Entry, ...]
    warnings: tuple[Entry, ...]
    notes: tuple[Entry, ...]
    waived: tuple[Entry, ...]
    unknown: tuple[PolicyFinding, ...]
    evaluation: Evaluation
    evidence: str | None = None
    decision: str | None = None
    ran: Ran | None = None
    kept: Kept | None = None
    detail: Detail | None = None

    @property
    def whole(self) -> Detail:
        """The detail, where it must be there.

        Raises:
            ValueError: the report was built without.
        """
        if self.detail is None:
            raise ValueError("this report was built without its detail")
        return self.detail


def build(
    evaluation: Evaluation,
    sbom: Sbom,
    *,
    profile: str,
    engine: str,
    baseline: str,
    baseline_versions: Mapping[str, frozenset[str]],
    signers: int,
    trust_root: TrustRoot,
    evidence: str | None = None,
    decision: str | None = None,
    ran: Ran | None = None,
    kept: Kept | None = None,
    detail: Detail | None = None,
) -> Report:
    """Group an evaluation's findings for people.

    Args:
        evaluation: the engine's answer.
        sbom: what it is about.
        profile: the profile in force.
        engine: `OPA 1.22.0 embedded`.
        baseline: one phrase: what the build was compared with.
        baseline_versions: name → versions in the baseline, for `1.14.0 → 1.14.1`.
        signers: how many signers the trust file accepts.
        trust_root: what package provenance was verified against.
        evidence: where the evidence lies.
        decision: digest of the decision.
        ran: where it was decided.
        kept: the registries' words that were taken from the cache.
        detail: what only some renderings show.
    """
    graph = sbom.graph
    by_id = {package.id: package for package in graph.packages}
    paths = graph.chains([""])
    sections: dict[str, dict[tuple[str, str], list[PolicyFinding]]] = {"deny": {}, "warn": {}, "note": {}, "waived": {}}
    for finding in evaluation.findings:
        package = by_id.get(finding.package) if finding.package is not None else None
        key = (package.name, package.version or "") if package is not None and package.id else ("", "")
        section = "waived" if finding.waived else finding.level.value
        sections[section].setdefault(key, []).append(finding)
    root = by_id.get("")

    def entries(section: str) -> tuple[Entry, ...]:
        grouped = sections[section]
        made = [
            _entry(name, version, grouped[name, version], by_id, sbom, paths, baseline_versions)
            for name, version in sorted(grouped, key=lambda key: (-_weight(grouped[key]), key))
        ]
        return tuple(made)

    return Report(
        verdict=evaluation.verdict,
        project=(root.name if root is not None else "") or "(unnamed project)",
        version=root.version if root is not None else None,
        lockfile=graph.lockfile.path,
        workspace=graph.workspace,
        packages=len(graph.packages) - 1,
        profile=profile,
        engine=engine,
        baseline=baseline,
        signers=signers,
        trust_root=trust_root,
        denials=entries("deny"),
        warnings=entries("warn"),
        notes=entries("note"),
        waived=entries("waived"),
        unknown=tuple(
            finding
            for finding in evaluation.findings
            if finding.rule == UNKNOWN_RULE
            or (finding.rule == INPUT_RULE and finding.unknown and finding.package is None)
        ),
        evaluation=evaluation,
        evidence=evidence,
        decision=decision,
        ran=ran,
        kept=kept,
        detail=detail,
    )


def catalogue(data: bytes) -> dict[str, Rule]:
    """Return rule id → its texts, from the catalogue that is generated from the rules' METADATA."""
    import orjson

    return {
        id_: Rule(**{key: " ".join(about[key].split()) for key in ("title", "description", "why", "fix")})
        for id_, about in orjson.loads(data).items()
    }


def chain(path: Sequence[str], most: int = 12) -> tuple[str, ...]:
    """Return a path of at most `most` names: of a longer one the middle is left out."""
    half = most // 2
    return tuple(path) if len(path) <= most else (*path[:half], "…", *path[-half:])


def _weight(findings: Sequence[PolicyFinding]) -> int:
    """More different rules against one package come first."""
    return len({finding.rule for finding in findings})


def _entry(
    name: str,
    version: str,
    findings: Sequence[PolicyFinding],
    by_id: Mapping[str, Package],
    sbom: Sbom,
    paths: Mapping[str, tuple[str, ...]],
    baseline_versions: Mapping[str, frozenset[str]],
) -> Entry:
    # Copies of one package repeat the same sentence: say it once.
    unique = {(f.rule, f.code, f.message): f for f in findings}
    ids = [f.package for f in findings if f.package is not None and f.package in by_id]
    scripted = [by_id[f.package] for f in findings if f.package is not None and f.rule == SCRIPT_RULE]
    path = min((paths[i] for i in ids if i in paths), key=lambda p: (len(p), p), default=())
    was = None
    if name and version not in (known := baseline_versions.get(name, frozenset())):
        was = ", ".join(sorted(known)) or None
    return Entry(
        name=name,
        version=version,
        was=was,
        path=path,
        findings=tuple(sorted(unique.values(), key=lambda f: (f.rule, f.code, f.message))),
        scripts=_scripts(scripted, sbom),
    )


def _scripts(packages: Sequence[Package], sbom: Sbom) -> tuple[Script, ...]:
    """Return the scripts of these packages, each once."""
    found: dict[tuple[str, str], Script] = {}
    for package in packages:
        facts = sbom.facts.get(package.id)
        if facts is not None and facts.scripts.digest is not None and package.integrity and package.version:
            found[package.integrity, facts.scripts.digest] = Script(
                name=package.name,
                version=package.version,
                integrity=package.integrity,
                digest=facts.scripts.digest,
                scripts=facts.scripts.scripts,
            )
    return tuple(found[key] for key in sorted(found))
