"""Stored evidence under attack and accidents: altered in any byte, unreadable, interrupted (P1, P10, P36, P41)."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from testkit.commandline import World, mode, must_be_refused, refused

Damage = Callable[[World], Any]


def build(world: World) -> Path:
    """The folder of the one build in the store."""
    (found,) = world.store.glob("??/*")
    return found


def decision(world: World) -> Path:
    """The folder of the one decision."""
    (found,) = build(world).glob("decisions/*")
    return found


def overwrite(path: Path, data: bytes) -> None:
    """Replace a file: its other names keep the bytes that they had."""
    path.unlink()
    path.write_bytes(data)


def everywhere(world: World, path: Path, data: bytes) -> None:
    """Replace a file under all its names, as whoever can write the store would."""
    before = path.read_bytes()
    for other in list(world.store.rglob("*")):
        if other.is_file() and other.read_bytes() == before:
            overwrite(other, data)


def positions(size: int) -> list[int]:
    """Return where to flip: both ends and some places between, always the same."""
    return sorted({0, size // 7, size // 3, size // 2, size - size // 5, size - 1} & set(range(size)))


def test_p36_one_altered_byte_anywhere_is_refused(world: World) -> None:
    """`verify` of a build reads every byte of it: a flipped bit anywhere is exit code 2."""
    assert world.run(*world.verify()).code == 0
    looked = 0
    for path in sorted(p for p in world.store.rglob("*") if p.is_file() and p.name != ".lock"):
        original = path.read_bytes()
        for at in positions(len(original)):
            altered = bytearray(original)
            altered[at] ^= 0x01
            overwrite(path, bytes(altered))
            made = world.run(*world.verify())
            must_be_refused(made, says=["evidence"], hint=False)
            looked += 1
        overwrite(path, original)
    assert looked > 100
    assert world.run(*world.verify()).code == 0


@pytest.mark.parametrize("name", ["sbom.cdx.json", "policy-input.json", "decision.sigstore.json", "vsa.sigstore.json"])
def test_p36_what_was_altered_under_all_its_names(world: World, name: str) -> None:
    path = decision(world) / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x01
    everywhere(world, path, bytes(data))
    folder = str(build(world).relative_to(world.root))
    for arguments in (world.verify(), ["replay", folder], world.gate()):
        must_be_refused(world.run(*arguments), says=["evidence"], hint=False)
    check = ("check", "shop", "--offline", "--trust", "trust.toml", "--baseline")
    must_be_refused(world.run(*check, folder), says=["evidence"], hint=False)


@pytest.mark.parametrize("what", ["index.json", "oci-layout", "blob", "named file", "decision", "blobs"])
def test_p36_what_was_removed(world: World, what: str) -> None:
    base = build(world)
    if what == "blob":
        sorted((base / "blobs" / "sha256").iterdir())[0].unlink()
    elif what == "named file":
        (decision(world) / "sbom.cdx.json").unlink()
    elif what == "decision":
        shutil.rmtree(decision(world))
    elif what == "blobs":
        shutil.rmtree(base / "blobs")
    else:
        (base / what).unlink()
    made = world.run(*world.verify())
    if what == "index.json":  # the commit point: without it nothing was stored
        assert made.code == 1
        assert "REFUSED" in made.out
    else:
        must_be_refused(made, says=["evidence"], hint=False)


@pytest.mark.parametrize("what", ["a file", "a link", "a folder"])
def test_p36_what_was_added(world: World, what: str) -> None:
    at = decision(world) / "zz"
    if what == "a file":
        at.write_bytes(b"{}")
    elif what == "a link":
        at.symlink_to("/etc/passwd")
    else:
        at.mkdir()
        (at / "x").write_bytes(b"")
    must_be_refused(world.run(*world.verify()), says=["zz"], hint=False)


def test_evidence_of_another_build_in_its_place(world: World) -> None:
    """P12: a folder that was moved under another build's name is refused."""
    (world.root / "other.tgz").write_bytes(b"another artefact")
    assert world.run(*[a.replace("app.tgz", "other.tgz") for a in world.gate()]).code == 0
    first, second = sorted(world.store.glob("??/*"))
    kept = world.root / "kept"
    first.rename(kept)
    shutil.copytree(second, first)
    artefact = {first: "app.tgz", second: "other.tgz"}
    codes = {world.run(*[a.replace("app.tgz", name) for a in world.verify()]).code for name in artefact.values()}
    assert codes == {0, 2}


def store_as_file(world: World) -> None:
    shutil.rmtree(world.store)
    world.store.write_bytes(b"")


def store_as_link(world: World) -> None:
    shutil.rmtree(world.store)
    world.store.symlink_to("nowhere")


def empty_store(world: World) -> None:
    for path in world.store.iterdir():
        shutil.rmtree(path)


def build_as_file(world: World) -> None:
    at = build(world)
    shutil.rmtree(at)
    at.write_bytes(b"")


def lock_as_folder(world: World) -> None:
    at = build(world) / ".lock"
    at.unlink()
    at.mkdir()


def lock_as_link(world: World) -> None:
    at = build(world) / ".lock"
    at.unlink()
    at.symlink_to("/etc/passwd")


STORE: dict[str, tuple[Damage, dict[str, int]]] = {
    "missing": (lambda w: shutil.rmtree(w.store), {"verify": 2, "replay": 2}),
    "a file": (store_as_file, {"verify": 2, "gate": 2, "replay": 2, "check": 2}),
    "a dangling link": (store_as_link, {"verify": 2, "gate": 2, "replay": 2}),
    "empty": (empty_store, {"verify": 1, "replay": 2}),
    "a build is a file": (build_as_file, {"verify": 1, "gate": 2, "replay": 2}),
    "the lock is a folder": (lock_as_folder, {"gate": 2, "verify": 0}),
    "the lock is a link": (lock_as_link, {"gate": 2, "verify": 0}),
}


@pytest.mark.parametrize("case", STORE)
def test_a_store_that_cannot_be_used(world: World, case: str) -> None:
    damage, expected = STORE[case]
    arguments = {
        "verify": world.verify(),
        "gate": world.gate(),
        "replay": ["replay", str(build(world).relative_to(world.root))],
        "check": ["check", "shop", "--offline", "--trust", "trust.toml", "--baseline", "evidence"],
    }
    damage(world)
    for verb, code in expected.items():
        before = world.snapshot()
        made = world.run(*arguments[verb])
        assert made.code == code, (verb, made.out, made.err)
        if code == 2:
            must_be_refused(made, says=[], hint=False)
            assert world.snapshot() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to what is read-only")
def test_a_store_that_is_read_only(world: World) -> None:
    with mode(build(world), 0o555), mode(world.store, 0o555):
        refused(world, *world.gate(), says=["evidence"], hint=False)
        assert world.run(*world.verify()).code == 0


SUBJECTS: dict[str, tuple[str, list[str]]] = {
    "no scheme": ("app.tgz", ["not a subject"]),
    "missing": ("file:nowhere.tgz", ["nowhere.tgz"]),
    "a folder": ("file:shop", ["shop", "regular file"]),
    "no file": ("file:", ["file:"]),
    "a branch": ("git:main", ["git:main"]),
    "an abbreviated commit": ("git:3f3f3f3", ["git:3f3f3f3"]),
    "upper case": (f"git:{'3F' * 20}", ["git:"]),
    "a tag": ("oci:registry.example/shop:latest", ["digest"]),
    "a tag and a digest": (f"oci:registry.example/shop:1@sha256:{'0' * 64}", ["digest"]),
    "a short digest": ("oci:registry.example/shop@sha256:00", ["sha256"]),
    "no host": (f"oci:shop@sha256:{'0' * 64}", ["HOST/REPO"]),
    "another scheme": ("https://example.com/app.tgz", ["not a subject"]),
}


@pytest.mark.parametrize("verb", ["gate", "verify"])
@pytest.mark.parametrize("case", SUBJECTS)
def test_p12_a_subject_that_is_no_digest(world: World, case: str, verb: str) -> None:
    subject, says = SUBJECTS[case]
    arguments = world.gate() if verb == "gate" else world.verify()
    arguments = [{"file:app.tgz": subject}.get(a, a) for a in arguments]
    refused(world, *arguments, says=says, hint=False)


REFUSED: dict[str, tuple[list[str], str]] = {
    "another artefact": (["verify", "file:release.key.pub", "--trust", "trust.toml"], "no-decision"),
    "another environment": (["--environment", "production"], "environment"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_is_1_and_says_why(world: World, case: str) -> None:
    more, code = REFUSED[case]
    made = world.run(*(more if more[0] == "verify" else world.verify(*more)))
    assert made.code == 1
    assert made.out.startswith("REFUSED")
    assert code in made.out


@pytest.mark.parametrize("argument", ["nowhere", "evidence", "shop", "app.tgz", "."])
def test_replay_of_what_is_no_evidence(world: World, argument: str) -> None:
    refused(world, "replay", argument, says=[], hint=True)


# --------------------------------------------------------------------------------------------------------------------
# Interrupted

# Each stage of `gate`: the process stops itself there, by a signal, as a person or a CI system would stop it.
STAGES = {
    "reading": "sbomgate.lockfiles.read",
    "collecting": "sbomgate.npm.collect.collect",
    "evaluating": "sbomgate.policy.engines.embedded.EmbeddedEngine.evaluate",
    "signing": "sbomgate.signing.local_key.LocalKey.sign",
    "storing blobs": "sbomgate.evidence.layout._put_blob",
    "storing names": "sbomgate.evidence.commit.Commit.folder",
    "waiting for the disk": "sbomgate.files.sync_all",
}
INTERRUPTED = """
import importlib, os, signal, sys, time
from sbomgate.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where these tests run in the background of a shell
where, number, when = sys.argv[1], int(sys.argv[2]), sys.argv[3]
module, *names = where, []
parts = where.split(".")
for cut in range(len(parts) - 1, 0, -1):
    try:
        owner = importlib.import_module(".".join(parts[:cut]))
    except ImportError:
        continue
    break
for name in parts[cut:-1]:
    owner = getattr(owner, name)
real = getattr(owner, parts[-1])

def stopped(*arguments, **settings):
    if when == "after":
        real(*arguments, **settings)
    os.kill(os.getpid(), number)
    time.sleep(60)
    raise AssertionError("the signal did not come")

setattr(owner, parts[-1], stopped)
del sys.argv[1:4]
sys.exit(main())
"""


TERMINATED = [(stage, signal.SIGTERM) for stage in ("evaluating", "storing names")]
KILLED = [(stage, signal.SIGKILL) for stage in ("storing blobs", "storing names", "waiting for the disk")]


@pytest.mark.parametrize(("stage", "number"), [*((stage, signal.SIGINT) for stage in STAGES), *TERMINATED, *KILLED])
def test_p41_interrupted(world: World, stage: str, number: signal.Signals) -> None:
    """P41: wherever it is stopped, nothing that was reported as stored is lost, and the next run works."""
    before = {path: digest for path, digest in world.snapshot().items() if path.startswith("evidence")}
    when = "after" if stage.startswith("storing") else "before"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    arguments = (STAGES[stage], str(int(number)), when, *world.gate())
    with world.start(*arguments, program=INTERRUPTED, **pipes) as process:
        out, err = process.communicate(timeout=60)
    assert out == b""
    if number == signal.SIGKILL:
        assert process.returncode == -number
    else:
        assert process.returncode == 2, err.decode()
        assert err.decode() == "error: interrupted, no decision was made\n"
        after = {path: digest for path, digest in world.snapshot().items() if path.startswith("evidence")}
        left = {path for path in after if path not in before and ".tmp-" in path}
        assert not left, "temporary files are left behind"
    assert world.run(*world.verify()).code == 0, "what was stored is lost"
    again = world.run(*world.gate())
    assert again.code == 0, again.err
    assert not [p for p in world.store.rglob("*") if ".tmp-" in p.name]


def test_p41_two_gates_at_once(world: World) -> None:
    """P41: two writers to one build, and both decisions are there."""
    running = [world.start(*world.gate(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    for process in running:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err.decode()
        assert b"ALLOWED" in out
    assert world.run(*world.verify()).code == 0
    assert len(list(build(world).glob("decisions/*"))) >= 2
