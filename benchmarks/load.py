"""How it bears load: `python benchmarks/load.py [--packages 40000] [--findings 50000] [--gates 64] …`.

Everything is made twice, once in a tenth of the size, and run as whole processes without network:
- a lock of so many packages, each with recorded and signed facts: `generate`, `check`, `gate`, `verify`, `replay`,
  `report`;
- a lock of so many packages of which nothing is known: `check`;
- the same lock told in each other format: `generate`, `check`, `gate`;
- a lock with so many findings, four a package: `check`, `review`, `gate`, and `report` in every format;
- so many signed waivers: verified, and in a `check` of as many packages that each need one;
- a list of malicious packages with so many names: `feed import`, and `check` with it.
Then so many gates at once on one cache and one store, which is audited afterwards, and each artefact verified. A store
of 10,000 builds is in large_store.py, and the audit of one in store.py.

It prints a table in Markdown: processor time, its growth by ten times as many (10 is linear), and peak memory. It exits
1 where an answer is wrong, and where something grows faster than GROWTH or takes more than MEGABYTES.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path += [str(ROOT / "tests"), str(ROOT)]  # last: it is the installed sbomgate that is measured

from benchmarks import workload  # noqa: E402
from sbomgate import approvals, lockfiles  # noqa: E402
from sbomgate.model import Authors, Waiver  # noqa: E402
from sbomgate.project import DiskFiles  # noqa: E402
from sbomgate.signing import local_key  # noqa: E402
from testkit import evidence, locks  # noqa: E402
from testkit.bench import Bench  # noqa: E402
from testkit.engines import borrow_engine  # noqa: E402
from testkit.sigstore import TestSigstore  # noqa: E402

GROWTH = 13.0
"""Times the processor time for ten times as many: 10 is linear; caches too small for the data take the rest."""
APPROVERS = ("ann", "bob")
REPOSITORY = "https://github.com/acme/shop"
REPORTS = ("text", "json", "markdown", "html", "sarif", "junit", "csv")
MEGABYTES = 4096
"""Peak memory of a process: what a small CI machine has."""


def lock(packages: int, *, sound: bool = True) -> tuple[bytes, bytes]:
    """Return package.json and a lockfile of so many packages in chains of ten; unsound: none is bound to bytes."""
    entries: dict[str, Any] = {}
    declared = {f"p{number}": "1.0.0" for number in range(0, packages, 10)}
    for number in range(packages):
        name = f"p{number}"
        digest = hashlib.sha512(name.encode()).digest()
        entry: dict[str, Any] = {"version": "1.0.0"}
        if sound:
            entry["resolved"] = f"https://registry.npmjs.org/{name}/-/{name}-1.0.0.tgz"
            entry["integrity"] = f"sha512-{base64.b64encode(digest).decode()}"
        if number % 10 != 9 and number + 1 < packages:
            entry["dependencies"] = {f"p{number + 1}": "1.0.0"}
        entries[f"node_modules/{name}"] = entry
    about = {"name": "load", "version": "1.0.0", "dependencies": declared}
    document = {
        "name": "load",
        "version": "1.0.0",
        "lockfileVersion": 3,
        "requires": True,
        "packages": {"": about, **entries},
    }
    return json.dumps(about).encode(), json.dumps(document).encode()


def project(folder: Path, packages: int, *, sound: bool = True) -> Path:
    """Write such a project."""
    folder.mkdir()
    manifest, locked = lock(packages, sound=sound)
    (folder / "package.json").write_bytes(manifest)
    (folder / "package-lock.json").write_bytes(locked)
    return folder


# The system accounts to a process what its parent held when it was started: so a small one starts it.
_APART = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stderr=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
process.returncode = os.waitstatus_to_exitcode(status)
print(process.returncode, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, file=sys.stderr)
"""


def sbomgate(work: Path, *arguments: str) -> tuple[int, bytes, float, float]:
    """Run a command; return exit code, stdout, seconds of processor time and MB of memory."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(work), "XDG_CACHE_HOME": str(work / "cache")}
    if "PYTHONPATH" in os.environ:
        environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
    with tempfile.TemporaryFile() as out:
        command = [sys.executable, "-Sc", _APART, sys.executable, "-m", "sbomgate", *arguments]
        ran = subprocess.run(command, cwd=work, env=environment, stdout=out, stderr=subprocess.PIPE, check=True)
        code, seconds, memory = ran.stderr.split()
        out.seek(0)
        return int(code), out.read(), float(seconds), float(memory)


def gates(bench: Bench, count: int, *, at_once: int) -> list[tuple[int, float, float]]:
    """Run so many gates, each on an artefact of its own, on one cache and one store.

    Returns of each: exit code, seconds of processor time, MB.
    """

    def one(number: int) -> tuple[int, float, float]:
        artefact = bench.folder / f"app-{number}.tgz"
        artefact.write_bytes(b"%d" % number)
        common = ("--trust", "trust.toml", "--facts", "facts.json", "--offline", "--json")
        code, _, seconds, memory = sbomgate(
            bench.folder, "gate", "shop", *common, "--subject", f"file:{artefact.name}", "--key", "release.key",
            "--store", "evidence",
        )  # fmt: skip
        return code, seconds, memory

    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(one, range(count)))


def verified(bench: Bench, count: int) -> list[int]:
    """Verify what `gates` allowed, one after the other; return the exit codes."""
    common = ("--trust", "trust.toml", "--store", "evidence")
    return [bench.run("verify", f"file:app-{number}.tgz", *common).code for number in range(count)]


def waived(count: int) -> int:
    """Verify so many signed waivers; return how many count."""
    key = evidence.key()
    trust = evidence.trusting(evidence.signer(key, roles=("approver",), person="ann"))
    bundles = {}
    for number in range(count):
        said = Waiver(
            rule="release_age", package=(f"p{number}", "1.0.0", "sha512-x"), fingerprint=None, project="shop",
            issued_at=evidence.NOW, until=evidence.NOW + timedelta(days=30), reason="read it",
        )  # fmt: skip
        bundles[f"{number}.sigstore.json"] = key.sign(approvals.write(said))
    people = approvals.accepted(bundles, trust, now=evidence.NOW, authors=Authors())
    return len(people.signed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One command on so much of something: what it must answer, and what it took."""

    work: str
    answer: str
    fits: bool
    seconds: float
    megabytes: float


def _trusted(work: Path, packages: int) -> None:
    """Write a project with facts about each of its packages, a key, a trust file, and an artefact."""
    project(work / "shop", packages)
    now = datetime.now(UTC).replace(microsecond=0)
    sigstore = TestSigstore(now)
    known = workload.collected(lockfiles.read(DiskFiles(work / "shop")), now, sigstore)
    workload.trust(work, known, sigstore)
    (work / "app.tgz").write_bytes(b"what ships")


def _gated(work: Path) -> Path | None:
    """Return the build that was gated; the store holds no other. None where `gate` stored nothing, as its row says."""
    return next((work / "evidence").glob("??/*/decisions/*"), None)


def _ran(work: Path, name: str, wanted: int, *arguments: str) -> Run:
    code, _, seconds, memory = sbomgate(work, *arguments)
    return Run(work=name, answer=f"exit {code}", fits=code == wanted, seconds=seconds, megabytes=memory)


def packages_(work: Path, count: int, engine: Sequence[str]) -> Iterator[Run]:
    """A lock of so many packages, through the verbs that a release calls."""
    _trusted(work, count)
    about = ("--trust", "trust.toml", "--facts", "facts.sigstore.json", "--offline", *engine)
    code, out, seconds, memory = sbomgate(work, "generate", "shop")
    held = len(json.loads(out)["components"]) if code == 0 else 0
    yield Run(work="`generate`", answer=f"{held:,} components", fits=held == count, seconds=seconds, megabytes=memory)
    yield _ran(work, "`check`", 0, "check", "shop", *about)
    subject = ("--subject", "file:app.tgz", "--key", "release.key", "--store", "evidence")
    yield _ran(work, "`gate`", 0, "gate", "shop", *about, *subject)
    yield _ran(work, "`verify`", 0, "verify", "file:app.tgz", "--trust", "trust.toml", "--store", "evidence")
    if (build := _gated(work)) is None:
        return
    yield _ran(work, "`replay`", 0, "replay", str(build), *engine)
    yield _ran(work, "`report --format html`", 0, "report", str(build), "--format", "html", "-o", "report.html")
    shutil.rmtree(work / "evidence")


def unknown_(work: Path, count: int, engine: Sequence[str]) -> Iterator[Run]:
    """A lock of so many packages of which nothing is known but what it says: each is looked at by every rule."""
    project(work / "shop", count)
    key(work)
    yield _ran(work, "`check --offline`", 0, "check", "shop", "--offline", "--trust", "trust.toml", *engine)


def formats_(work: Path, count: int, engine: Sequence[str]) -> Iterator[Run]:
    """The same lock in each other format, of whose packages nothing is known but what it says."""
    manifest, locked = lock(count)
    key(work)
    for name, file in locks.FORMATS.items():
        if name == "npm":
            continue
        folder = work / name
        folder.mkdir()
        (folder / "package.json").write_bytes(manifest)
        (folder / file).write_bytes(locks.convert(json.loads(locked), name))
        code, out, seconds, memory = sbomgate(work, "generate", name)
        held = len(json.loads(out)["components"]) if code == 0 else 0
        yield Run(
            work=f"{name}: `generate`", answer=f"{held:,} components", fits=held == count, seconds=seconds,
            megabytes=memory,
        )  # fmt: skip
        about = ("--trust", "trust.toml", "--offline", *engine)
        yield _ran(work, f"{name}: `check`", 0, "check", name, *about)
        subject = ("--subject", "file:app.tgz", "--key", "release.key", "--store", "evidence")
        yield _ran(work, f"{name}: `gate`", 0, "gate", name, *about, *subject)
        shutil.rmtree(work / "evidence", ignore_errors=True)


def key(work: Path) -> None:
    """Write the keys of who decides and of two approvers, a trust file that accepts them, and an artefact."""
    text = f'schema = "sbomgate/trust/v1"\nrepository = "{REPOSITORY}"\n'
    for name, role in (("release", "decision"), *((name, "approver") for name in APPROVERS)):
        made = local_key.generate(work / f"{name}.key")
        text += f'[[signers]]\nname = "{name}"\nroles = ["{role}"]\npublic_key = """\n{made.public_key}"""\n'
    (work / "trust.toml").write_text(text)
    (work / "app.tgz").write_bytes(b"what ships")


def findings_(work: Path, count: int, engine: Sequence[str]) -> Iterator[Run]:
    """A lock whose packages have four findings each, as it is told to people and machines."""
    project(work / "shop", max(1, count // 4), sound=False)
    (work / "shop" / "sbomgate.toml").write_text('profile = "strict"\n')
    key(work)
    about = ("--offline", "--trust", "trust.toml", *engine)
    code, out, seconds, memory = sbomgate(work, "check", "shop", *about, "--json")
    found = sum(len(entry["findings"]) for entry in json.loads(out)["denials"]) if code == 1 else 0
    yield Run(
        work="`check --json`", answer=f"{found:,} denials", fits=found >= count, seconds=seconds, megabytes=memory
    )
    yield _ran(work, "`review`", 1, "review", "shop", *about)
    subject = ("--subject", "file:app.tgz", "--key", "release.key", "--store", "evidence")
    yield _ran(work, "`gate`", 1, "gate", "shop", *about, *subject)
    if (build := _gated(work)) is None:
        return
    for name in REPORTS:
        yield _ran(work, f"`report --format {name}`", 0, "report", str(build), "--format", name, "-o", "out")
    yield _ran(work, "`verify`", 1, "verify", "file:app.tgz", "--trust", "trust.toml", "--store", "evidence")


def waivers_(work: Path, count: int, engine: Sequence[str]) -> Iterator[Run]:
    """So many signed waivers, each of a package that is denied without it."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    counted = waived(count)
    used = resource.getrusage(resource.RUSAGE_SELF)
    yield Run(
        work="signed, and verified in one process", answer=f"{counted:,} count", fits=counted == count,
        seconds=used.ru_utime - before, megabytes=used.ru_maxrss / 1024,
    )  # fmt: skip
    # In a project of which nobody can tell who made the change, two people have to say it.
    key(work)
    project(work / "shop", count // 2)
    folder = work / "shop" / ".sbomgate" / "approvals"
    folder.mkdir(parents=True)
    now = datetime.now(UTC).replace(microsecond=0)
    for name in APPROVERS:
        signer = local_key.load(work / f"{name}.key")
        for number in range(count // 2):
            integrity = f"sha512-{base64.b64encode(hashlib.sha512(f'p{number}'.encode()).digest()).decode()}"
            said = Waiver(
                rule="provenance", package=(f"p{number}", "1.0.0", integrity), fingerprint=None, project=REPOSITORY,
                issued_at=now, until=now + timedelta(days=30), reason="read it",
            )  # fmt: skip
            (folder / f"{name}-{number}.sigstore.json").write_bytes(signer.sign(approvals.write(said)))
    about = ("--offline", "--trust", "trust.toml", "--profile", "strict", *engine)
    code, out, seconds, memory = sbomgate(work, "check", "shop", *about, "--json")
    waived_now = len(json.loads(out)["waived"]) if code == 1 else 0
    yield Run(
        work="`check` with them", answer=f"{waived_now:,} packages waived", fits=waived_now == count // 2,
        seconds=seconds, megabytes=memory,
    )  # fmt: skip


def names_(work: Path, count: int, engine: Sequence[str]) -> Iterator[Run]:
    """A feed of so many names, made from OSV's records, one of them a package that the project holds."""
    with zipfile.ZipFile(work / "osv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(count):
            record = {
                "id": f"MAL-2026-{number}", "modified": "2026-04-01T00:00:00Z",
                "affected": [{"package": {"ecosystem": "npm", "name": f"evil-{number}"}, "versions": ["1.0.0"]}],
            }  # fmt: skip
            archive.writestr(f"MAL-2026-{number}.json", json.dumps(record))
    yield _ran(work, "`feed import`", 0, "feed", "import", "osv.zip", "-o", "malicious.csv")
    project(work / "shop", 10)
    (work / "shop" / "sbomgate.toml").write_text('[malicious]\nlists = ["malicious.csv"]\n')
    shutil.move(work / "malicious.csv", work / "shop" / "malicious.csv")
    yield _ran(work, "`check` of ten packages with it", 0, "check", "shop", "--offline", *engine)


KINDS = {
    "packages": packages_,
    "unknown": unknown_,
    "formats": formats_,
    "findings": findings_,
    "waivers": waivers_,
    "names": names_,
}


def runs(kind: str, size: int, engine: Sequence[str]) -> Iterator[Run]:
    """Run one kind of load in a folder of its own; the engine is compiled before anything is measured."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        engines = work / "cache" / "sbomgate" / "engine"
        engines.mkdir(parents=True, mode=0o700)
        borrow_engine(engines)
        project(work / "first", 1)
        sbomgate(work, "check", "first", "--offline")
        yield from KINDS[kind](work, size, engine)


def measure(kind: str, count: int, engine: Sequence[str] = ()) -> Iterator[tuple[str, list[str]]]:
    """Yield the rows of one kind of load, as they come, and with each what is wrong or over its bar."""
    tenth = {run.work: run for run in runs(kind, count // 10, engine)}
    for large in runs(kind, count, engine):
        small = tenth[large.work]
        growth = large.seconds / small.seconds
        about, wrong = f"{large.work} of {count:,} {kind}", []
        if not (large.fits and small.fits):
            wrong.append(f"{about}: {large.answer}, of a tenth: {small.answer}")
        if growth > GROWTH:
            wrong.append(f"{about} takes {growth:.1f} times as long as of a tenth")
        if large.megabytes > MEGABYTES:
            wrong.append(f"{about} takes {large.megabytes:.0f} MB")
        yield (
            f"| {count:,} {kind} | {large.work} | {small.seconds:.1f} | {large.seconds:.1f} | {growth:.1f} "
            f"| {large.megabytes:.0f} | {large.answer} |",
            wrong,
        )


def at_once(count: int) -> tuple[list[str], list[str]]:
    """Return the rows of so many gates at once, and what is wrong with their store."""
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        if bench.check().code != 0:
            wrong.append("the project that is gated is not allowed")
        started = time.monotonic()
        ran = gates(bench, count, at_once=count)
        took = time.monotonic() - started
        codes, seconds_, megabytes = zip(*ran, strict=True)
        allowed = f"{codes.count(0)} allowed, {took:.0f} s on the clock"
        mean = sum(seconds_) / count
        rows = [f"| {count} gates at once | `gate`, each | | {mean:.2f} | | {max(megabytes):.0f} | {allowed} |"]
        if set(codes) != {0}:
            wrong.append(f"gates: {sorted(codes)}")
        if set(accepted := verified(bench, count)) != {0}:
            wrong.append(f"verify: {sorted(accepted)}")
        code, _, seconds, memory = sbomgate(bench.folder, "audit", "evidence", "--trust", "trust.toml")
        held = len(bench.decisions())
        rows.append(f"| | `audit` of their store | | {seconds:.1f} | | {memory:.0f} | exit {code}, {held} decisions |")
        if code != 0 or held != count:
            wrong.append(f"audit: exit {code}, {held} decisions")
    return rows, wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return 1 where an answer is wrong or a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--packages", type=int, default=40_000, help="all is known of: a signed facts file holds 46,000"
    )
    parser.add_argument("--unknown", type=int, default=100_000, help="packages of which nothing is known")
    parser.add_argument("--formats", type=int, default=100_000)
    parser.add_argument("--findings", type=int, default=50_000)
    parser.add_argument("--waivers", type=int, default=1000)
    parser.add_argument("--names", type=int, default=250_000)
    parser.add_argument("--gates", type=int, default=64)
    parser.add_argument("--engine", default="embedded", help="embedded, or opa: the one on PATH")
    args = parser.parse_args(arguments)
    wrong: list[str] = []
    print(
        "| load | work | a tenth, processor s | all, processor s | times | MB | answer |\n|---|---|---|---|---|---|---|"
    )
    for kind in KINDS:
        if count := getattr(args, kind):
            for row, over in measure(kind, count, ("--engine", args.engine)):
                print(row, flush=True)
                wrong += over
    if args.gates:
        rows, over = at_once(args.gates)
        print("\n".join(rows))
        wrong += over
    for one in wrong:
        print(f"wrong: {one}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
