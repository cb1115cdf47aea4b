"""Links, planted files and files that change under the gate: what was judged is what is named (P10, P26, P36)."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sbomgate.errors import EvidenceError
from sbomgate.evidence import layout, log
from sbomgate.evidence.log import Notary
from sbomgate.model import Verdict
from testkit.commandline import World, must_be_refused
from testkit.evidence import NOW, OTHER_TARBALL, TARBALL, key, record, signer
from testkit.faults import failing

NOTARY = Notary(signer=key(), signers=(signer(key()),), now=NOW)
ONE, TWO = record(), record(age=timedelta(minutes=1), verdict=Verdict.DENIED)
OTHER = record(subject=OTHER_TARBALL)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


BUILD = layout.folder(Path(), ONE.build.sha256)
FOLDERS = {
    "the first digits": BUILD.parent,
    "the build": BUILD,
    "its blobs": BUILD / "blobs",
    "its blobs by digest": BUILD / "blobs" / "sha256",
    "its decisions": BUILD / "decisions",
    "the log": Path("log"),
    "a segment of the log": Path("log/000000"),
    "the revocations": Path("revocations"),
    "the overrides": Path("overrides"),
}


@pytest.mark.parametrize("place", FOLDERS)
def test_P36_nothing_is_written_or_removed_where_a_link_in_the_store_leads(tmp_path: Path, place: str) -> None:
    """Who may write to a store points a folder of it at another one, whose files only the release job may remove."""
    store, target = tmp_path / "evidence", tmp_path / "elsewhere"
    log.add(store, ONE, NOTARY)
    log.add(target, OTHER, NOTARY)
    led = target / layout.folder(Path(), OTHER.build.sha256) / "decisions"
    (led / ".tmp-of-another").write_bytes(b"")
    at = store / FOLDERS[place]
    if at.exists():
        at.rename(tmp_path / "aside")
    at.symlink_to(led, target_is_directory=True)
    before = contents(target)
    with pytest.raises(EvidenceError):
        log.add(store, TWO, replace(NOTARY, now=NOW + timedelta(hours=1)))
    after = contents(target)
    after = {name: data for name, data in after.items() if not name.endswith(".lock")}
    assert after == {name: data for name, data in before.items() if not name.endswith(".lock")}
    assert [one.id for one in layout.find(target, OTHER_TARBALL)] == [OTHER.id]


def test_a_store_that_is_a_link_itself_is_one(tmp_path: Path) -> None:
    (tmp_path / "mounted").mkdir()
    store = tmp_path / "evidence"
    store.symlink_to(tmp_path / "mounted", target_is_directory=True)
    log.add(store, ONE, NOTARY)
    assert [one.id for one in layout.find(store, TARBALL)] == [ONE.id]


# --------------------------------------------------------------------------------------------------------------------
# Files that change under the gate


INPUTS = ("package.json", "package-lock.json", "sbomgate.toml", ".npmrc", "trust.toml", "release.key", "app.tgz")


def prepared(world: World) -> None:
    (world.project / "sbomgate.toml").write_text('profile = "default"\n')
    (world.project / ".npmrc").write_text("fund=false\n")


@pytest.mark.parametrize("verb", ["check", "gate"])
def test_P10_every_input_is_opened_once(world: World, verb: str) -> None:
    """What is read twice can be two things: one that is judged, and one whose digest is named."""
    prepared(world)
    arguments = world.gate() if verb == "gate" else ["check", "shop", "--offline", "--trust", "trust.toml"]
    with failing(None) as seen:
        made = world.run(*arguments)
    assert made.code == 0, made.err
    inputs = {base / name for base in (world.root, world.project) for name in INPUTS}
    paths = [world.root / file for call, file in seen.calls if call == "open"]
    opened = Counter(path.name for path in paths if path in inputs)
    wanted = set(INPUTS) if verb == "gate" else set(INPUTS) - {"release.key", "app.tgz"}
    assert opened == dict.fromkeys(wanted, 1)


def replaced(world: World, name: str) -> None:
    """Let an input be replaced as soon as it is opened: every later look finds something else."""
    path = next(path for path in (world.project / name, world.root / name) if path.exists())
    other = path.with_name(f"{name}.other")
    other.write_bytes(path.read_bytes() + b"\n")
    other.chmod(path.stat().st_mode)
    other.replace(path)


@pytest.mark.parametrize("name", ["package-lock.json", "trust.toml", "app.tgz"])
def test_P10_the_decision_names_the_bytes_that_were_judged(
    world: World, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(world)
    before = next(path for path in (world.project / name, world.root / name) if path.exists()).read_bytes()
    real: Callable[..., int] = os.open
    done: list[str] = []

    def opening(path: object, *arguments: object, **settings: object) -> int:
        descriptor = real(path, *arguments, **settings)
        if Path(os.fspath(path)).name == name and not done:  # type: ignore[call-overload]
            done.append(name)
            replaced(world, name)
        return descriptor

    known = set(world.store.glob("*/*/decisions/*"))
    monkeypatch.setattr(os, "open", opening)
    made = world.run(*world.gate())
    monkeypatch.undo()
    assert done
    assert made.code == 0, made.err
    (decision,) = set(world.store.glob("*/*/decisions/*")) - known or known
    bundle = (decision / "decision.sigstore.json").read_text()
    payload = base64.b64decode(json.loads(bundle)["dsseEnvelope"]["payload"]).decode()
    assert hashlib.sha256(before).hexdigest() in payload


# --------------------------------------------------------------------------------------------------------------------
# Folders that anybody may write to


def without_home(world: World, temporary: Path) -> dict[str, str]:
    env = world.environment(TMPDIR=str(temporary))
    del env["HOME"]
    return env


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A world-writable folder for temporary files, as /tmp is."""
    import tempfile

    folder = tmp_path / "tmp"
    folder.mkdir()
    folder.chmod(0o1777)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("planted", ["a link", "writable", "a file", "another user's"])
def test_P26_a_planted_home_is_not_taken(world: World, temporary: Path, tmp_path: Path, planted: str) -> None:
    """Without HOME a folder among the temporary ones stands in: who makes it first would choose settings and caches."""
    import getpass

    home = temporary / f"sbomgate-{getpass.getuser()}"
    match planted:
        case "a link":
            (tmp_path / "theirs").mkdir()
            home.symlink_to(tmp_path / "theirs", target_is_directory=True)
        case "writable":
            home.mkdir()
            home.chmod(0o777)
        case "a file":
            home.write_bytes(b"")
        case _:
            if os.geteuid() != 0:
                pytest.skip("only root may give a folder away")
            home.mkdir()
            os.chown(home, 65534, 65534)
    must_be_refused(world.run("check", "shop", "--offline", env=without_home(world, temporary)), says=["HOME"])


@pytest.mark.skipif(os.name != "posix", reason="POSIX")
def test_without_a_home_one_is_made_that_is_private(world: World, temporary: Path) -> None:
    env = without_home(world, temporary) | {"XDG_CACHE_HOME": str(world.home / ".cache")}
    assert world.run("check", "shop", "--offline", env=env).code == 0
    (made,) = temporary.glob("sbomgate-*")
    assert made.stat().st_mode & 0o777 == 0o700
