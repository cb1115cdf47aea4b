"""What was signed later, and what a registry holds: a revoked build passes in no answer; an override is named."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sbomgate import dsse
from sbomgate.evidence import layout
from sbomgate.signing import local_key
from sbomgate.subject import MANIFEST_MEDIA_TYPE, canonical, descriptor
from testkit import oci_registries, tarballs
from testkit.bad_day import START, Clock, gate
from testkit.commandline import Result, World, must_be_discreet
from testkit.oci_simulator import INDEX, Asked, Reply, sha256, simulator

TRUST = ("--trust", "trust.toml")


def read(result: Result, code: int = 0) -> Any:
    assert result.code == code, result.out + result.err
    return json.loads(result.out)


def decision(world: World, artefact: str) -> str:
    """Return the newest decision on an artefact."""
    told = json.loads(world.run("verify", f"file:{artefact}.tgz", *TRUST, "--json").out)
    return str(told["decision"]["sha256"])


def revoke(world: World, artefact: str, *more: str) -> None:
    made = world.run(
        "revoke", decision(world, artefact), "--reason", "the runner was owned\x1b[2J", "--key", "release.key", *TRUST,
        *more,
    )  # fmt: skip
    assert made.code == 0, made.err


def verdicts(world: World, inventory: str = "inventory") -> dict[str, str]:
    """Return artefact → verdict, as `find` has it."""
    hits = read(world.run("inventory", "find", "*", "--inventory", inventory, "--json"))["hits"]
    return {hit["build"]["subject"].removeprefix("file:"): hit["build"]["verdict"] for hit in hits}


NEVER = "revocations  never looked for: `inventory add STORE --trust FILE`"
NOBODY = "deployments  nobody told any: `inventory deployed`"


def test_an_answer_says_how_old_it_is_what_it_knows(world: World, clock: Clock) -> None:
    """Of revocations what `add` with a trust file read to its end last, of deployments the newest that has come."""

    def said(*arguments: str) -> list[str]:
        return world.run("inventory", *arguments).out.splitlines()[-2:]

    clock.now = START + timedelta(hours=2)
    assert said("find", "fetch-it") == [NEVER, NOBODY], "`gate` adds its own build and reads no store"
    assert world.run("inventory", "add", "evidence").code == 0
    assert said("find", "fetch-it") == [NEVER, NOBODY], "without a trust file no revocation counts"
    assert world.run("inventory", "add", "evidence", *TRUST).code == 0
    world.run("inventory", "deployed", "file:bad.tgz", "--environment", "test", "--at", "2030-01-01T00:00:00Z")
    assert said("find", "left-pad")[1] == NOBODY, "that day has not come"
    world.run("inventory", "deployed", "file:bad.tgz", "--environment", "production")
    clock.now += timedelta(hours=30)
    known = ["revocations  as of 2026-04-01 11:00 UTC, 30 h ago (evidence)",
             "deployments  as of 2026-04-01 11:00 UTC, 30 h ago"]  # fmt: skip
    sweep = ("sweep", "--feed", "feed.csv")
    assert said("find", "fetch-it") == said(*sweep) == known
    assert said(*sweep, "--format", "markdown") == [f"- `{line}`" for line in known]
    assert world.run("inventory", *sweep, "--format", "csv").err.splitlines()[-2:] == known
    as_of = {"revocations": [{"source": "evidence", "read_at": "2026-04-01T11:00:00Z"}],
             "deployments": "2026-04-01T11:00:00Z"}  # fmt: skip
    assert read(world.run("inventory", *sweep, "--format", "json", "--incident", "incident.json"), 1)["as_of"] == as_of
    assert json.loads((world.root / "incident.json").read_text())["predicate"]["as_of"] == as_of
    # Of a store of which something could not be read nothing new is known; made again it is known from then.
    clock.now += timedelta(hours=30)
    index = next(world.store.glob("*/*/index.json"))
    whole = index.read_bytes()
    index.write_bytes(whole[:-9])
    assert world.run("inventory", "add", "evidence", *TRUST).code == 2
    assert said("find", "fetch-it")[0] == "revocations  as of 2026-04-01 11:00 UTC, 2 d ago (evidence)"
    index.write_bytes(whole)
    assert world.run("inventory", "rebuild", "--from", "evidence", *TRUST).code == 0
    assert said("find", "fetch-it")[0] == "revocations  as of 2026-04-03 23:00 UTC (evidence)"


def test_P19_a_revoked_build_passes_in_no_answer(world: World, clock: Clock) -> None:
    clock.now = START + timedelta(hours=2)
    revoke(world, "good")
    assert verdicts(world) == {"good.tgz": "allowed", "bad.tgz": "allowed"}, "nobody told the inventory yet"
    made = world.run("inventory", "add", "evidence", *TRUST)
    assert (made.code, made.out) == (0, "0 builds added, 2 there already, 1 revocations and overrides\n"), made.err
    again = world.run("inventory", "add", "evidence", *TRUST)
    assert again.out == "0 builds added, 2 there already\n"
    for _ in range(2):
        assert verdicts(world) == {"good.tgz": "revoked", "bad.tgz": "allowed"}
        assert world.run("inventory", "find", "fetch-it", "verdict:allowed").out.count("evidence sha256:") == 1
        shown = world.run("inventory", "find", "fetch-it@1.14.0").out
        assert "REVOKED · revoked by 'release" in shown.replace("by release", "by 'release")
        assert "the runner was owned" in shown
        assert "\x1b" not in shown
        assert "PASSED" not in shown
        stated = read(world.run("inventory", "stats", "--json"))
        assert (stated["revoked"], stated["overridden"]) == (1, 0)
        # It is not what the bad one is rolled back to.
        (affected,) = read(world.run("inventory", "sweep", "--feed", "feed.csv", "--format", "json"), 1)["affected"]
        assert affected["last_good"] is None
        asked = world.run("inventory", "sql", "SELECT verdict, word, reason FROM build JOIN amendment USING (evidence)")
        assert asked.out.splitlines()[1].startswith("revoked,revoked,the runner")
        # Made again, and from the evidence alone, it is the same.
        assert world.run("inventory", "rebuild", "--from", "evidence", *TRUST).code == 0
    running = [json.loads(line)["digest"] for line in coverage_lines(world)]
    (world.root / "running.txt").write_text("\n".join(running))
    told = world.run("inventory", "coverage", "--deployed", "running.txt")
    assert told.code == 1
    assert "1 REVOKED, 1 PASSED" in told.out
    # Gated again it passes: the revocation is older.
    clock.now += timedelta(hours=1)
    shutil.move(world.store, world.root / "before")  # what is not the first build is compared with it, and warned of
    assert gate(world, "good", "--inventory", "inventory").code == 0
    assert verdicts(world) == {"good.tgz": "allowed", "bad.tgz": "allowed"}


def coverage_lines(world: World) -> list[str]:
    asked = world.run("inventory", "sql", "SELECT DISTINCT digest FROM build ORDER BY 1")
    return [json.dumps({"digest": line}) for line in asked.out.splitlines()[1:]]


def test_a_revocation_beats_what_is_older_on_the_same_artefact(world: World, clock: Clock) -> None:
    """P19: as `verify` has it, whichever decision it names."""
    clock.now = START + timedelta(hours=2)
    shutil.move(world.store, world.root / "before")
    assert gate(world, "good", "--inventory", "inventory").code == 0
    shutil.rmtree(world.store)
    shutil.move(world.root / "before", world.store)
    clock.now += timedelta(hours=1)
    revoke(world, "good")
    (found,) = read(world.run("inventory", "find", "fetch-it@1.14.0", "--json"))["hits"]
    assert found["build"]["evidence"] != decision(world, "good"), "there is a newer one, of another store"
    assert world.run("inventory", "add", "evidence", *TRUST).code == 0
    assert verdicts(world)["good.tgz"] == "revoked"


def test_nobody_revokes_who_is_not_accepted(world: World, clock: Clock) -> None:
    clock.now = START + timedelta(hours=2)
    revoke(world, "good")
    shutil.rmtree(world.root / "inventory")
    made = world.run("inventory", "add", "evidence")
    assert made.code == 0
    assert "no revocation counts" in made.err
    assert verdicts(world)["good.tgz"] == "allowed"
    assert world.run("inventory", "rebuild", "--from", "evidence", *TRUST).code == 0
    assert verdicts(world)["good.tgz"] == "revoked"
    (path,) = (world.store / "revocations").iterdir()
    path.write_bytes(path.read_bytes()[:-9])
    refused = world.run("inventory", "rebuild", "--from", "evidence", *TRUST)
    assert refused.code == 2
    assert "altered" in refused.err
    assert verdicts(world)["good.tgz"] == "revoked", "what cannot be read changes nothing"


def test_P32_an_override_is_named_and_never_passes(world: World, clock: Clock) -> None:
    clock.now = START + timedelta(hours=2)
    signers = ""
    for name in ("ann", "bob"):
        key = local_key.generate(world.root / f"{name}.key")
        signers += f'[[signers]]\nname = "{name}"\nroles = ["override"]\npublic_key = """\n{key.public_key}"""\n'
    world.trust.write_text(f"{world.trust.read_text()}\n{signers}\n[break_glass]\nmax_hours = 8\n")
    # An update of the project that FAILED: it has a baseline by now.
    world.write_project([("left-pad", "1.3.1", tarballs.package("left-pad", "1.3.1"))])
    (world.root / "app.tgz").write_bytes(b"the update")
    assert world.run(*world.gate("--environment", "production", "--inventory", "inventory")).code == 1
    (world.root / "running.txt").write_text(f"sha256:{sha256(b'the update').removeprefix('sha256:')}\n")
    covered = ("inventory", "coverage", "--deployed", "running.txt")
    for person, word in (("ann", "1 FAILED\n"), ("bob", "1 FAILED, OVERRIDDEN\n")):
        made = world.run(
            "override", decision(world, "app"), "--reason", "shop is down", "--until", "4h", "--key", f"{person}.key",
            *TRUST,
        )  # fmt: skip
        assert made.code == 0, made.err
        assert world.run("inventory", "add", "evidence", *TRUST).code == 0
        told = world.run(*covered)
        assert told.code == 1
        assert f"1 deployed: {word}" in told.out
    assert verdicts(world)["app.tgz"] == "denied"
    shown = world.run("inventory", "find", "left-pad").out
    assert "FAILED · OVERRIDDEN until 2026-04-01 15:00 UTC by ann, bob" in shown
    # `verify` accepts it until then: a list that hits it has something to do, and supersedes it.
    assert world.run("verify", "file:app.tgz", *TRUST).code == 0
    (world.root / "feed.csv").write_text("name,version\nleft-pad,1.3.1\n")
    clock.now += timedelta(hours=1)
    made = world.run("inventory", "sweep", "--feed", "feed.csv", "--supersede", *TRUST, "--key", "release.key")
    assert (made.code, "1 decisions signed" in made.err) == (1, True), made.err
    assert world.run("verify", "file:app.tgz", *TRUST).code == 1
    assert world.run("inventory", "sweep", "--feed", "feed.csv").code == 0
    clock.now += timedelta(hours=8)
    assert "1 deployed: 1 FAILED\n" in world.run(*covered).out


def test_what_a_registry_holds_is_what_the_store_holds(world: World, clock: Clock) -> None:
    """Files by their build manifests, with the revocations; a second time no SBOM is fetched again."""
    clock.now = START + timedelta(hours=2)
    revoke(world, "good")
    with simulator(page=2) as registry:
        store = f"oci:{registry.host}/team/evidence"
        assert world.run("evidence", "push", store).code == 0
        made = world.run("inventory", "add", store, *TRUST, "--inventory", "theirs")
        assert made.out == "2 builds added, 0 there already, 1 revocations and overrides\n", made.err
        assert verdicts(world, "theirs") == {"good.tgz": "revoked", "bad.tgz": "allowed"}
        fetched = registry.count("GET", "/blobs/")
        again = world.run("inventory", "add", store, *TRUST, "--inventory", "theirs")
        assert again.out == "0 builds added, 2 there already\n"
        # Of each build the two signed statements, and the revocation.
        assert registry.count("GET", "/blobs/") - fetched == 5
        digest = next(name for name in registry.manifests if name.startswith("build-")).removeprefix("build-")
        one = world.run("inventory", "add", f"{store}@sha256:{digest}", *TRUST, "--inventory", "one")
        assert one.out.startswith("1 builds added"), one.err
        nothing = world.run("inventory", "add", f"oci:{registry.host}/other@sha256:{'0' * 64}", "--inventory", "none")
        assert (nothing.code, "holds neither evidence nor an SBOM" in nothing.err) == (2, True)
    assert world.run("inventory", "add", "evidence", *TRUST, "--inventory", "ours").code == 0
    names = ("theirs", "ours", "one")
    listed = [read(world.run("inventory", "find", "*", "--json", "--inventory", name)) for name in names]
    sources = [[one["source"] for one in told.pop("as_of")["revocations"]] for told in listed]
    assert sources == [[store], ["evidence"], []], "one build of a store is not the store"
    assert listed[0] == listed[1]


def test_an_image_is_found_by_what_tags_it(world: World) -> None:
    """By its own tag, or that of an index that lists it."""
    with simulator() as registry:
        for number, tag in enumerate(("", "v2")):
            config = f'{{"n": {number}}}'.encode()
            image = canonical({"schemaVersion": 2, "mediaType": MANIFEST_MEDIA_TYPE, "layers": [],
                               "config": descriptor("application/vnd.oci.image.config.v1+json", config)})  # fmt: skip
            registry.blobs[sha256(config)] = config
            registry.manifests[sha256(image)] = (MANIFEST_MEDIA_TYPE, image)
            if tag:
                registry.manifests[tag] = (MANIFEST_MEDIA_TYPE, image)
            else:
                index = canonical({"schemaVersion": 2, "mediaType": INDEX,
                                   "manifests": [descriptor(MANIFEST_MEDIA_TYPE, image)]})  # fmt: skip
                registry.manifests["v1"] = registry.manifests[sha256(index)] = (INDEX, index)
            subject = f"oci:{registry.host}/shop@{sha256(image)}"
            world.write_project([("fetch-it", "1.14.0", tarballs.package("fetch-it", "1.14.0"))])
            made = world.run(
                *[{"file:app.tgz": subject, "evidence": f"evidence-{number}"}.get(a, a) for a in world.gate()],
                "--store", f"oci:{registry.host}/team/evidence",
            )  # fmt: skip
            assert made.code == 0, made.err
        made = world.run("inventory", "add", f"oci:{registry.host}/shop", *TRUST, "--inventory", "images")
        assert made.out.startswith("2 builds added"), made.err
    found = read(world.run("inventory", "find", "fetch-it", "--inventory", "images", "--json"))["hits"]
    assert {hit["build"]["standing"] for hit in found} == {"verified"}


LISTS = {
    "no JSON": b"{",
    "no list": b'{"tags": {"a": "b"}}',
    "a tag that leads elsewhere": b'{"tags": ["../../v2/other/manifests/x"]}',
    "a number": b'{"tags": [7]}',
    "an error": b"",
}


@pytest.mark.parametrize("case", LISTS)
def test_a_registry_that_lists_nonsense(world: World, case: str) -> None:
    def fault(asked: Asked) -> Reply | None:
        if not asked.path.endswith("/tags/list"):
            return None
        return Reply(status=403 if case == "an error" else 200, body=LISTS[case])

    with simulator() as registry:
        registry.fault = fault
        made = world.run("inventory", "add", f"oci:{registry.host}/team/evidence", *TRUST, "--inventory", "none")
    assert made.code == 2
    assert made.out == "0 builds added, 0 there already, 1 not read\n"
    assert "/tags/list" in made.err
    must_be_discreet(made)


@pytest.mark.oci
def test_real_registries(world: World) -> None:
    """One with the referrers API and one without."""
    (world.root / "registry").mkdir()
    with (
        oci_registries.referrers_registry() as api,
        oci_registries.docker_registry(world.root / "registry") as tags,
    ):
        for number, host in enumerate((api, tags)):
            store = f"oci:{host}/team/evidence"
            assert world.run("evidence", "push", store).code == 0
            made = world.run("inventory", "add", store, *TRUST, "--inventory", f"of-{number}")
            assert made.out.startswith("2 builds added"), made.err
            assert verdicts(world, f"of-{number}") == {"good.tgz": "allowed", "bad.tgz": "allowed"}


def test_P19_a_revoked_failed_that_counts_by_its_detail_is_revoked(world: World, clock: Clock) -> None:
    """Whoever can write the store puts a summary of his own in the place of the signer's: the detail counts."""
    clock.now = START + timedelta(hours=2)
    superseded = world.run(
        "inventory", "sweep", "--feed", "feed.csv", "--supersede", *TRUST, "--key", "release.key"
    )  # fmt: skip
    assert (superseded.code, "1 decisions signed" in superseded.err) == (1, True), superseded.err
    clock.now += timedelta(hours=1)
    revoke(world, "bad")
    failed = decision(world, "bad")
    stranger = local_key.generate(world.root / "stranger.key")
    (at,) = world.store.glob(f"*/*/decisions/{failed}")
    build = at.parents[1]
    records = [layout.read(one) for one in sorted((build / "decisions").iterdir())]
    shutil.rmtree(build)
    for record in records:
        if record.id == failed:
            assert record.summary is not None
            record = replace(record, summary=stranger.sign(dsse.payload_of(record.summary)))
        layout.write(world.store, record)
    shutil.rmtree(world.root / "inventory")
    assert world.run("inventory", "add", "evidence", *TRUST).code == 0
    (hit,) = read(world.run("inventory", "find", "fetch-it@1.14.1", "--json"))["hits"]
    assert (hit["build"]["evidence"], hit["build"]["verdict"]) == (failed, "denied")
    assert hit["build"]["revoked"]["by"] == "release key"
    assert read(world.run("inventory", "stats", "--json"))["revoked"] == 1


def test_a_count_says_how_many_and_where_it_runs(world: World, clock: Clock) -> None:
    clock.now = START + timedelta(hours=2)
    assert world.run("inventory", "deployed", "file:bad.tgz", "--environment", "production").code == 0
    counted = ("inventory", "find", "fetch-it@^1.14", "fetch-it-core", "--count")
    made = world.run(*counted)
    assert made.code == 0, made.err
    assert made.out.splitlines()[:5] == [
        "2 builds of 1 project", "",
        "  fetch-it 1.14.0  1 build of 1 project",
        "  fetch-it 1.14.1  1 build of 1 project · runs in production",
        "  fetch-it-core 4.2.1  1 build of 1 project · runs in production",
    ]  # fmt: skip
    told = read(world.run(*counted, "--running", "--json"))
    assert (told["builds"], [one["version"] for one in told["held"]]) == (1, ["1.14.1", "4.2.1"])
    assert world.run("inventory", "find", "absent", "--count").out.startswith("no build holds it\n")
    for refused in (("axios", "is:direct"), ("axios", "--paths")):
        assert world.run("inventory", "find", *refused, "--count").code == 2
