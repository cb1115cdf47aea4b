"""The decision for a person at a terminal: short, by what to do, honest about what is not known.

At most a screenful without `--verbose`: what many packages share is said once, with their number; warnings are counted
by their code. With `--verbose` nothing is left out, each finding says what to do about it, and whoever has read an
install script finds what to put into the trust file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sbomgate.model import PolicyFinding, Verdict
from sbomgate.report import Entry, Report, Script
from sbomgate.report.escape import plain

WAITS = "waiver-waits"  # the policy's code for a waiver or approval that another person must sign as well
MAX_WAITING = 3  # of these, shown without --verbose
MAX_ENTRIES = 10  # packages shown without --verbose: a wall of text is read by nobody
MAX_SHARED = 4  # packages with the same code before they are said as one
MAX_NAMED = 6  # packages named where many share a finding
MAX_FIXES = 5
MAX_CHAIN = 5  # names from the root to a package
WIDTH = 120  # columns: longer lines are broken, and what follows is indented
_RULE_COLUMN = 18

# What may stand in a trust file's quotes as it is; anything else is not offered to be copied.
_QUOTABLE = re.compile(r"[A-Za-z0-9@/._~+=-]{1,400}")


def render(report: Report, *, verbose: bool = False, stored: bool = False) -> str:
    """Return the report as lines of text, without colour, ending in a newline.

    `stored` is for a decision that somebody else made: it says first what that is worth.
    """
    return "\n".join(_lines(report, verbose=verbose, stored=stored)) + "\n"


def _lines(report: Report, *, verbose: bool, stored: bool) -> Iterator[str]:
    if stored:
        standing = report.whole.standing
        yield from _wrapped("VERIFIED  " if standing.verified else "NOT VERIFIED  ", plain(standing.said))
        for reason in standing.reasons:
            yield from _wrapped("  Refused: ", plain(reason))
    title = " ".join(filter(None, (plain(report.project, 80), plain(report.version or "", 40))))
    place = report.lockfile if report.workspace is None else f"{report.lockfile} · workspace {report.workspace}"
    yield (
        f"{report.verdict.value.upper():<9}{title} · {plain(place)} · {_count(report.packages, 'package')} · "
        f"profile {report.profile} · {report.engine}"
    )
    yield from _section(report.denials, verbose=verbose)
    if verbose:
        for name, section in (("Warnings", report.warnings), ("Waived", report.waived), ("Notes", report.notes)):
            if section:
                yield ""
                yield f"  {name}"
                yield from _section(section, verbose=True)
        yield from _approvals([s for entry in (*report.denials, *report.warnings) for s in entry.scripts])
    yield ""
    yield from _facts(report, verbose=verbose)


def _facts(report: Report, *, verbose: bool) -> Iterator[str]:
    """Yield what follows the findings: what to do, and what the decision rests on."""
    if report.denials and report.verdict is Verdict.ALLOWED:
        yield f"  Observed only: the profile {report.profile} never denies, and `verify` accepts nothing of it"
    fixes, more = _fixes(report.denials)
    for number, fix in enumerate(fixes):
        yield from _wrapped("  Next: " if number == 0 else "        ", fix)
    if more and not verbose:  # verbose: each stands below its finding
        yield f"        and {more} more: --verbose, or --json, has the fix of each finding"
    if report.denials and not verbose:  # verbose: among the notes
        for said in _waiting(report.notes):
            yield from _wrapped("  Waits: ", said)
    if report.unknown:
        yield from _wrapped("  Not known: ", "; ".join(_short(f.message) for f in report.unknown))
    if report.kept is not None:
        about = _count(report.kept.packages, "package")
        yield f"  From the cache: the registry's word on {about}, the oldest of {report.kept.oldest:%Y-%m-%d %H:%M} UTC"
    yield from _wrapped("  Compared with: ", plain(report.baseline))
    if report.signers == 0:
        yield "  Trusted: nobody. Without --trust FILE no signer, baseline or recorded fact is accepted"
    if verbose:
        updated = report.trust_root.updated
        since = "nobody says how old" if updated is None else f"known to be the newest on {updated:%Y-%m-%d}"
        yield f"  Trust root: sha256:{report.trust_root.trusted_root[:12]}…, {since}"
    yield from _wrapped("  ", _tail(report, verbose=verbose))
    if report.evidence is not None:
        yield f"  Evidence: {plain(report.evidence)}"
        yield f"  Decision: sha256:{report.decision}"


def _waiting(notes: Sequence[Entry]) -> list[str]:
    """Return what was approved already and is not enough yet: without it, whoever approved asks why it still denies."""
    said = [finding.message for entry in notes for finding in entry.findings if finding.code == WAITS]
    return said if len(said) <= MAX_WAITING else [*said[:MAX_WAITING], f"{len(said) - MAX_WAITING} more: --verbose"]


def _section(entries: Sequence[Entry], *, verbose: bool) -> Iterator[str]:
    """Yield what many packages share as one, then package by package, the worst first."""

    def kind(finding: PolicyFinding) -> tuple[str, str, str]:
        return finding.rule, finding.code, finding.message if verbose else ""  # verbose: no sentence is left out

    holders: dict[tuple[str, str, str], list[tuple[Entry, PolicyFinding]]] = {}
    for entry in entries:
        for finding in entry.findings:
            if entry.name:
                holders.setdefault(kind(finding), []).append((entry, finding))
    shared = {of: found for of, found in holders.items() if len(found) > MAX_SHARED}
    left = ((entry, [f for f in entry.findings if not entry.name or kind(f) not in shared]) for entry in entries)
    alone = [(entry, findings) for entry, findings in left if findings]
    shown = alone if verbose else alone[:MAX_ENTRIES]
    for entry, findings in shown:
        yield ""
        yield from _title(entry)
        for finding in findings:
            yield from _wrapped(f"    {finding.rule:<{_RULE_COLUMN}}", plain(finding.message))
            if verbose:
                yield from _to_do([finding.fix])
    if len(shown) < len(alone):
        yield ""
        yield f"  … and {_count(len(alone) - len(shown), 'more package')}: --verbose shows all"
    for (rule, code, _), found in sorted(shared.items(), key=lambda item: (-len(item[1]), item[0])):
        names = list(dict.fromkeys(_named(entry) for entry, _ in found))
        yield ""
        yield f"  {_count(len(names), 'package')}: {code}"
        yield from _wrapped(f"    {rule:<{_RULE_COLUMN}}", plain(_alike([f.message for _, f in found])))
        listed = names if verbose else names[:MAX_NAMED]
        rest = "" if len(listed) == len(names) else f" and {len(names) - len(listed)} more"
        yield from _wrapped(f"    {'':<{_RULE_COLUMN}}", ", ".join(listed) + rest)
        if verbose:
            yield from _to_do([f.fix for _, f in found])


def _alike(texts: Sequence[str]) -> str:
    """Return what all of them say, or the first of them where they differ by the package that they name."""
    return texts[0] if len(set(texts)) == 1 else f"{texts[0]}; and the like"


def _to_do(fixes: Sequence[str]) -> Iterator[str]:
    yield from _wrapped(f"    {'':<{_RULE_COLUMN}}→ ", plain(_alike([fix for fix in fixes if fix] or [""])))


def _title(entry: Entry) -> Iterator[str]:
    title = f"  {_named(entry):<52} {_chain(entry.path) if entry.name else ''}".rstrip()
    if len(title) <= WIDTH:
        yield title
    else:
        yield f"  {_named(entry)}"
        yield f"    {_chain(entry.path)}"


def _named(entry: Entry) -> str:
    if not entry.name:
        return "the project as a whole"
    was = "" if entry.was is None else f"{plain(entry.was, 80)} → "
    return f"{plain(entry.name, 214)} {was}{plain(entry.version, 80)}".rstrip()


def _chain(path: Sequence[str]) -> str:
    """Return who brings it in, the middle of a long chain left out."""
    shown = [plain(name, 60) for name in path]
    return " › ".join(shown if len(shown) <= MAX_CHAIN else [*shown[:2], "…", *shown[-2:]])


def _fixes(entries: Sequence[Entry]) -> tuple[list[str], int]:
    """Return what to do, the worst package first, and how many are left.

    The shortest of its fixes puts a package right; what is about the project as a whole is put right one by one.
    """
    each: list[str] = []
    for entry in entries:
        found = sorted({f.fix for f in entry.findings if f.fix}, key=lambda fix: (len(fix), fix))
        each += found[:1] if entry.name else found
    fixes = list(dict.fromkeys(plain(fix) for fix in each))
    return fixes[:MAX_FIXES], max(0, len(fixes) - MAX_FIXES)


def _short(message: str) -> str:
    """Return what is not known, without the names of the packages: `publish time of 3 of 412 packages`."""
    return plain(message.removeprefix("not known: ").partition(" (")[0])


def _tail(report: Report, *, verbose: bool) -> str:
    parts = []
    counted: dict[str, int] = {}
    for entry in report.warnings:
        for finding in entry.findings:
            if finding not in report.unknown:
                counted[finding.code] = counted.get(finding.code, 0) + 1
    if counted:
        most = sorted(counted.items(), key=lambda one: (-one[1], one[0]))
        codes = ", ".join(f"{number} {plain(code)}" for code, number in most)
        parts.append(f"{_count(sum(counted.values()), 'warning')} ({codes})")
    if report.waived:
        parts.append(_count(sum(len(entry.findings) for entry in report.waived), "waived finding"))
    if report.notes:
        parts.append(_count(sum(len(entry.findings) for entry in report.notes), "note"))
    if not parts:
        return ""
    more = "" if verbose else ": --verbose"
    return ", ".join(parts) + more


def _approvals(scripts: Sequence[Script]) -> Iterator[str]:
    """Yield what approves these scripts, to be copied into the trust file by whoever has read them."""
    offered = [s for s in scripts if all(_QUOTABLE.fullmatch(t) for t in (s.name, s.version, s.integrity, s.digest))]
    if not offered:
        return
    yield ""
    yield "  Whoever has read one of these scripts approves it in the trust file:"
    for script in offered:
        yield ""
        for name, text in sorted(script.scripts.items()):
            yield f"    # {plain(name, 40)}: {plain(text)}"
        yield "    [[approved_scripts]]"
        for key in ("name", "version", "integrity", "digest"):
            yield f'    {key} = "{getattr(script, key)}"'
        yield '    reason = "read by …"'


def _wrapped(first: str, text: str) -> Iterator[str]:
    """Yield `first` and `text`, broken at blanks, what follows indented as far as `first`."""
    if not text:
        return
    room, line = WIDTH - len(first), ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > room:
            yield f"{first}{line}".rstrip()
            first, line = " " * len(first), word
        else:
            line = f"{line} {word}" if line else word
    yield f"{first}{line}".rstrip()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
