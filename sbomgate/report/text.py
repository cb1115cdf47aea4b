"""The decision for a person at a terminal: short, by what to do, honest about what is not known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sbomgate.model import Verdict
from sbomgate.report import Entry, Report
from sbomgate.report.escape import plain

MAX_ENTRIES = 25  # packages shown per section without --verbose: a wall of text is read by nobody
MAX_CHAIN = 5  # names from the root to a package


def render(report: Report, *, verbose: bool = False) -> str:
    """Return the report as lines of text, without colour, ending in a newline."""
    return "\n".join(_lines(report, verbose=verbose)) + "\n"


def _lines(report: Report, *, verbose: bool) -> Iterator[str]:
    title = " ".join(filter(None, (plain(report.project, 80), plain(report.version or "", 40))))
    head = (
        f"{report.verdict.value.upper():<9}{title} · {plain(report.lockfile)} · {_count(report.packages, 'package')} · "
        f"profile {report.profile} · {report.engine}"
    )
    yield head
    for entry in report.denials if verbose else report.denials[:MAX_ENTRIES]:
        yield ""
        yield from _entry(entry)
    if not verbose and len(report.denials) > MAX_ENTRIES:
        yield ""
        yield f"  … and {_count(len(report.denials) - MAX_ENTRIES, 'more package')} denied: --verbose shows all"
    if verbose:
        for name, section in (("Warnings", report.warnings), ("Waived", report.waived), ("Notes", report.notes)):
            if section:
                yield ""
                yield f"  {name}"
                for entry in section:
                    yield ""
                    yield from _entry(entry, indent="    ")
    yield ""
    if fixes := _fixes(report.denials):
        yield f"  Next: {fixes[0]}"
        yield from (f"        {fix}" for fix in fixes[1:])
    if report.unknown:
        counts = ", ".join(f"{plain(code)} {count}" for code, count in report.unknown.items())
        yield f"  Not known: {counts}"
    yield f"  Compared with: {plain(report.baseline)}"
    if report.signers == 0:
        yield "  Trusted: nobody. Without --trust FILE no signer, baseline or recorded fact is accepted"
    if tail := _tail(report, verbose=verbose):
        yield f"  {tail}"
    if report.evidence is not None:
        yield f"  Evidence: {plain(report.evidence)}"
        yield f"  Decision: sha256:{report.decision}"


def _entry(entry: Entry, indent: str = "  ") -> Iterator[str]:
    if not entry.name:
        title = "the project as a whole"
    elif entry.was is not None:
        title = f"{plain(entry.name)} {plain(entry.was)} → {plain(entry.version)}"
    else:
        title = f"{plain(entry.name)} {plain(entry.version)}"
    yield f"{indent}{title:<52} {_chain(entry.path) if entry.name else ''}".rstrip()
    for finding in entry.findings:
        yield f"{indent}  {finding.rule:<18}{plain(finding.message)}"


def _chain(path: Sequence[str]) -> str:
    """Return who brings it in, the middle of a long chain left out."""
    shown = [plain(name, 60) for name in path]
    return " › ".join(shown if len(shown) <= MAX_CHAIN else [*shown[:2], "…", *shown[-2:]])


def _fixes(entries: Sequence[Entry]) -> list[str]:
    """Return what to do: for each package the shortest of its fixes, the worst package first, at most five."""
    each = (
        min((f.fix for f in entry.findings if f.fix), key=lambda fix: (len(fix), fix), default="") for entry in entries
    )
    return list(dict.fromkeys(plain(fix) for fix in each if fix))[:5]


def _tail(report: Report, *, verbose: bool) -> str:
    parts = []
    if report.warnings:
        total = sum(len(entry.findings) for entry in report.warnings)
        parts.append(_count(total, "warning"))
    if report.waived:
        parts.append(_count(sum(len(entry.findings) for entry in report.waived), "waived finding"))
    if report.notes:
        parts.append(_count(sum(len(entry.findings) for entry in report.notes), "note"))
    if not parts:
        return ""
    more = "" if verbose else ": --verbose"
    allowed = " (observe never denies)" if report.profile == "observe" and report.verdict is Verdict.ALLOWED else ""
    return ", ".join(parts) + more + allowed


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
