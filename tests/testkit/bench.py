"""A workbench for attacks: a small project, keys, trust file and recorded facts, and the real command line in process.

Each attack changes one thing and runs `check`, `gate`, `verify` or `replay` as a pipeline would.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest

from sbomgate import cli, facts
from sbomgate.cli._environment import Environment
from sbomgate.model import Absence, CollectedFacts, FactKey, Missing, Origin, RegistryWord, TarballFacts
from sbomgate.signing import local_key
from testkit import tarballs
from testkit.engines import borrow_engine

REGISTRY = "https://registry.npmjs.org/"
REPOSITORY = "https://github.com/acme/shop"
OLD = "2024-01-01T00:00:00.000Z"


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def denials(self) -> set[str]:
        """`rule/code` of everything that denies, of `--json`."""
        return {f"{f['rule']}/{f['code']}" for entry in self.json["denials"] for f in entry["findings"]}

    def warnings(self) -> set[str]:
        """`rule/code` of everything that warns, of `--json`."""
        return {f"{f['rule']}/{f['code']}" for entry in self.json["warnings"] for f in entry["findings"]}


def entry(name: str, version: str = "1.0.0", *, of: str | None = None, **more: Any) -> dict[str, Any]:
    """An entry of a lockfile; `of` is the name in the address."""
    real = of or name
    return {
        "version": version,
        "resolved": f"{REGISTRY}{real}/-/{real.rpartition('/')[2]}-{version}.tgz",
        "integrity": tarballs.integrity(tarballs.package(real, version)),
        **more,
    }


def known(name: str, version: str = "1.0.0", **changes: Any) -> CollectedFacts:
    """Facts of an old, plain package; `changes` are of its RegistryWord, but for tarball and attestations."""
    data = tarballs.package(name, version)
    word = RegistryWord(
        registry=REGISTRY,
        asked_at=datetime(2026, 1, 1, tzinfo=UTC),
        origin=Origin.NETWORK,
        published=OLD,
        first_published=OLD,
        integrity=tarballs.integrity(data),
        tarball=None,
        scripts={},
        has_install_script=None,
        signatures=(),
        serves_evidence=True,
        attestations_url=None,
        publisher="alice",
        trusted_publisher=None,
        maintainers=("alice",),
        licence="MIT",
        deprecated=None,
    )
    tarball = TarballFacts(
        sha512=tarballs.sha512(data),
        origin=Origin.NETWORK,
        name=name,
        version=version,
        scripts={},
        gyp=False,
        bundled=(),
        licence="MIT",
    )
    own = {key: changes.pop(key) for key in ("tarball", "attestations", "key", "registry") if key in changes}
    return CollectedFacts(
        **{
            "key": FactKey(name=name, version=version, integrity=tarballs.integrity(data)),
            "registry": replace(word, **changes),
            "tarball": tarball,
            "attestations": Missing(absence=Absence.ABSENT, reason="none"),
            **own,
        }
    )


class Bench:
    """A folder with `shop/` (the project), keys, `trust.toml`, `facts.json` and `evidence/`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shop = folder / "shop"
        self.shop.mkdir()
        self.cache = folder / "cache"
        self.engine = self.cache / "sbomgate" / "engine"
        self.engine.mkdir(parents=True, mode=0o700)
        for made in (self.cache, self.engine.parent):
            made.chmod(0o700)
        borrow_engine(self.engine)
        self.key = local_key.generate(folder / "release.key")
        self.recorder = local_key.generate(folder / "recorder.key")
        self.trust()
        self.project(good="1.0.0")
        self.artefact = folder / "shop-1.0.0.tgz"
        self.artefact.write_bytes(b"the release")

    def trust(self, text: str = "", *, signers: str = "") -> None:
        """Write the trust file: the release key decides, the recorder records; `text` comes first, `signers` last."""
        both = f"""
schema = "sbomgate/trust/v1"
{text}
[[signers]]
name = "release"
roles = ["decision"]
public_key = \"\"\"
{self.key.public_key}\"\"\"
[[signers]]
name = "recorder"
roles = ["facts"]
public_key = \"\"\"
{self.recorder.public_key}\"\"\"
{signers}
"""
        (self.folder / "trust.toml").write_text(both)

    def project(self, **dependencies: str) -> None:
        """Write a project with these dependencies, and record the facts of each."""
        packages = {f"node_modules/{name}": entry(name, version) for name, version in dependencies.items()}
        self.write(dependencies, packages)
        self.record(*(known(name, version) for name, version in dependencies.items()))

    def write(self, dependencies: Mapping[str, str], packages: Mapping[str, Any], /, **manifest: Any) -> None:
        """Write package.json and the lockfile."""
        about = {"name": "shop", "version": "1.0.0", "dependencies": dict(dependencies), **manifest}
        lock = {
            "name": "shop",
            "version": "1.0.0",
            "lockfileVersion": 3,
            "requires": True,
            "packages": {"": about, **packages},
        }
        (self.shop / "package.json").write_text(json.dumps(about))
        (self.shop / "package-lock.json").write_text(json.dumps(lock))

    def record(self, *collected: CollectedFacts, key: local_key.LocalKey | None = None) -> None:
        """Write the facts file, signed by the recorder or another key."""
        statement = facts.write_statement({one.key: one for one in collected})
        (self.folder / "facts.json").write_bytes((key or self.recorder).sign(statement))

    def run(self, *arguments: str, **variables: str) -> Said:
        """Run a command in the folder."""
        with _surroundings(
            self.folder, {"HOME": str(self.folder / "home"), "XDG_CACHE_HOME": str(self.cache), **variables}
        ) as (out, err):
            code = cli.main(list(arguments))
            out.flush()
            err.flush()
            said = (out.buffer, err.buffer)
            return Said(code, *(one.getvalue().decode() for one in said if isinstance(one, BytesIO)))

    def check(self, *more: str) -> Said:
        return (
            self.run("check", "shop", *self._common, "--baseline", "evidence", *more)
            if (self.folder / "evidence").exists()
            else self.run("check", "shop", *self._common, *more)
        )

    def gate(self, *more: str, key: str = "release.key") -> Said:
        subject = ("--subject", f"file:{self.artefact}", "--key", key, "--store", "evidence")
        return self.run("gate", "shop", *self._common, *subject, *more)

    def verify(self, *more: str) -> Said:
        return self.run("verify", f"file:{self.artefact}", "--trust", "trust.toml", "--store", "evidence", *more)

    @property
    def _common(self) -> tuple[str, ...]:
        return ("--trust", "trust.toml", "--facts", "facts.json", "--offline", "--json")

    def decisions(self) -> list[Path]:
        """The folders of all decisions in the store, oldest first."""
        return sorted((self.folder / "evidence").glob("*/*/decisions/*"), key=lambda p: p.stat().st_mtime_ns)


class Clock:
    """What commands take for now: the real time, and so many hours more or less."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.hours = 0.0
        real = Environment.of_process

        def of_process() -> Environment:
            found = real()
            return replace(found, now=found.now + timedelta(hours=self.hours))

        patch.setattr(Environment, "of_process", of_process)


@contextmanager
def _surroundings(folder: Path, variables: Mapping[str, str]) -> Iterator[tuple[TextIOWrapper, TextIOWrapper]]:
    before, held = Path.cwd(), dict(os.environ)
    out, err = (TextIOWrapper(BytesIO(), encoding="utf-8") for _ in range(2))
    os.environ.update(variables)
    os.chdir(folder)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            yield out, err
    finally:
        os.chdir(before)
        os.environ.clear()
        os.environ.update(held)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


Change = Callable[[Bench], object]
