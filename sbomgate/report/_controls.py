"""What the evidence of a decision supports, requirement by requirement. Evidence, not certification.

Each answer is a count of the decision's own facts, with the digest of the file that it was counted from; which counts
answer which requirement stands in `controls.toml`. What nobody verified is never "supported".
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sbomgate.model import Level, Waiver
from sbomgate.report import Report
from sbomgate.report._coverage import SIGNATURE, UNKNOWN, coverage

NOTICE = "This is evidence, not certification: it says what was counted, and leaves the conclusion to an assessor."
DATA = "controls.toml"
RULE = "rule:"


class Support(StrEnum):
    """How far the evidence goes."""

    SUPPORTED = "supported"
    PARTLY = "partly supported"
    NOT = "not supported"
    OUTSIDE = "not answered by this evidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """One count: how far it supports, one sentence, and the names of the files that it was counted from."""

    support: Support
    said: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A requirement as `controls.toml` has it."""

    id: str
    asks: str
    evidence: tuple[str, ...]
    rest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Framework:
    """A document; `profile` names the conformance profile whose fields stand for its requirements, or is ""."""

    id: str
    title: str
    requirements: tuple[Requirement, ...]
    profile: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of a conformance profile, as `sbomgate.conform` counted it in the SBOM."""

    id: str
    title: str
    level: str
    applicable: int
    present: int
    unknown: int
    withheld: int
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A conformance profile: its title, its fields, and what no SBOM of ours ever says."""

    title: str
    fields: tuple[Field, ...]
    never: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the evidence says to one requirement."""

    id: str
    asks: str
    support: Support
    said: tuple[str, ...]
    files: tuple[str, ...]
    rest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """The answers to one document, in its order."""

    id: str
    title: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """The whole report: `digests` has the SHA-256 of every file that an answer names."""

    report: Report
    chapters: tuple[Chapter, ...]
    digests: Mapping[str, str]


def load(data: bytes) -> tuple[Framework, ...]:
    """Return the frameworks of `controls.toml`.

    Raises:
        ValueError: not what this file has to be.
    """
    found = []
    for one in tomllib.loads(data.decode())["framework"]:
        if unknown := set(one) - {"id", "title", "profile", "requirement"}:
            raise ValueError(f"{one['id']}: {sorted(unknown)}")
        requirements = tuple(
            Requirement(id=r["id"], asks=r["asks"], evidence=tuple(r["evidence"]), rest=r["rest"])
            for r in one.get("requirement", ())
        )
        for r in requirements:
            if unknown := {key for key in r.evidence if key not in _WITNESSES and not key.startswith(RULE)}:
                raise ValueError(f"{one['id']} {r.id}: {sorted(unknown)}")
        profile = one.get("profile", "")
        found.append(Framework(id=one["id"], title=one["title"], requirements=requirements, profile=profile))
    return tuple(found)


def controls(report: Report, frameworks: Sequence[Framework], profiles: Mapping[str, Profile]) -> Controls:
    """Answer every requirement from one decision.

    Args:
        report: with its detail.
        frameworks: of `load`.
        profiles: name → conformance of the decision's SBOM, for frameworks that are profiles.
    """
    seen: dict[str, Witness] = {}

    def witness(key: str) -> Witness:
        if key not in seen:
            seen[key] = _rule(report, key.removeprefix(RULE)) if key.startswith(RULE) else _WITNESSES[key](report)
        return seen[key]

    chapters = [
        _chapter_of_profile(one, profiles[one.profile], report)
        if one.profile
        else Chapter(id=one.id, title=one.title, answers=tuple(_answer(r, witness, report) for r in one.requirements))
        for one in frameworks
    ]
    return Controls(report=report, chapters=tuple(chapters), digests=_digests(report))


def _digests(report: Report) -> Mapping[str, str]:
    digests = dict(report.whole.digests)
    if report.decision is not None:
        digests["decision"] = report.decision
    return dict(sorted(digests.items()))


def _answer(requirement: Requirement, witness: Callable[[str], Witness], report: Report) -> Answer:
    found = [witness(key) for key in requirement.evidence]
    return Answer(
        id=requirement.id,
        asks=requirement.asks,
        support=_capped(_together([one.support for one in found]), report),
        said=tuple(one.said for one in found),
        files=tuple(sorted({name for one in found for name in one.files} & _digests(report).keys())),
        rest=requirement.rest,
    )


def _together(found: Sequence[Support]) -> Support:
    if not found:
        return Support.OUTSIDE
    if all(one is Support.SUPPORTED for one in found):
        return Support.SUPPORTED
    return Support.NOT if all(one is Support.NOT for one in found) else Support.PARTLY


def _capped(support: Support, report: Report) -> Support:
    """Nothing that nobody verified is more than partly supported."""
    return Support.PARTLY if support is Support.SUPPORTED and not report.whole.standing.verified else support


def _chapter_of_profile(framework: Framework, profile: Profile, report: Report) -> Chapter:
    answers = [
        Answer(
            id=field.id,
            asks=f"{field.title} ({field.level})",
            support=_capped(_field(field), report),
            said=(
                f"present in {field.present:,} of {field.applicable:,}, unknown in {field.unknown:,}, "
                f"withheld in {field.withheld:,}"
                if field.applicable
                else "asked of nothing in this SBOM",
            ),
            files=("sbom.cdx.json",),
            rest=field.note,
        )
        for field in profile.fields
    ]
    answers += [
        Answer(id="never known", asks=said, support=Support.OUTSIDE, said=(), files=(), rest="")
        for said in profile.never
    ]
    return Chapter(id=framework.id, title=profile.title, answers=tuple(answers))


def _field(field: Field) -> Support:
    if field.present == field.applicable:
        return Support.SUPPORTED
    return Support.PARTLY if field.present else Support.NOT


# --------------------------------------------------------------------------------------------------------------------
# What is counted


def _part(number: int, of: int) -> Support:
    if of and number == of:
        return Support.SUPPORTED
    return Support.PARTLY if number else Support.NOT


def _inventory(report: Report) -> Witness:
    edges = len(report.whole.sbom.graph.edges)
    return Witness(
        support=Support.SUPPORTED if report.packages else Support.NOT,
        said=f"a CycloneDX SBOM of {report.packages:,} packages and {edges:,} dependencies, direct and transitive",
        files=("sbom.cdx.json",),
    )


def _integrity(report: Report) -> Witness:
    counted = coverage(report.whole.sbom, report.whole.context.evaluated_at)
    return Witness(
        support=_part(counted.bound, counted.packages),
        said=f"{counted.bound:,} of {counted.packages:,} packages are bound to their bytes by a sha512 in the lockfile",
        files=("sbom.cdx.json",),
    )


def _provenance(report: Report) -> Witness:
    counted = coverage(report.whole.sbom, report.whole.context.evaluated_at)
    states = ", ".join(f"{name}: {number:,}" for name, number in counted.provenance.items())
    return Witness(
        support=_part(counted.verified, counted.packages),
        said=f"provenance of {counted.packages:,} packages: {states}",
        files=("facts.json", "sbom.cdx.json", "trust/trusted_root.json"),
    )


def _signatures(report: Report) -> Witness:
    counted = coverage(report.whole.sbom, report.whole.context.evaluated_at)
    states = ", ".join(f"{name}: {number:,}" for name, number in counted.signatures.items())
    return Witness(
        support=_part(counted.signatures.get(next(iter(SIGNATURE.values())), 0), counted.packages),
        said=f"the registry's signature of {counted.packages:,} packages: {states}",
        files=("sbom.cdx.json", "trust/registry_keys.json"),
    )


def _known(what: str, counted: Mapping[str, int], packages: int) -> Witness:
    known = packages - counted.get(UNKNOWN, 0)
    return Witness(
        support=_part(known, packages), said=f"{what} of {known:,} of {packages:,} packages", files=("sbom.cdx.json",)
    )


def _scripts(report: Report) -> Witness:
    counted = coverage(report.whole.sbom, report.whole.context.evaluated_at)
    return _known("the install scripts", counted.scripts, counted.packages)


def _ages(report: Report) -> Witness:
    counted = coverage(report.whole.sbom, report.whole.context.evaluated_at)
    return _known("the publish time", counted.ages, counted.packages)


def _lists(report: Report) -> Witness:
    names = tuple(sorted(name for name in report.whole.digests if name.startswith("lists/")))
    ran = "known_malicious" in report.evaluation.rules
    hits = sum(f.rule == "known_malicious" for f in report.evaluation.findings)
    entries = sum(report.whole.lists.values())
    if not (entries and ran):
        said = (
            "every list of malicious packages was empty" if names else "no list of malicious packages was compared with"
        )
        return Witness(support=Support.NOT, said=said, files=names)
    said = (
        f"every package was compared with {_count(entries, 'entry', 'entries')} of {_count(len(names), 'list')} of "
        f"malicious packages: {_count(hits, 'finding')}"
    )
    return Witness(support=Support.SUPPORTED, said=said, files=names)


def _rule(report: Report, rule: str) -> Witness:
    if rule not in report.evaluation.rules:
        return Witness(support=Support.NOT, said=f"the rule {rule} did not run", files=())
    mine = [f for f in report.evaluation.findings if f.rule == rule]
    denied = sum(f.level is Level.DENY and not f.waived for f in mine)
    unknown = sum(f.unknown for f in mine)
    waived = sum(f.waived for f in mine)
    said = f"the rule {rule} judged {report.packages:,} packages: {_count(denied, 'denial')}, {waived:,} waived"
    if unknown:
        said += f", {unknown:,} times not known"
    support = Support.PARTLY if unknown or (denied and report.profile == "observe") else Support.SUPPORTED
    return Witness(support=support, said=said, files=("evaluation.json", "policy"))


def _change(report: Report) -> Witness:
    change = report.whole.change
    if change is None or change.compared is None:
        return Witness(
            support=Support.NOT,
            said=f"not compared with an approved build: {report.baseline}",
            files=("evaluation.json",),
        )
    approved = [one for one in report.whole.people.signed if not isinstance(one.said, Waiver)]
    used = {id_ for ids in report.evaluation.waived_by.values() for id_ in ids}
    counting = [one for one in approved if one.id in used]
    changed = len(change.differing) + len(change.edges) + len(change.removed)
    said = f"compared with {report.baseline}: {_count(changed, 'difference')}"
    if not changed:
        return Witness(support=Support.SUPPORTED, said=said, files=("baseline.cdx.json", "sbom.cdx.json"))
    names = ", ".join(sorted({one.by for one in counting})) or "nobody"
    return Witness(
        support=Support.SUPPORTED if counting else Support.PARTLY,
        said=f"{said}; approved by {names}",
        files=("baseline.cdx.json", "sbom.cdx.json"),
    )


def _people(report: Report) -> Witness:
    people = report.whole.people
    used = {id_ for ids in report.evaluation.waived_by.values() for id_ in ids}
    counting = [one for one in people.signed if one.id in used]
    files = tuple(sorted(name for name in report.whole.digests if name.startswith("approvals/")))
    if not counting:
        return Witness(
            support=Support.SUPPORTED,
            said="the verdict rests on nobody's waiver or approval",
            files=("evaluation.json",),
        )
    authors = (
        f"the change's authors are known: {', '.join(people.authors.people)}"
        if people.authors.known
        else f"the change's author is not known: {people.authors.reason}"
    )
    number = _count(len(counting), "signed waiver or approval", "signed waivers and approvals")
    said = f"{number}, each with a reason and an end; {authors}"
    return Witness(support=Support.SUPPORTED if people.authors.known else Support.PARTLY, said=said, files=files)


def _decision(report: Report) -> Witness:
    standing = report.whole.standing
    if report.decision is None:
        return Witness(support=Support.NOT, said="nothing was signed", files=())
    return Witness(
        support=Support.SUPPORTED if standing.verified else Support.NOT,
        said=f"the decision: {standing.said}",
        files=("decision",),
    )


def _record(report: Report) -> Witness:
    if report.decision is None:
        return Witness(support=Support.NOT, said="nothing was stored", files=())
    return Witness(
        support=Support.SUPPORTED,
        said=f"{_count(len(report.whole.digests), 'file')} by digest: `sbomgate replay` decides again from them",
        files=("decision", "facts.json", "policy", "policy-input.json", "sbom.cdx.json"),
    )


_WITNESSES: Mapping[str, Callable[[Report], Witness]] = {
    "inventory": _inventory,
    "integrity": _integrity,
    "provenance": _provenance,
    "signatures": _signatures,
    "scripts": _scripts,
    "ages": _ages,
    "lists": _lists,
    "change": _change,
    "people": _people,
    "decision": _decision,
    "record": _record,
}


def _count(number: int, noun: str, several: str = "") -> str:
    return f"{number:,} {noun if number == 1 else several or f'{noun}s'}"
