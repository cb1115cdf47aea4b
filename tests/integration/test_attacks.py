"""The gate as its attackers meet it: each row changes one thing and runs the real command line, engine and policy.

Everything is offline and under the profile `default` on a first run, which is the gentlest decision that there is,
unless a row says otherwise: what must not pass there must not pass anywhere.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from sbomgate import decision
from sbomgate.decision import Decision
from sbomgate.evidence import layout
from sbomgate.evidence.record import Record
from sbomgate.model import Absence, Missing, TarballFacts
from sbomgate.policy.engines.embedded import EmbeddedEngine
from testkit.bench import REPOSITORY, Bench, Change, Clock, entry, known, sha256

GOOD = "node_modules/good"


pytestmark = pytest.mark.usefixtures("compiled")


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


# --------------------------------------------------------------------------------------------------------------------
# The holder of the signing key, and evidence that does not follow from itself


def forge(bench: Bench, change: Callable[[dict[str, bytes], Decision], Decision]) -> Path:
    """Change the evidence of the last decision, sign all of it again, and return its folder."""
    held = layout.read(bench.decisions()[-1])
    blobs = dict(held.blobs)
    made = change(blobs, held.claimed)
    materials = tuple(decision.material(m.name, blobs[m.name], m.media_type) if m.stored else m for m in made.materials)
    made = replace(made, materials=materials, trust=sha256(blobs[decision.TRUST]))
    detail = bench.key.sign(decision.write_detail(made))
    assert held.summary_claimed is not None
    summary = decision.write_summary(made, detail, uri=held.summary_claimed.resource_uri)
    assert summary is not None
    record = Record(detail=detail, summary=bench.key.sign(summary), blobs=blobs)
    store = bench.folder / "evidence"
    return layout.folder(store, layout.write(store, record).build) / "decisions" / record.id


def edited(name: str, *path: str | int, value: object) -> Callable[[dict[str, bytes], Decision], Decision]:
    """One value of one stored JSON file is another."""

    def change(blobs: dict[str, bytes], made: Decision) -> Decision:
        document = json.loads(blobs[name])
        inner = document
        for part in path[:-1]:
            inner = inner[part]
        inner[path[-1]] = value
        blobs[name] = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
        return made

    return change


def appended(name: str, data: bytes) -> Callable[[dict[str, bytes], Decision], Decision]:
    def change(blobs: dict[str, bytes], made: Decision) -> Decision:
        blobs[name] += data
        return made

    return change


def another_lockfile(blobs: dict[str, bytes], made: Decision) -> Decision:
    materials = (replace(m, sha256="0" * 64) if m.name == "project/package-lock.json" else m for m in made.materials)
    return replace(made, materials=tuple(materials))


def no_list(blobs: dict[str, bytes], made: Decision) -> Decision:
    blobs["lists/shipped.csv"] = blobs["lists/shipped.csv"].splitlines(keepends=True)[0]
    return made


def a_second_later(blobs: dict[str, bytes], made: Decision) -> Decision:
    return replace(made, context=replace(made.context, evaluated_at=made.context.evaluated_at + timedelta(seconds=1)))


FORGED: dict[str, tuple[Callable[[dict[str, bytes], Decision], Decision], str]] = {
    "a looser parameter": (
        edited("policy-input.json", "parameters", "release_age", "minimum_age_hours", value=0),
        "parameters",
    ),
    "no parameter": (edited("policy-input.json", "parameters", value={}), "parameters"),
    "an older publish time": (
        edited("facts.json", "facts", 0, "registry", "published", value="2019-01-01T00:00:00Z"),
        "sbom, provenance verified again",
    ),
    "an evaluation that says more": (edited("evaluation.json", "unused_waivers", value=["x"]), "evaluation"),
    "another trust file": (appended("trust.toml", b"\n# another\n"), "policy input"),
    "another trust root": (appended("trust/trusted_root.json", b"\n"), "trust root"),
    "other registry keys": (appended("trust/registry_keys.json", b"\n"), "trust root"),
    "no malicious packages": (no_list, "policy input"),
    "another lockfile": (another_lockfile, "project files"),
    "another project": (lambda _, made: replace(made, project="other"), "project files"),
    "other counts": (lambda _, made: replace(made, counts=replace(made.counts, warnings=9)), "counts and rules"),
    "another time": (a_second_later, "policy input"),
}


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    bench = Bench(tmp_path_factory.mktemp("gated"))
    said = bench.gate()
    assert (said.code, said.err) == (0, "")
    return bench


def test_honest_evidence_replays(gated: Bench) -> None:
    said = gated.run("replay", str(forge(gated, lambda _, made: made)))
    assert (said.code, said.err) == (0, "")
    assert "DIFFERENT" not in said.out


@pytest.mark.parametrize("case", FORGED)
def test_replay_finds_what_does_not_follow(gated: Bench, case: str) -> None:
    """P22: signed by the accepted key, consistent by every digest, and not what follows from its inputs."""
    change, step = FORGED[case]
    said = gated.run("replay", str(forge(gated, change)))
    assert (said.code, said.err) == (1, "")
    assert f"  DIFFERENT {step}\n" in said.out


def test_another_profile_cannot_be_replayed(gated: Bench) -> None:
    """P22: a decision under `default` that calls itself `strict`."""
    said = gated.run(
        "replay", str(forge(gated, lambda _, made: replace(made, context=replace(made.context, profile="strict"))))
    )
    assert said.code == 2
    assert "profile" in said.err


# --------------------------------------------------------------------------------------------------------------------
# The policy author, and whoever writes into the tree


OWN_DECISION = """package sbomgate.decision
import rego.v1
result := {
    "schema": "sbomgate/evaluation/v1", "verdict": "allowed", "profile": input.profile, "findings": [],
    "rules": sort([rule | some rule in object.keys(data.sbomgate.rules)]), "packages": count(input.packages),
    "waived_by": {}, "unused_waivers": [],
}
"""


def test_another_policy_is_said_by_check_and_refused_by_gate(bench: Bench, repository: Path) -> None:
    """P20, W14: a bundle whose decision asks no rule allows everything; only its digest can tell."""
    shutil.copytree(repository / "policies", bench.folder / "policy")
    (bench.folder / "policy" / "decision.rego").write_text(OWN_DECISION)
    bench.record(known("good", published="2099-01-01T00:00:00Z"))
    said = bench.check("--policy", "policy")
    assert (said.code, "not the shipped policy: sha256:" in said.json["engine"]) == (0, True)
    assert "not the shipped policy" not in bench.check().json["engine"]
    refused = bench.gate("--policy", "policy")
    assert (refused.code, refused.out) == (2, "")
    assert "policy_digests" in refused.err
    assert not (bench.folder / "evidence").exists()


def test_P9_a_policy_that_never_ends_decides_nothing(
    bench: Bench, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P9, P1: exit 2 after its time of the processor; the rest of the policy would allow."""
    limits = EmbeddedEngine.__init__.__kwdefaults__
    assert limits is not None
    monkeypatch.setitem(limits, "seconds", 1.5)  # sixty in earnest
    shutil.copytree(repository / "policies", bench.folder / "policy")
    endless = "count([1 | some a in big; some b in big; some c in big; a + b == c]) >= 0"
    with (bench.folder / "policy" / "rules" / "deprecated.rego").open("a") as rule:
        rule.write(f"\nbig := numbers.range(1, 3000)\n\nfindings contains f if {{\n\t{endless}\n\tf := {{}}\n}}\n")
    said = bench.check("--policy", "policy")
    assert (said.code, said.out) == (2, "")
    assert "longer than" in said.err


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('profile = "observe"', id="P8 observe"),
        pytest.param("[rules.release_age]\nminimum_age_hours = 1", id="a lower age"),
        pytest.param("[rules.new_dependencies]\nfirst_release_days = 0", id="no first release"),
        pytest.param("[rules.release_age]\nminimum_age_hours = inf", id="no number"),
        pytest.param("[rules.release_age]\nminimum_age_hours = true", id="a boolean"),
        pytest.param("[rules.no_such_rule]\nallow = []", id="an unknown rule"),
        pytest.param('[trust]\nprofile = "default"', id="an unknown table"),
        pytest.param('policy = "mine"', id="a policy of its own"),
    ],
)
def test_the_project_cannot_loosen(bench: Bench, text: str) -> None:
    """P21"""
    (bench.shop / "sbomgate.toml").write_text(text)
    said = bench.check()
    assert (said.code, said.out) == (2, "")


def test_observe_is_not_given_where_the_trust_file_says_more(bench: Bench) -> None:
    """P8"""
    bench.trust('profile = "strict"')
    assert bench.check("--profile", "observe").code == 2
    assert bench.check("--profile", "default").code == 2


# --------------------------------------------------------------------------------------------------------------------
# The baseline


def evil(bench: Bench) -> None:
    """An update with a script, old enough for every other rule."""
    scripts = {"postinstall": "node setup.js"}
    own = known("good", "2.0.0")
    assert isinstance(own.tarball, TarballFacts)
    bench.write({"good": "2.0.0"}, {GOOD: entry("good", "2.0.0", hasInstallScript=True)})
    bench.record(known("good", "2.0.0", scripts=scripts, tarball=replace(own.tarball, scripts=scripts)))


def test_a_script_that_is_new_against_the_approved_build_denies(bench: Bench) -> None:
    """I07: the twin of the first run, where the same script warns."""
    assert bench.gate().code == 0
    evil(bench)
    assert "install_scripts/script-unapproved" in bench.check().denials()


def test_check_finds_the_baseline_of_the_trust_files_repository(bench: Bench) -> None:
    """A `check` that compares with nothing allows what `gate` will deny."""
    bench.trust(f'repository = "{REPOSITORY}"')
    assert bench.gate("--repository", REPOSITORY).code == 0
    evil(bench)
    assert "install_scripts/script-unapproved" in bench.check().denials()


def test_another_projects_build_is_no_baseline(bench: Bench) -> None:
    """T21: where the trust file names the repository, another one's build is not compared with."""
    bench.trust(f'repository = "{REPOSITORY}"')
    assert bench.gate("--repository", "https://github.com/acme/other").code == 0
    said = bench.check()
    assert (said.code, said.out) == (2, "")
    assert "about this project" in said.err


def test_a_denied_build_is_no_baseline(bench: Bench) -> None:
    """T22: what was denied yesterday is as new today."""
    assert bench.gate().code == 0
    evil(bench)
    bench.artefact.write_bytes(b"the next release")
    assert bench.gate().code == 1
    assert "install_scripts/script-unapproved" in bench.check().denials()
    assert bench.verify().code == 1


def test_a_newer_denial_of_the_same_artefact_takes_its_approval_away(bench: Bench) -> None:
    """P19: the older PASSED neither ships the artefact nor serves as a baseline."""
    assert bench.gate().code == 0
    assert bench.verify().code == 0
    evil(bench)
    assert bench.gate().code == 1
    assert bench.verify().code == 1
    assert bench.check().json["baseline"].startswith("nothing (bootstrap): none of the 2 decisions")


# --------------------------------------------------------------------------------------------------------------------
# Time travel, evidence of two builds, an older policy


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


YEAR = 366 * 24


def test_P17_a_clock_ahead_makes_nothing_older_for_whoever_deploys(bench: Bench, clock: Clock) -> None:
    """Two years ahead a release of today looks old enough; the evidence is then from the future, and is refused."""
    young = (datetime.now(UTC) - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    bench.record(known("good", published=young))
    assert "release_age/too-young" in bench.check().denials()
    clock.hours = 2 * YEAR
    assert bench.gate().code == 0
    clock.hours = 0
    refused = bench.verify()
    assert refused.code == 1
    assert "future" in refused.out
    said = bench.check()
    assert (said.code, "which is after" in said.err) == (2, True), "and it is no approved build either"


def test_P17_a_clock_behind_decides_nothing_that_counts(bench: Bench, clock: Clock) -> None:
    """Years back what the registry said was not said yet; and what is signed then is older than anybody accepts."""
    clock.hours = -5 * YEAR
    assert "complete_evidence/publish-time" in bench.check().warnings()
    said = bench.gate()
    assert said.code in (0, 1)
    clock.hours = 0
    refused = bench.verify()
    assert refused.code == 1
    assert "PASSED" not in refused.out


def test_P18_zero_hours_is_no_age_and_old_is_refused(bench: Bench, clock: Clock) -> None:
    assert bench.gate().code == 0
    assert bench.verify().code == 0
    clock.hours = 169
    refused = bench.verify()
    assert (refused.code, "REFUSED" in refused.out) == (1, True)
    bench.trust("max_age_hours = 0")
    assert bench.verify().code == 2


def test_P12_the_summary_of_one_build_under_the_decision_of_another(bench: Bench) -> None:
    """Both signed by the accepted key: the small summary names the one decision that it sums up."""
    assert bench.gate().code == 0
    good = layout.read(bench.decisions()[-1])
    evil(bench)
    bench.artefact.write_bytes(b"another release")
    assert bench.gate().code == 1
    bad = layout.read(bench.decisions()[-1])
    assert good.summary is not None
    assert bad.summary is not None
    assert bench.run("audit", "evidence", "--trust", "trust.toml").code == 0
    spliced = [p for p in bench.decisions()[-1].parents[1].rglob("*") if p.is_file() and p.read_bytes() == bad.summary]
    assert spliced
    for path in spliced:
        path.unlink()
        path.write_bytes(good.summary)
    assert bench.verify().code in (1, 2)
    assert bench.run("audit", "evidence", "--trust", "trust.toml").code == 1


def test_P20_evidence_of_an_older_policy_is_refused(bench: Bench, repository: Path) -> None:
    """Once the trust file names the new policy, what the older one allowed ships no more; nor the other way round."""
    assert bench.gate().code == 0
    assert bench.verify().code == 0
    bench.trust(f'policy_digests = ["{"ab" * 32}"]')
    refused = bench.verify()
    assert (refused.code, "policy" in refused.out) == (1, True)


# --------------------------------------------------------------------------------------------------------------------
# Output


def test_no_secret_and_no_home_in_any_output_or_evidence(bench: Bench) -> None:
    """P40"""
    (bench.shop / ".npmrc").write_text(
        "//registry.npmjs.org/:_authToken=hunter2-a\nregistry=https://u:hunter2-b@registry.npmjs.org/?t=hunter2-c\n"
        "https-proxy=http://u:hunter2-d@proxy.test:8080/\n@acme:registry=https://x:hunter2-e@npm.acme.test/\n"
        "_auth=aHVudGVyMg==\n_password=hunter2-f\n"
    )
    (bench.folder / "home").mkdir()
    (bench.folder / "home" / ".npmrc").write_text("//registry.npmjs.org/:_authToken=hunter2-g\n")
    git = f"git+https://oauth2:hunter2-h@github.com/x/y.git#{'a' * 40}"
    address = "https://bob:hunter2-i@registry.npmjs.org/good/-/good-1.0.0.tgz?token=hunter2-j"
    bench.write(
        {"good": "1.0.0", "y": git},
        {GOOD: entry("good", resolved=address), "node_modules/y": {"version": "1.0.0", "resolved": git}},
    )
    said = [bench.check("--verbose"), bench.gate(), bench.run("generate", "shop")]
    assert [one.code for one in said] == [1, 1, 0]
    stored = [path.read_bytes() for path in (bench.folder / "evidence").rglob("*") if path.is_file()]
    assert len(stored) > 20
    for data in [*stored, *(one.out.encode() + one.err.encode() for one in said)]:
        for secret in (b"hunter2", b"aHVudGVyMg==", str(bench.folder).encode()):
            assert secret not in data


HOSTILE = "\x1b[2J\r::error::x ##vso[task.setvariable variable=a]b ##teamcity[x] \u202e\u200b"


def test_hostile_names_reach_no_terminal_and_no_ci_command(bench: Bench) -> None:
    """P39: on every line that is printed, of a decision and of an error."""
    bench.write({"good": "1.0.0"}, {GOOD: entry("good"), f"node_modules/{HOSTILE}": entry("good")}, name=HOSTILE)
    said = bench.run("check", "shop", "--trust", "trust.toml", "--facts", "facts.json", "--offline", "--verbose")
    assert said.code == 1
    bench.artefact = bench.artefact.with_name("a ##vso[x]\u202e.tgz")
    bench.artefact.write_bytes(b"x")
    gated = bench.gate()
    for one in (said, gated, bench.verify(), bench.run("verify", f"file:{HOSTILE}", "--trust", "trust.toml")):
        for line in (one.out if one is not gated else "").splitlines() + one.err.splitlines():
            assert not any(ord(c) < 32 or c in "\u202e\u200b" for c in line), line
            assert not line.lstrip().startswith("::"), line
            assert "##vso[" not in line
            assert "##teamcity[" not in line
    assert json.loads(gated.out)
