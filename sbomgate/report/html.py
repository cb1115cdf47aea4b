"""The decision as one HTML file: a page for whoever answers for it, then one for engineers, one for auditors.

Nothing is fetched, nothing has to be run to read it, and no number stands there without the digest that it comes from.
There is no score: what is known is counted, and what is not known is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sbomgate.model import AttestationState, Claimed, Evaluation, Level, PolicyFinding, SubjectKind, Verdict, Waiver
from sbomgate.report import Entry, Report, Undecided, _drawing, chain
from sbomgate.report._coverage import PROVENANCE, SCRIPTS, SIGNATURE, UNKNOWN, Coverage, coverage
from sbomgate.report._markup import Content, Html, tag
from sbomgate.report._page import day, document, facts, table
from sbomgate.times import format_time

WHY = 5
"""Packages that the verdict itself names."""

FOLD = 30
"""Packages of one kind that are shown open; those after them are folded."""

MAX_CARDS = 5_000
"""Packages that one page shows: a browser still scrolls it. More are counted, and stand in the other formats."""

PRINTED = 500
"""Packages of one kind that are printed: laying 5,000 out on paper takes a browser more than a minute."""

MAX_ROWS = 1_000
"""Rows of one table."""

_SECTIONS = (
    ("deny", "Denied"),
    ("warn", "Warnings"),
    ("waived", "Waived"),
    ("note", "Notes"),
)


def render(reports: Sequence[Report], undecided: Sequence[Undecided] = ()) -> str:
    """Return one page with all decisions, ending in a newline."""
    many = len(reports) + len(undecided) > 1
    title = "sbomgate" if not reports else _name(reports[0])
    if many:
        title = f"{len(reports) + len(undecided)} decisions"
    parts: list[Content] = []
    if many or undecided:
        parts += [tag("p", "sbomgate", class_="soft"), tag("h1", title), *_contents(reports, undecided)]
    for number, report in enumerate(reports, 1):
        parts.append(tag("article", list(_article(report, f"r{number}-", only=not many)), id=f"r{number}"))
    return document(f"{title} · sbomgate", *parts)


def _contents(reports: Sequence[Report], undecided: Sequence[Undecided]) -> Iterator[Html]:
    rows: list[tuple[Content, ...]] = []
    for number, report in enumerate(reports, 1):
        where = report.whole.context.lockfile_path
        rows.append(
            (
                tag("a", _name(report), href=f"#r{number}"),
                _badge(report),
                where if report.workspace is None else f"{where}, workspace {report.workspace}",
                f"{report.packages:,}",
            )
        )
    rows += [(one.label, tag("span", "undecided", class_="badge warn"), one.message, "") for one in undecided]
    yield table(("project", "decision", "what", "packages"), rows)
    for one in undecided:
        yield tag("p", tag("b", "No decision: "), f"{one.label}: {one.message}", class_="alarm")
        if one.hint:
            yield tag("p", one.hint, class_="soft")


def _badge(report: Report) -> Html:
    """Return the verdict as one word; what only records, or was not verified, has no colour that says yes."""
    if report.profile == "observe":
        return tag("span", "recorded", class_="badge note")
    if report.decision is not None and not report.whole.standing.verified:
        return tag("span", f"{report.verdict.value}, not verified", class_="badge warn")
    return tag("span", report.verdict.value, class_=f"badge {report.verdict.value}")


def _article(report: Report, prefix: str, *, only: bool) -> Iterator[Content]:
    counted = coverage(report.whole.sbom, report.whole.context.evaluated_at)
    yield from _first_page(report, counted, prefix, heading="h1" if only else "h2")
    yield from _engineers(report, counted, prefix)
    yield from _auditors(report, prefix)


# --------------------------------------------------------------------------------------------------------------------
# Page one: for whoever sits above or beside security


def _first_page(report: Report, counted: Coverage, prefix: str, *, heading: str) -> Iterator[Content]:
    detail, context, evaluation = report.whole, report.whole.context, report.evaluation
    if heading == "h1":
        yield tag("p", "May this build ship, given exactly what it is made of?", class_="soft")
    yield tag(heading, _name(report), class_="first" if heading == "h2" else None)
    yield _verdict(report)
    yield _standing(report)
    subject = context.subject
    yield facts(
        ("Artefact", None if subject is None else f"{subject.name} ({subject.kind.value})"),
        ("Its digest", None if subject is None else tag("code", _digest_of(report))),
        ("Decided", f"{context.evaluated_at:%Y-%m-%d %H:%M} UTC"),
        ("Ends", _ends(report)),
        ("Profile", report.profile),
        ("Lockfile", context.lockfile_path),
        ("Workspace", context.workspace),
        ("Repository", _said(context.repository)),
        ("Commit", _said(context.commit)),
        ("Environment", _said(context.environment)),
        ("Compared with", report.baseline),
    )
    lists = [(name, number) for name, number in sorted(detail.lists.items()) if f"lists/{name}" in detail.digests]
    yield tag("h2", "What is known of it", class_="first")
    yield tag("h3", "What was checked, and how much of it")

    def of(number: int, words: str, name: str) -> Html:
        return tag("li", tag("b", _number(number, name, prefix)), words)

    yield tag(
        "ul",
        of(report.packages, f"{_noun(report.packages, 'package')} in the lockfile, every one judged", "sbom.cdx.json"),
        of(len(evaluation.rules), "rules, every one ran", "policy"),
        of(
            counted.bound,
            f"of {counted.packages:,} whose content the lockfile pins by a fingerprint (sha512)",
            "sbom.cdx.json",
        ),
        of(
            counted.verified,
            f"of {counted.packages:,} whose origin is proved: source and builder (verified provenance)",
            "sbom.cdx.json",
        ),
        of(
            _known(counted.scripts, counted),
            f"of {counted.packages:,} of which we know what they run when they are installed",
            "sbom.cdx.json",
        ),
        of(
            _known(counted.ages, counted),
            f"of {counted.packages:,} of which we know when they were published",
            "sbom.cdx.json",
        ),
        *(of(number, f"entries in the list {name} of malicious packages", f"lists/{name}") for name, number in lists),
        class_="tiles",
    )
    yield tag("h3", "What is not known")
    if report.unknown:
        yield tag("ul", [tag("li", finding.message.removeprefix("not known: ")) for finding in report.unknown])
    else:
        yield tag("p", "Nothing that a rule asks for.")
    yield _counted(report, prefix, "evaluation.json")
    yield tag("h3", "What was waived, by whom, until when")
    yield from _waivers(report)
    yield tag("h3", "What changed since the last approved build")
    yield tag("p", _changes(report))
    yield _counted(report, prefix, "baseline.cdx.json", "sbom.cdx.json")


def _verdict(report: Report) -> Html:
    denied = [entry for entry in report.denials if entry.name]
    rules = sorted({finding.rule for entry in report.denials for finding in entry.findings})
    if report.profile == "observe":
        found = sum(len(entry.findings) for entry in report.denials)
        said = f"The profile observe only records: it lets no deployment pass. {found} findings would deny elsewhere."
        return tag("div", tag("b", "Recorded, not judged"), said, class_="verdict")
    if report.verdict is Verdict.ALLOWED:
        warned = sum(len(entry.findings) for entry in report.warnings)
        said = "No rule denies it." if not report.waived else "No rule denies it beyond what was waived."
        said += f" {_count(warned, 'warning')}." if warned else ""
        # A page that says yes rests on a signature that was verified, and on nothing that speaks against it.
        standing = report.whole.standing
        if report.decision is None:
            return tag("div", tag("b", "The policy allows it"), said, class_="verdict allowed")
        if not standing.verified:
            return tag("div", tag("b", "It says that it may ship, and nobody verified who says so"), class_="verdict")
        if standing.reasons:
            return tag("div", tag("b", "The policy allowed it, and this trust file refuses it"), said, class_="verdict")
        return tag("div", tag("b", "Yes, it may ship"), said, class_="verdict allowed")
    what = _count(len(denied), "package") if denied else "the project as a whole"
    said = f"{_count(len(rules), 'rule')} {'denies' if len(rules) == 1 else 'deny'} {what}:"
    why = [tag("li", tag("b", _named(entry)), f": {_titles(report, entry)}") for entry in report.denials]
    left = tag("li", f"and {_count(len(why) - WHY, 'more package')}") if len(why) > WHY else None
    return tag("div", tag("b", "No, it may not ship"), said, tag("ul", why[:WHY], left), class_="verdict denied")


def _titles(report: Report, entry: Entry) -> str:
    """Return what the rules that deny this package are about, in their own words for people."""
    known = report.whole.rules
    rules = dict.fromkeys(finding.rule for finding in entry.findings)
    return ", ".join(known[rule].title.lower() if rule in known else rule for rule in rules)


def _standing(report: Report) -> Html:
    standing = report.whole.standing
    if not standing.verified:
        reasons = [tag("li", reason) for reason in standing.reasons]
        return tag(
            "div",
            tag("b", "Not verified. "),
            standing.said,
            tag("ul", reasons) if reasons else None,
            class_="alarm",
            role="note",
        )
    if standing.reasons:
        reasons = [tag("li", reason) for reason in standing.reasons]
        said = ", and yet a deployment that asks for this trust file's terms refuses it:"
        return tag("div", tag("b", "Verified: "), standing.said, said, tag("ul", reasons), class_="alarm", role="note")
    return tag("p", tag("b", "Verified: "), standing.said, ".")


def _ends(report: Report) -> str | None:
    ends = [one.said.until for one in report.whole.people.signed if one.id in _used(report.evaluation)]
    return f"{min(ends):%Y-%m-%d %H:%M} UTC, with the first waiver or approval that it rests on" if ends else None


def _used(evaluation: Evaluation) -> set[str]:
    """Return the ids of what the verdict rests on: what waives a finding that would deny."""
    return {
        id_
        for finding in evaluation.findings
        if finding.waived and finding.level is Level.DENY
        for id_ in evaluation.waived_by.get(finding.fingerprint, ())
    }


def _waivers(report: Report) -> Iterator[Content]:
    evaluation, people = report.evaluation, report.whole.people
    covers: dict[str, int] = {}
    for ids in evaluation.waived_by.values():
        for id_ in ids:
            covers[id_] = covers.get(id_, 0) + 1
    rows: list[tuple[Content, ...]] = []
    for one in sorted(people.signed, key=lambda one: (one.said.until, one.id)):
        said = one.said
        if isinstance(said, Waiver):
            what = f"waives {said.rule} for " + (" ".join(said.package[:2]) if said.package else "one finding")
        else:
            what = f"approves a change of {_count(len(said.packages), 'package')}"
        ended = " (ended)" if said.until <= report.whole.context.evaluated_at else ""
        rows.append(
            (
                what,
                one.by,
                tag("span", day(said.until), ended),
                said.reason,
                _count(covers.get(one.id, 0), "finding") if one.id in covers else "nothing: it is not used",
                tag("code", f"sha256:{one.id[:12]}…", title=one.id),
            )
        )
    if not rows:
        yield tag("p", "Nothing: nobody signed a waiver or an approval that counts.")
    else:
        yield table(("what", "by", "until", "why", "covers", "digest"), rows[:MAX_ROWS])
    for name, reason in people.refused[:MAX_ROWS]:
        yield tag("p", f"Refused: {name}: {reason}", class_="soft")


def _changes(report: Report) -> str:
    change = report.whole.change
    if change is None or change.compared is None:
        return f"Not known: {report.baseline}."
    new = sum(not entry.was for entry in change.differing)
    parts = [
        (new, "package", "new"),
        (len(change.differing) - new, "package", "in another version"),
        (len(change.removed), "package", "removed"),
        (len(change.edges), "dependency", "new between packages that were there"),
    ]
    said = [f"{_count(number, noun)} {word}" for number, noun, word in parts if number]
    return f"{', '.join(said)}." if said else "No package and no dependency."


# --------------------------------------------------------------------------------------------------------------------
# For engineers


def _engineers(report: Report, counted: Coverage, prefix: str) -> Iterator[Content]:
    detail = report.whole
    yield tag("h2", "For engineers: what to do")
    sections = dict(
        zip((key for key, _ in _SECTIONS), (report.denials, report.warnings, report.waived, report.notes), strict=True)
    )
    if not any(sections.values()):
        yield tag("p", "Nothing: no rule has anything to say.")
    else:
        yield _filter(f"{prefix}findings", [(key, title) for key, title in _SECTIONS if sections[key]])
        yield tag(
            "div",
            [_section(key, title, sections[key]) for key, title in _SECTIONS if sections[key]],
            id=f"{prefix}findings",
        )
    paths = {
        chain(entry.path): key for key in ("deny", "warn", "waived") for entry in sections[key] if len(entry.path) > 1
    }
    if paths:
        yield tag("h3", "Which way it comes in")
        shown = min(len(paths), _drawing.MAX_PATHS)
        said = f"One shortest path to each of {_count(shown, 'package')} that a rule has something to say about"
        more = f"; {len(paths) - shown} more are in the list above" if len(paths) > shown else ""
        yield tag("p", f"{said}{more}.", class_="soft")
        drawing = _drawing.tree(paths, title="Dependency paths from the project to the packages with findings")
        yield tag("div", drawing, class_="scroll", tabindex=0, role="region", aria_label="Dependency paths")
    yield tag("h3", "Provenance: who built the packages")
    yield _drawing.parts(
        counted.provenance, PROVENANCE[AttestationState.VERIFIED], title="Packages by state of provenance"
    )
    yield tag("h3", "The registry's signature")
    yield _drawing.parts(counted.signatures, next(iter(SIGNATURE.values())), title="Packages by state of the signature")
    yield tag("h3", "How old the releases were")
    drawing = _drawing.columns(counted.ages, title="Packages by age at the time of the decision")
    yield tag("div", drawing, class_="scroll", tabindex=0, role="region", aria_label="Ages")
    yield from _young(report)
    yield tag("h3", "What runs when it is installed")
    yield _drawing.parts(counted.scripts, SCRIPTS["none"], title="Packages by what they run when they are installed")
    yield from _scripts(report)
    if detail.change is not None and detail.change.compared is not None:
        yield tag("h3", "What changed, the most dangerous first")
        rows: list[tuple[Content, ...]] = [
            (entry.name, ", ".join(entry.was) or "new", entry.version, tag("ul", [tag("li", can) for can in entry.can]))
            for entry in detail.change.differing[:MAX_ROWS]
        ]
        rows += [(name, version, "removed", "") for name, version in detail.change.removed[:MAX_ROWS]]
        yield (
            table(("package", "was", "is", "what it can do, and where it comes from"), rows)
            if rows
            else tag("p", "Nothing.")
        )


def _filter(of: str, levels: list[tuple[str, str]]) -> Html:
    """Return a form that hides and shows what stands below; without a script it is not shown."""
    boxes = [tag("label", tag("input", type="checkbox", value=key, checked=True), f" {title}") for key, title in levels]
    return tag(
        "form",
        tag("label", "Find ", tag("input", type="search", autocomplete="off", placeholder="package, rule, word")),
        boxes,
        tag("output", aria_live="polite", class_="soft"),
        class_="filter",
        data_of=of,
        hidden=True,
    )


def _section(key: str, title: str, entries: Sequence[Entry]) -> Html:
    count = sum(len(entry.findings) for entry in entries)
    cards: list[Content] = [_card(key, title, entry) for entry in entries[:MAX_CARDS]]
    left = len(entries) - len(cards)
    folded = 0 if key == "note" else FOLD
    shown: list[Content] = [*cards[:folded]]
    if cards[folded:]:
        said = "Read them" if not folded else f"{len(cards) - folded:,} more packages"
        rest: list[Content] = [*cards[folded:PRINTED]]
        if cards[PRINTED:]:
            rest.append(tag("div", cards[PRINTED:], class_="screen"))
            more = f"… and {len(entries) - PRINTED:,} more packages, which are not printed: the other formats hold all."
            rest.append(tag("p", more, class_="paper"))
        shown.append(tag("details", tag("summary", said), rest))
    if left:
        shown.append(tag("p", f"… and {left:,} more packages, which the other formats hold.", class_="alarm screen"))
    return tag("section", tag("h3", f"{title}: {_count(count, 'finding')}"), shown)


def _card(key: str, title: str, entry: Entry) -> Html:
    fixes = sorted({f.fix for f in entry.findings if f.fix}, key=lambda fix: (len(fix), fix))
    # One fix puts a package right; what is about the project has to be put right one by one.
    each = not entry.name and len(fixes) > 1 and key in ("deny", "warn")
    todo = fixes[0] if fixes and key in ("deny", "warn") and not each else None
    return tag(
        "div",
        tag("h4", tag("span", title.removesuffix("s"), class_=f"badge {key}"), _named(entry)),
        tag("p", " › ".join(chain(entry.path)), class_="soft small mono") if len(entry.path) > 1 else None,
        tag("p", f"To do: {todo}", class_="todo") if todo else None,
        tag("ul", [_finding(f, fix=each) for f in entry.findings]),
        [
            tag("p", f"{name} runs ", tag("code", text))
            for script in entry.scripts
            for name, text in sorted(script.scripts.items())
        ],
        class_=f"card {key}",
        data_level=key,
    )


def _finding(finding: PolicyFinding, *, fix: bool) -> Html:
    unknown = tag("span", " not known", class_="badge note") if finding.unknown else None
    todo = tag("p", f"To do: {finding.fix}", class_="todo") if fix and finding.fix else None
    return tag("li", tag("code", finding.rule), ": ", finding.message, unknown, todo)


def _young(report: Report) -> Iterator[Content]:
    sbom, now = report.whole.sbom, report.whole.context.evaluated_at
    ages = sorted(
        (facts.publish.time, package.name, package.version or "", facts.publish.source)
        for package in sbom.graph.packages
        if (facts := sbom.facts.get(package.id)) is not None and facts.publish.time is not None
    )
    youngest = list(dict.fromkeys(reversed(ages)))[:10]
    if youngest:
        rows: list[tuple[Content, ...]] = [
            (
                f"{name} {version}",
                f"{published:%Y-%m-%d %H:%M} UTC",
                f"{(now - published).days:,} days",
                _SOURCES.get(source, source),
            )
            for published, name, version, source in youngest
        ]
        yield tag("details", tag("summary", "The ten youngest"), table(("package", "published", "age", "by"), rows))


_SOURCES = {
    "attestation": "the log of its publish attestation, verified",
    "registry": "the registry's unsigned word",
    "recorded": "the registry's word, from signed facts",
    "withdrawn": "its registry says that there is no such version",
}


def _scripts(report: Report) -> Iterator[Content]:
    sbom = report.whole.sbom
    refused = {f.package for f in report.evaluation.findings if f.rule == "install_scripts" and not f.waived}
    found: dict[tuple[str, str, str], tuple[Content, ...]] = {}
    for package in sbom.graph.packages:
        facts = sbom.facts.get(package.id)
        if facts is None or facts.scripts.state != "present":
            continue
        texts = [tag("div", f"{name}: ", tag("code", text)) for name, text in sorted(facts.scripts.scripts.items())]
        found[package.name, package.version or "", facts.scripts.digest or ""] = (
            f"{package.name} {package.version or ''}",
            tag("div", texts),
            "a rule has something to say" if package.id in refused else "nothing denies or warns",
            tag("code", f"{(facts.scripts.digest or 'not known')[:12]}…", title=facts.scripts.digest),
        )
    if found:
        rows = [found[key] for key in sorted(found)]
        yield table(("package", "script", "judged", "digest"), rows[:MAX_ROWS])
        if len(rows) > MAX_ROWS:
            yield tag("p", f"… and {len(rows) - MAX_ROWS:,} more.")


# --------------------------------------------------------------------------------------------------------------------
# For auditors


def _auditors(report: Report, prefix: str) -> Iterator[Content]:
    detail, context = report.whole, report.whole.context
    yield tag("h2", "For auditors: every digest, and how to verify it")
    yield facts(
        ("Decision", None if report.decision is None else tag("code", f"sha256:{report.decision}")),
        ("Evidence", _folder(report)),
        ("Standing", detail.standing.said),
        ("Engine", report.engine),
        ("Time", f"{format_time(context.evaluated_at)} ({context.time_source or 'nothing is signed'})"),
        ("Artefact and lockfile", context.link),
        ("Accepted signers", str(report.signers)),
        ("Rules that ran", ", ".join(report.evaluation.rules)),
    )
    rows: list[tuple[Content, ...]] = [
        (tag("span", name, id=f"{prefix}{name}"), tag("code", sha256))
        for name, sha256 in sorted(detail.digests.items())
    ]
    yield tag("h3", "What it was decided from")
    yield table(("file", "SHA-256"), rows, wide=False)
    yield tag("h3", "Verify it, with sbomgate and without")
    if report.decision is None:
        yield tag("p", "Nothing was signed or stored, so there is nothing to verify: `sbomgate gate` signs and stores.")
        return
    yield tag(
        "p",
        "In the store, with the trust file, the release key's public half and the artefact at hand; ",
        "for keyless signatures docs/signing.md has the cosign command.",
    )
    yield tag("pre", [part for line in _commands(report) for part in (line, Html("\n"))])
    yield tag("h3", "What the rules say")
    yield table(
        ("rule", "what it denies"),
        [
            (tag("code", id_), (rule.description if (rule := detail.rules.get(id_)) else "an organisation's own rule"))
            for id_ in report.evaluation.rules
        ],
    )


def _commands(report: Report) -> list[str]:
    subject = report.whole.context.subject
    kind = "file" if subject is None else subject.kind.value
    artefact = {"git": "git:COMMIT", "oci": "oci:IMAGE@sha256:DIGEST"}.get(kind, "file:ARTEFACT")
    about = "ARTEFACT"
    if subject is not None and subject.kind is SubjectKind.GIT:
        about = f"--digest {subject.digest['gitCommit']} --digestAlg gitCommit"
    elif subject is not None and subject.kind is SubjectKind.OCI:
        about = f"--digest {subject.digest['sha256']} --digestAlg sha256"
    return [
        f"sbomgate verify {artefact} --trust TRUST.toml --store STORE",
        f"sbomgate replay STORE/{_folder(report)}",
        f"cd STORE/{_folder(report)}/decisions/{report.decision}",
        "sha256sum decision.sigstore.json        # the decision's digest, as above",
        "jq -r '.predicate.materials[] | select(.stored) | .digest.sha256 + \"  \" + .name' decision.json "
        "| sha256sum -c",
        "cosign verify-blob-attestation --key KEY.pub --insecure-ignore-tlog --bundle decision.sigstore.json "
        f"--type https://sbomgate.dev/decision/v1 {about}",
        "opa eval -b policy.tar.gz -i policy-input.json data.sbomgate.decision.result",
    ]


# --------------------------------------------------------------------------------------------------------------------
# Words


def _name(report: Report) -> str:
    return f"{report.project} {report.version}" if report.version else report.project


def _named(entry: Entry) -> str:
    if not entry.name:
        return "The project as a whole"
    return f"{entry.name} {entry.version}" if entry.was is None else f"{entry.name} {entry.was} → {entry.version}"


def _folder(report: Report) -> str | None:
    """Return the build's folder in its store; where the store lies is nobody's business (P40)."""
    return None if report.evidence is None else "/".join(report.evidence.replace("\\", "/").split("/")[-2:])


def _digest_of(report: Report) -> str:
    subject = report.whole.context.subject
    return "" if subject is None else ", ".join(f"{name}:{value}" for name, value in sorted(subject.digest.items()))


def _said(claimed: Claimed | None) -> str | None:
    """Return a value and whose word it is."""
    return None if claimed is None else f"{claimed.value} ({claimed.source})"


def _known(counted: Mapping[str, int], of: Coverage) -> int:
    return of.packages - counted.get(UNKNOWN, 0)


def _number(number: int, name: str, prefix: str) -> Html:
    """Return a number that leads to the digest of what it was counted from."""
    return tag("a", f"{number:,}", href=f"#{prefix}{name}", title=f"counted from {name}: to its digest")


def _counted(report: Report, prefix: str, *names: str) -> Html:
    """Return from which files something was counted, each a way to its digest."""
    known = [name for name in names if name in report.whole.digests]
    links = [tag("a", name, href=f"#{prefix}{name}") for name in known]
    return tag(
        "p", "Counted from ", [(" and ", link) if i else link for i, link in enumerate(links)], class_="soft small"
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {_noun(number, noun)}"


def _noun(number: int, noun: str) -> str:
    if number == 1:
        return noun
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
