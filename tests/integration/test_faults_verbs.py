"""Every verb that writes, on a disk that fails, and killed: what lies there is whole, or not there (P1, P41).

As in test_faults.py the calls to the file system are counted first, and then some of them fail, spread evenly
(`FAULTS=200`: so many of each verb). A process that is killed leaves what lies on the disk before the next call that
writes: one run is enough to look at all of these moments, since a copy of the folder is what a `kill -9` leaves there.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import shutil
import tarfile
import threading
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sbomgate import tuf
from sbomgate.cli import ISSUES_HINT
from sbomgate.errors import UsageError
from sbomgate.policy import lists
from sbomgate.signing import local_key
from testkit import commandline, tarballs
from testkit.commandline import HOME, Result, World, must_be_discreet
from testkit.faults import REASONS, WRITES, Faults, failing
from testkit.oci_simulator import simulator
from testkit.registry import Simulator
from testkit.sigstore import TestSigstore
from testkit.tuf_repository import Repository

FEW = int(os.environ.get("FAULTS", "2"))
REGISTRY, MIRROR = "REGISTRY", "MIRROR"  # in arguments: where these are
WAIVED = ("--until", "30d", "--reason", "r", "--key", "ann.key", "--trust", "trust.toml")
ABOUT = ("shop", "--trust", "trust.toml", "--offline", "--baseline", "evidence")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A command that writes.

    Attributes:
        arguments: of the command; `DECISION`, `BUILD`, `CHANGE`, REGISTRY and MIRROR stand for what they are.
        made: what there must be when it says that it is done: patterns, relative to the world's root.
        code: when all is well.
        again: what another run may end with beside `code` where a part of the first is there: some refuse to overwrite.
        cleans: what is temporary is removed by the next run, not at once.
    """

    arguments: tuple[str, ...]
    made: tuple[str, ...]
    code: int = 0
    again: tuple[int, ...] = ()
    cleans: bool = False


VERBS = {
    "approve": Verb(
        arguments=("approve", *ABOUT, "--change", "CHANGE", "--reason", "read it", "--key", "ann.key"),
        made=("shop/.sbomgate/approvals/*.sigstore.json",),
    ),
    "check, as files": Verb(
        arguments=("check", *ABOUT, *(f"--format={name}=said.{name}" for name in ("json", "sarif", "html", "junit"))),
        made=("said.json", "said.sarif", "said.html", "said.junit"),
        code=1,
    ),
    "evidence pack": Verb(
        arguments=("evidence", "pack", "file:app.tgz", "--trust", "trust.toml", "--out", "packed.tar.gz"),
        made=("packed.tar.gz",),
        again=(2,),
    ),
    "evidence pull": Verb(
        arguments=("evidence", "pull", f"oci:{REGISTRY}/acme/shop", "file:app.tgz", "--store", "pulled"),
        made=("pulled/*/*/decisions/*/decision.sigstore.json",),
    ),
    "evidence push": Verb(arguments=("evidence", "push", f"oci:{REGISTRY}/acme/shop"), made=()),
    "facts export": Verb(
        arguments=("facts", "export", "shop", "--offline", "--key", "release.key", "-o", "exported.sigstore.json"),
        made=("exported.sigstore.json",),
    ),
    "feed import": Verb(arguments=("feed", "import", "feed.csv", "-o", "malicious.csv"), made=("malicious.csv",)),
    "gate, attached": Verb(
        arguments=(
            "gate", "young", *ABOUT[1:], "--subject", "file:app.tgz", "--key", "release.key", "--store",
            f"oci:{REGISTRY}/acme/shop",
        ),
        made=(),
    ),
    "generate": Verb(arguments=("generate", "shop", "-o", "bom.json"), made=("bom.json",)),
    "generate, each workspace": Verb(arguments=("generate", "mono", "--split", "sboms"), made=("sboms/*.cdx.json",)),
    "init": Verb(
        arguments=("init", "young", "--offline", "--ci", "github", "--harden", "--no-baseline"),
        made=("young/sbomgate.toml", "young-trust/trust.toml", "young/.github/workflows/sbomgate.yml", "young/.npmrc"),
    ),
    "inventory compact": Verb(
        arguments=("inventory", "compact", "--inventory", "inventory"), made=("inventory/segments/*.parquet",),
        cleans=True,
    ),
    "inventory export": Verb(
        arguments=("inventory", "export", "--inventory", "inventory", "-o", "all.csv"), made=("all.csv",)
    ),
    "key new": Verb(
        arguments=("key", "new", "--out", "new.key"), made=("new.key", "new.key.pub"), again=(2,)
    ),
    "override": Verb(
        arguments=("override", "DECISION", "--reason", "down", "--key", "ann.key", "--trust", "trust.toml"),
        made=("evidence/overrides/**/*.json",),
    ),
    "report": Verb(arguments=("report", "BUILD", "--trust", "trust.toml", "-o", "page.html"), made=("page.html",)),
    "revoke": Verb(
        arguments=("revoke", "DECISION", "--reason", "x", "--key", "release.key", "--trust", "trust.toml"),
        made=("evidence/revocations/**/*.json",),
    ),
    "trust new": Verb(
        arguments=("trust", "new", "--key", "release.key.pub", "--out", "second.toml"), made=("second.toml",),
        again=(2,),
    ),
    "trust update": Verb(
        arguments=("trust", "update", "--out", "kept", "--url", MIRROR, "--root", "root.json"),
        made=("kept/*.json",),
    ),
    "waive": Verb(
        arguments=("waive", "release_age", "left-pad@1.3.1", "--path", "shop", *WAIVED),
        made=("shop/.sbomgate/approvals/*.sigstore.json",),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def prepared(ordinary: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world in which each of them has something to do: a build that was allowed, and one that was denied since."""
    world = commandline.copy(ordinary, tmp_path_factory.mktemp("verbs") / "world")
    local_key.generate(world.root / "ann.key")
    public = (world.root / "ann.key.pub").read_text()
    world.trust.write_text(
        f"{world.trust.read_text()}\n"
        f'[[signers]]\nname = "ann"\nroles = ["approver", "override"]\npublic_key = """\n{public}"""\n'
        "\n[break_glass]\nmax_hours = 8\n"
    )
    shutil.copytree(world.project, world.root / "young")
    manifest = world.root / "young" / "package.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_bytes()), "packageManager": "npm@11.19.1"}))
    world.write_project([("left-pad", "1.3.1", tarballs.package("left-pad", "1.3.1"))])
    (world.root / "update.tgz").write_bytes(b"the update")
    with commandline.at(datetime.now(UTC) + timedelta(seconds=2)):
        assert world.run(*(argument.replace("app.tgz", "update.tgz") for argument in world.gate())).code == 1
    added = world.run("inventory", "add", "evidence", "--trust", "trust.toml", "--inventory", "inventory")
    assert added.code == 0, added.err
    (world.root / "feed.csv").write_text("name,version\nevil,1.0.0\nworse,*\n")
    workspace(world.root / "mono")
    return world


def workspace(folder: Path) -> None:
    """A project with one workspace."""
    root = {"name": "mono", "version": "1.0.0", "workspaces": ["a"]}
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "package.json").write_text('{"name": "a", "version": "1.0.0"}')
    (folder / "package.json").write_text(json.dumps(root))
    packages = {"": root, "a": {"name": "a", "version": "1.0.0"}, "node_modules/a": {"resolved": "a", "link": True}}
    lock = {"name": "mono", "version": "1.0.0", "lockfileVersion": 3, "requires": True, "packages": packages}
    (folder / "package-lock.json").write_text(json.dumps(lock))


@dataclass(slots=True)
class Bench:
    """Copies of the prepared world to run one verb in, and what the verb asks over the network."""

    verb: Verb
    prepared: World
    scratch: Path
    registry: str
    mirror: str
    copies: int = 0

    def fresh(self) -> World:
        self.copies += 1
        return commandline.copy(self.prepared, self.scratch / str(self.copies))

    def arguments(self, world: World) -> tuple[str, ...]:
        named = {REGISTRY: self.registry, MIRROR: self.mirror}
        if {"DECISION", "BUILD"} & set(self.verb.arguments):
            told = json.loads(self.prepared.run("verify", "file:update.tgz", *self.prepared.verify("--json")[2:]).out)
            named["DECISION"] = str(told["decision"]["sha256"])
            decision = next(world.store.glob(f"*/*/decisions/{named['DECISION']}"))
            named["BUILD"] = str(decision.parents[1].relative_to(world.root))
        if "CHANGE" in self.verb.arguments:
            shown = self.prepared.run("review", *ABOUT, "--format", "json")
            named["CHANGE"] = str(json.loads(shown.out)["sha256"])
        return tuple(replaced(argument, named) for argument in self.verb.arguments)


def replaced(argument: str, named: dict[str, str]) -> str:
    for name, value in named.items():
        argument = argument.replace(name, value)
    return argument


@pytest.fixture
def bench(request: pytest.FixtureRequest, prepared: World, tmp_path: Path) -> Iterator[Bench]:
    name = str(request.param)
    with contextlib.ExitStack() as stack:
        registry = mirror = ""
        if REGISTRY in " ".join(VERBS[name].arguments):
            registry = stack.enter_context(simulator()).host
            pushed = prepared.run("evidence", "push", f"oci:{registry}/acme/shop")
            assert pushed.code == 0, pushed.err
        if MIRROR in VERBS[name].arguments:
            sigstore, now = TestSigstore(datetime.now(UTC)), datetime.now(UTC)
            targets = {
                tuf.TRUSTED_ROOT: sigstore.trusted_root_json(),
                tuf.REGISTRY_KEYS: sigstore.registry_keys_json(),
            }
            repository = Repository(stack.enter_context(Simulator(prefix="/tuf")), now, targets)
            repository.publish()
            (prepared.root / "root.json").write_bytes(repository.root(1))
            mirror = repository.url
        yield Bench(verb=VERBS[name], prepared=prepared, scratch=tmp_path, registry=registry, mirror=mirror)


def run(
    world: World, arguments: tuple[str, ...], at: int | None, reason: int, *, lasting: bool
) -> tuple[Result, Faults]:
    """Run a command of which one call fails; the world's own calls do not."""
    from sbomgate import cli

    real, seen = cli.main, Faults()

    def main(given: object) -> int:
        nonlocal seen
        with failing(at, reason, lasting=lasting) as seen:
            return real(given)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli, "main", main)
        return world.run(*arguments), seen


def is_temporary(path: Path) -> bool:
    return any(part.startswith(".tmp-") or part.endswith(".tmp") for part in path.parts)


def files(world: World) -> dict[Path, bytes]:
    """Everything but the home folder, where only caches lie."""
    found = (path for path in world.root.rglob("*") if path.is_file() and not path.is_symlink())
    named = ((path.relative_to(world.root), path) for path in found)
    return {name: path.read_bytes() for name, path in named if name.parts[0] != HOME}


def unfinished(name: Path, data: bytes) -> bool:
    """Whether a file is a part of what it is named."""
    try:
        match name.suffix:
            case ".json" | ".sarif":
                json.loads(data)
            case ".toml":
                tomllib.loads(data.decode())
                return not data.endswith(b"\n")
            case ".key" | ".pub":
                return not data.startswith(b"-----BEGIN") or not data.rstrip().endswith(b"KEY-----")
            case ".html":
                return not data.rstrip().endswith(b"</html>")
            case ".junit":
                return not data.rstrip().endswith(b"</testsuites>")
            case ".gz":
                import io

                with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as archive:
                    return not archive.getnames()
            case ".csv" if name.name == "malicious.csv":
                return b"\n#sealed," not in data or not lists.load(data, name="l", where="l").entries
            case ".parquet":
                return not (data.startswith(b"PAR1") and data.endswith(b"PAR1"))
            case _:
                return not data and name.name not in (".lock", "lock")
    except (ValueError, EOFError, OSError, tarfile.TarError, UsageError):
        return True
    return False


def must_be_whole(world: World, before: dict[Path, bytes], about: str, *, temporary: bool) -> None:
    """Assert that each file is as it was, or new and whole; and that what is stored is sound."""
    after = files(world)
    for name, data in after.items():
        if before.get(name) == data:
            continue
        if is_temporary(name):
            assert temporary, f"{name} is left behind: {about}"
            continue
        assert not unfinished(name, data), f"{name} is no whole one: {about}"
    if any(path.parts[0] == "evidence" and before.get(path) != after[path] for path in after):
        audited = world.run("audit", "evidence", "--trust", "trust.toml", "--json")
        problems = {problem["kind"] for problem in json.loads(audited.out)["problems"]}
        assert problems <= {"uncovered"}, f"{audited}: {about}"  # written, and not reported as stored


def must_be_done(bench: Bench, world: World, about: str) -> None:
    for pattern in bench.verb.made:
        found = [path for path in world.root.glob(pattern) if path.is_file() and not is_temporary(path)]
        assert found, f"{pattern} is not there, and it said so: {about}"


def each(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("bench", names or VERBS, indirect=True)


@each()
def test_P1_P41_a_disk_that_fails(bench: Bench) -> None:
    """No call that fails makes it say that it is done when it is not, nor spoils what was there."""
    world = bench.fresh()
    before = files(world)
    arguments = bench.arguments(world)
    sound, seen = run(world, arguments, None, 0, lasting=False)
    assert sound.code == bench.verb.code, sound
    must_be_done(bench, world, "without a fault")
    must_be_whole(world, before, "without a fault", temporary=False)
    writing = [at for at, (name, _) in enumerate(seen.calls) if name in WRITES[1:]]
    calls = [*spread(range(len(seen.calls)), FEW), *spread(writing, FEW)]
    for number, at in enumerate(calls):
        world = bench.fresh()
        reason = list(REASONS)[number % len(REASONS)]
        lasting = at in writing and number % 2 == 0
        said, failed = run(world, arguments, at, REASONS[reason], lasting=lasting)
        about = f"call {at} of {len(seen.calls)}, {reason}, {failed.failed[:1]}: {said}"
        assert said.code in (2, bench.verb.code), about
        assert ISSUES_HINT not in said.err, about
        assert said.code != 2 or "error: " in said.err, about
        must_be_discreet(said)
        removed = all(name != "unlink" for name, _ in failed.failed)
        stays = lasting or not removed  # what cannot be removed either
        must_be_whole(world, before, about, temporary=bench.verb.cleans or stays)
        if said.code == bench.verb.code:
            must_be_done(bench, world, about)
        if number % len(REASONS) == 0:
            again = world.run(*arguments)
            assert again.code in (bench.verb.code, *bench.verb.again), f"{again}, after {about}"
        shutil.rmtree(world.root)


def spread(calls: range | list[int], few: int) -> list[int]:
    """Return so many of some calls, the first and the last among them."""
    few = min(few, len(calls))
    return [calls[number * (len(calls) - 1) // max(1, few - 1)] for number in range(few)]


@each(*(name for name in VERBS if not name.startswith(("check", "gate", "evidence push"))))
def test_P41_killed_at_any_moment(bench: Bench) -> None:
    """What is left is whole, whatever the next call would have been; and the next run is not in the way of it."""
    world = bench.fresh()
    before = files(world)
    arguments = bench.arguments(world)
    _, seen = run(world, arguments, None, 0, lasting=False)
    writing = sum(name in WRITES[1:] for name, _ in seen.calls)
    chosen = set(spread(range(writing), FEW))
    world = bench.fresh()
    left: list[tuple[str, World]] = []
    lock, busy = threading.Lock(), threading.local()
    numbers = iter(range(1 << 30))

    def look(self: Faults, name: str, file: object) -> None:
        """Copy what lies there before a call that writes."""
        if name not in WRITES[1:] or getattr(busy, "now", False):
            return
        with lock:
            busy.now = True
            try:
                if (number := next(numbers)) in chosen:
                    left.append(
                        (f"{name} {file}, write {number} of {writing}", copied(world, bench.scratch / f"k{number}"))
                    )
            finally:
                busy.now = False

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Faults, "pass_by", look)
        run(world, arguments, None, 0, lasting=False)
    assert left or not chosen
    for number, (about, killed) in enumerate(left):
        must_be_whole(killed, before, about, temporary=True)
        if number % 2:
            again = killed.run(*arguments)
            assert again.code in (bench.verb.code, *bench.verb.again), f"{again}, after {about}"
            if again.code == bench.verb.code:
                must_be_done(bench, killed, about)


def copied(world: World, root: Path) -> World:
    """Copy a world as it is, but for a file that vanishes meanwhile."""
    with contextlib.suppress(shutil.Error):
        commandline.copy(world, root)
    return World(root)
