"""An inventory in object storage answers as the folder does that it is a copy of; it is written by `push` alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from testkit import commandline
from testkit.bad_day import START, Clock
from testkit.commandline import Result, World, must_be_discreet
from testkit.s3_server import s3_server

pytestmark = pytest.mark.s3

BUCKET = "inventories"
TRUST = ("--trust", "trust.toml")


@pytest.fixture(scope="module")
def server() -> Iterator[dict[str, str]]:
    pytest.importorskip("s3fs", reason="the extra `s3` is not installed")
    with s3_server(BUCKET) as variables:
        yield variables


class There:
    """A world, and a place of its own in the storage."""

    def __init__(self, world: World, server: dict[str, str], name: str) -> None:
        self.world = world
        self.variables = world.environment(**server)
        self.url = f"s3://{BUCKET}/{name}"

    def run(self, *arguments: str) -> Result:
        made = self.world.run(*arguments, env=self.variables)
        must_be_discreet(made)
        return made

    def ask(self, *arguments: str) -> Result:
        return self.run("inventory", *arguments, "--inventory", self.url)

    def push(self) -> Result:
        return self.run("inventory", "push", self.url)

    def names(self) -> list[str]:
        import s3fs

        storage = s3fs.S3FileSystem(
            endpoint_url=self.variables["AWS_ENDPOINT_URL"], key="test", secret="hunter2-canary",
            use_listings_cache=False, skip_instance_cache=True,
        )  # fmt: skip
        return sorted(str(name).removeprefix(f"{self.url[5:]}/") for name in storage.find(self.url))


@pytest.fixture
def there(world: World, server: dict[str, str], tmp_path: Path) -> There:
    return There(world, server, f"team/{tmp_path.name}")


QUESTIONS = {
    "find": ("find", "fetch-it@1.14.1", "--json"),
    "find with paths": ("find", "fetch-it@>=1.14 <2", "is:direct", "--paths"),
    "what runs": ("find", "*", "--running"),
    "revoked": ("find", "*", "verdict:revoked"),
    "coverage": ("coverage", "--deployed", "running.txt"),
    "sweep": ("sweep", "--feed", "feed.csv", "--format", "json"),
    "sql": ("sql", "SELECT name, version, verdict FROM package JOIN build USING (build) ORDER BY ALL"),
    "deployments": ("sql", "SELECT environment, digest FROM deployment"),
}


def test_it_answers_as_the_folder_does(there: There, clock: Clock) -> None:
    world = there.world
    clock.now = START + timedelta(hours=2)
    assert world.run("inventory", "deployed", "file:bad.tgz", "--environment", "production").code == 0
    told = json.loads(world.run("verify", "file:good.tgz", *TRUST, "--json").out)
    revoked = world.run("revoke", told["decision"]["sha256"], "--reason", "stolen", "--key", "release.key", *TRUST)
    assert revoked.code == 0
    assert world.run("inventory", "add", "evidence", *TRUST).code == 0
    (hit,) = json.loads(world.run("inventory", "find", "fetch-it-core", "--json").out)["hits"]
    (world.root / "running.txt").write_text(f"sha256:{'0' * 64}\n{hit['build']['digest']}\n")
    made = there.push()
    assert made.code == 0, made.err
    assert made.out == f"2 builds in {there.url}: 2 files sent, 0 there already\n"
    for name, question in QUESTIONS.items():
        here, away = world.run("inventory", *question), there.ask(*question)
        assert (away.code, away.out) == (here.code, here.out), f"{name}: {away.err}"
        assert away.out
    for name in ("out.csv", "out.parquet", "out.json"):
        assert there.ask("export", "fetch-it", "-o", name).code == 0
    archive = there.ask("export", "-o", "all.zip", "--from", "evidence")
    assert archive.code == 0, archive.err
    stats = json.loads(there.ask("stats", "--json").out)
    assert (stats["builds"], stats["revoked"], stats["deltas"], stats["segments"]) == (2, 1, 0, 1)


def test_a_push_sends_what_is_new_and_readers_find_what_they_had(there: There) -> None:
    assert there.push().code == 0
    first = there.names()
    again = there.push()
    assert again.out == f"2 builds in {there.url}: 0 files sent, 2 there already\n"
    assert there.names() == first
    world = there.world
    sbom = {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": []}
    for number in range(2):
        about = {"type": "application", "name": f"vendor-{number}", "bom-ref": "root"}
        sbom["metadata"] = {"component": about}
        (world.root / "vendor.json").write_text(json.dumps(sbom))
        added = world.run("inventory", "add", "vendor.json")
        assert added.code == 0, added.err
        assert there.push().code == 0
        gone = {name for name in first if name.startswith("segments/")} - set(there.names())
        assert bool(gone) == bool(number), "what the state before needs stays, and what no state needs is removed"
        assert json.loads(there.ask("stats", "--json").out)["builds"] == 3 + number


def test_a_push_loses_nothing_that_is_there(there: There) -> None:
    assert there.push().code == 0
    world = there.world
    good = next(world.store.glob("*/*/decisions/*/sbom.cdx.json"))
    assert world.run("inventory", "add", str(good), "--inventory", "other").code == 0
    before = there.names()
    refused = there.run("inventory", "push", there.url, "--inventory", "other")
    assert refused.code == 2
    assert "holds 2 builds and 0 deployments that" in refused.err
    shutil.rmtree(world.root / "inventory" / "segments")
    shutil.rmtree(world.root / "inventory" / "delta")
    assert there.push().code == 2, "nor where this one was damaged"
    assert there.names() == before


WRITES = {
    "add": ("add", "evidence"),
    "rebuild": ("rebuild", "--from", "evidence"),
    "compact": ("compact",),
    "deployed": ("deployed", "file:bad.tgz", "--environment", "production"),
    "supersede": ("sweep", "--feed", "feed.csv", "--supersede", "--trust", "trust.toml", "--key", "release.key"),
}


@pytest.mark.parametrize("case", WRITES)
def test_what_writes_is_refused_and_says_how(there: There, case: str) -> None:
    before = there.world.snapshot()
    made = there.ask(*WRITES[case])
    assert (made.code, made.out) == (2, "")
    assert "inventory push" in made.err
    assert there.world.snapshot() == before


ADDRESSES = {
    "nothing there": f"s3://{BUCKET}/nowhere",
    "no such bucket": "s3://nobodys-bucket/x",
    "a pattern": f"s3://{BUCKET}/*",
    "out of its place": f"s3://{BUCKET}/a/../b",
    "no bucket": "s3://",
    "a query": f"s3://{BUCKET}/a?versionId=hunter2-canary",
    "another storage": "gs://bucket/x",
    "a user": "https://me:hunter2-canary@example.com/inventory",
}


@pytest.mark.parametrize("case", ADDRESSES)
def test_a_place_that_is_none(there: There, case: str) -> None:
    made = there.run("inventory", "find", "axios", "--inventory", ADDRESSES[case])
    assert (made.code, made.out) == (2, "")
    assert len(made.hints) == 1


def test_a_storage_that_does_not_answer(there: There) -> None:
    there.variables["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    made = there.ask("find", "axios")
    assert made.code == 2
    assert "AWS_ENDPOINT_URL" in made.err


def test_sql_reads_nothing_else_in_the_storage(there: There) -> None:
    assert there.push().code == 0
    there.url, own = f"s3://{BUCKET}/elsewhere/{there.url.rpartition('/')[2]}", there.url
    assert there.push().code == 0
    (segment,) = (n for n in there.names() if n.startswith("segments/") and not n.endswith(".spans.parquet"))
    for query in (
        f"SELECT * FROM read_parquet('{own}/{segment}')",
        f"SELECT * FROM read_parquet('{there.url}/../../{own.rpartition('/')[2]}/{segment}')",
        f"SELECT * FROM glob('s3://{BUCKET}/*')",
        "SELECT * FROM read_text('/etc/passwd')",
    ):
        made = there.ask("sql", query)
        assert (made.code, made.out) == (2, ""), query


def test_a_world_without_the_extra(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "s3fs", None)
    commandline.must_be_refused(
        world.run("inventory", "find", "axios", "--inventory", f"s3://{BUCKET}/x"), says=["s3fs"]
    )
