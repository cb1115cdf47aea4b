"""The gate as its attackers meet it: each row changes one thing and runs the real command line, engine and policy.

Everything is offline and under the profile `default` on a first run, which is the gentlest decision that there is,
unless a row says otherwise: what must not pass there must not pass anywhere.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sbomgate.model import Absence, Missing
from testkit.bench import Bench, Change, entry, known

GOOD = "node_modules/good"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def lock(**changes: Any) -> Change:
    """The one entry, spoiled."""
    return lambda bench: bench.write({"good": "1.0.0"}, {GOOD: {**entry("good"), **changes}})


def only(**entry_: Any) -> Change:
    """The one entry, replaced."""
    return lambda bench: bench.write({"good": "1.0.0"}, {GOOD: entry_})


def declares(*sections: str, **manifest: Any) -> Change:
    """A package.json that declares a dependency, and a lockfile without any."""
    return lambda bench: bench.write({}, {}, **{name: {"good": "1.0.0"} for name in sections}, **manifest)


def facts(**changes: Any) -> Change:
    """Recorded facts, spoiled."""
    return lambda bench: bench.record(known("good", **changes))


def missing(absence: Absence) -> Missing:
    return Missing(absence=absence, reason="so it was recorded")


def trusting(text: str, then: Change) -> Change:
    def change(bench: Bench) -> None:
        bench.trust(text)
        then(bench)

    return change


def first_party(bench: Bench) -> None:
    bench.write({"@acme/a": "1.0.0"}, {"node_modules/@acme/a": entry("@acme/a")})
    bench.record(known("@acme/a"))


def bundles_what_it_does_not_hold(bench: Bench) -> None:
    bench.write(
        {"good": "1.0.0"},
        {
            GOOD: entry("good", bundleDependencies=["evil"], dependencies={"evil": "1.0.0"}),
            f"{GOOD}/node_modules/evil": entry("evil", inBundle=True),
        },
    )


def another_root(bench: Bench) -> None:
    bench.write({}, {"node_modules/other": entry("other")})
    (bench.shop / "package.json").write_text('{"name":"shop","version":"1.0.0","dependencies":{"good":"1.0.0"}}')


DENIED: dict[str, tuple[Change, str]] = {
    "T02 a publish time in the future": (facts(published="2099-01-01T00:00:00Z"), "release_age/time-in-future"),
    "P10 a tarball of other bytes": (facts(tarball=missing(Absence.MISMATCH)), "bound_bytes/served-bytes-differ"),
    "T11 withdrawn": (facts(registry=missing(Absence.ABSENT)), "bound_bytes/version-withdrawn"),
    "A11 another integrity than the registry's": (
        facts(integrity=entry("evil")["integrity"]),
        "bound_bytes/registry-integrity-differs",
    ),
    "I06 scripts that the tarball has not": (
        facts(scripts={"postinstall": "node x"}),
        "install_scripts/scripts-disagree",
    ),
    "V07 advertised, and not there": (
        facts(attestations_url="https://registry.npmjs.org/x", attestations=missing(Absence.ADVERTISED_MISSING)),
        "provenance/advertised-missing",
    ),
    "dependency confusion": (trusting('first_party = ["@acme"]', first_party), "registries/first-party-elsewhere"),
    "L23 bundled, and not in the tarball": (bundles_what_it_does_not_hold, "install_scripts/scripts-disagree"),
    "L18 another root": (another_root, "lockfile_sound/root-differs"),
    "A09 another tarball": (
        lock(**{k: v for k, v in entry("evil").items() if k != "version"}),
        "bound_bytes/resolved-name-differs",
    ),
    "A10 another version": (lock(version="1.0.1"), "bound_bytes/resolved-version-differs"),
    "an empty version": (lock(version=""), "bound_bytes/version-invalid"),
    "a version of one number": (lock(version="0"), "bound_bytes/version-invalid"),
    "no version, no address": (only(), "bound_bytes/source-missing"),
    "a patch": (only(version="patch:good@1.0.0"), "bound_bytes/source-missing"),
    "S02 a git branch": (
        only(version="1.0.0", resolved="git+https://github.com/x/good.git#main"),
        "pinned/git-not-commit",
    ),
    "S01 a git commit that nobody asked for": (
        only(version="1.0.0", resolved=f"git+ssh://git@github.com/x/good.git#{'a' * 40}"),
        "bound_bytes/source-undeclared",
    ),
    "S05 a tarball that nobody asked for": (
        lock(resolved="https://evil.test/good.tgz"),
        "bound_bytes/source-undeclared",
    ),
    "L31 a link outside": (only(resolved="../good", link=True), "exotic_sources/link-outside"),
    "a link to nowhere": (only(resolved="vendor/good", link=True), "pinned/lock-drift"),
}


@pytest.mark.parametrize("case", DENIED)
def test_denied_on_the_first_day(bench: Bench, case: str) -> None:
    change, code = DENIED[case]
    change(bench)
    said = bench.check()
    assert (said.code, said.err) == (1, "")
    assert code in said.denials()


NO_DECISION: dict[str, Change] = {
    f"P3 {section} and an empty lockfile": declares(section)
    for section in ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")
}


@pytest.mark.parametrize("case", NO_DECISION)
def test_no_decision(bench: Bench, case: str) -> None:
    NO_DECISION[case](bench)
    said = bench.check()
    assert (said.code, said.out) == (2, "")


ALLOWED: dict[str, Change] = {
    "nothing is wrong": lambda bench: None,
    "no dependency at all": lambda bench: bench.write({}, {}),
    "an optional peer that is not installed": declares(
        "peerDependencies", peerDependenciesMeta={"good": {"optional": True}}
    ),
    "C09 a first-party scope with its registry": trusting(
        'first_party = ["@acme"]\n[[registries]]\nurl = "https://registry.npmjs.org/"\nscope = "@acme"', first_party
    ),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_allowed(bench: Bench, case: str) -> None:
    ALLOWED[case](bench)
    said = bench.check()
    assert (said.code, said.err) == (0, ""), said.out


UNKNOWN: dict[str, Change] = {
    "P14 signed by a signer without the role facts": lambda bench: bench.record(known("good"), key=bench.key),
    "P14 a word that was given tomorrow": facts(asked_at=datetime(2099, 1, 1, tzinfo=UTC)),
    "P14 a file that lists nothing": lambda bench: bench.record(),
    "P14 a file about other bytes": facts(key=known("evil").key),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_facts_that_nobody_may_state_are_unknown_and_deny_in_strict(bench: Bench, case: str) -> None:
    """P14: what is not signed, not about these bytes or not yet said is unknown, with its count, and never fine."""
    UNKNOWN[case](bench)
    counted = {f"complete_evidence/{code}" for code in ("publish-time", "first-release", "signature", "provenance")}
    assert counted <= bench.check().warnings()
    assert counted <= bench.check("--profile", "strict").denials()
