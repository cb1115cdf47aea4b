"""Git's objects, the SSH signatures in them, and who made a change by them; loose and packed objects as files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from fuzz.inputs import pack, unpack
from sbomgate import authors, sshsig, trust
from sbomgate.cli._objects import Objects
from sbomgate.errors import EvidenceError
from sbomgate.model import Person
from testkit.commits import Repository, ssh_key

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LOCK = "package-lock.json"


def seeds() -> Iterator[tuple[str, bytes]]:
    """Return the objects of a small history by their names, and the same packed as git packs them."""
    with tempfile.TemporaryDirectory() as folder:
        key = Path(folder) / "key"
        public = ssh_key(key)
        made = Repository.new(Path(folder) / "repository")
        made.commit({LOCK: "before\n", "a/b": "x"})
        made.commit({LOCK: "after\n" * 50}, key=key)
        made.commit({LOCK: "after\n" * 50 + "end\n"}, key=key)
        about = {"HEAD": made.head.encode(), "public": public.encode(), "lock": (made.root / LOCK).read_bytes()}
        objects = {}
        with Objects(made.root / ".git" / "objects") as store:
            for line in made.git("cat-file", "--batch-all-objects", "--batch-check").splitlines():
                found = store.read(line.split()[0])
                assert found is not None
                objects[line.split()[0]] = found[0].encode() + b"\n" + found[1]
        yield "objects", pack({**about, **objects})
        made.git("repack", "-q", "-a", "-d", "-f", "--depth=50")
        packed = {path.name: path.read_bytes() for path in (made.root / ".git" / "objects" / "pack").glob("pack-*")}
        yield (
            "packed",
            pack({**about, **{name: data for name, data in packed.items() if name.endswith((".idx", ".pack"))}}),
        )


def read(data: bytes) -> object:
    """Tell who made the change; nobody's is told by an exception."""
    files = unpack(data)
    try:
        key = sshsig.public_key(files.get("public", b"").decode("utf-8", "replace"))
    except EvidenceError:
        key = ("ssh-ed25519", b"")
    people = (Person(name="ann", addresses=("ann@example.test",), ssh_keys=(key,)),)
    packs = {
        name: one
        for name, one in files.items()
        if name.endswith((".idx", ".pack")) and "/" not in name and "\0" not in name and len(name.encode()) < 200
    }

    def known(oid: str) -> tuple[str, bytes] | None:
        if oid not in files:
            return None
        kind, _, content = files[oid].partition(b"\n")
        return kind.decode("latin-1"), content

    head = files.get("HEAD", b"").decode("latin-1")

    def told(read: authors.Read) -> object:
        return authors.of_change(
            head=head, judged={LOCK: files.get("lock", b"")}, approved={LOCK: "00" * 32}, read=read,
            trust=replace(trust.NOBODY, people=people), token=None, now=NOW,
        )  # fmt: skip

    if not packs:
        return told(known)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pack").mkdir()
        for name, one in packs.items():
            (Path(folder) / "pack" / name[:100]).write_bytes(one)
        with Objects(Path(folder)) as store:
            return told(store.read)
