"""How it bears load: `python benchmarks/load.py [--packages 100000] [--findings 50000] [--waivers 1000] [--gates 64]`.

A lock of so many packages through `generate` and `check`; a lock of which every package is a finding; so many signed
waivers; so many gates at once on one cache and one store, whose store is audited afterwards. Whole processes, no
network. Prints a table in Markdown (processor time and memory; nothing waits for a clock) and exits 1 where an answer
is wrong.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path += [str(ROOT / "tests"), str(ROOT)]  # last: it is the installed sbomgate that is measured

from sbomgate import approvals  # noqa: E402
from sbomgate.model import Authors, Waiver  # noqa: E402
from testkit import evidence  # noqa: E402
from testkit.bench import Bench  # noqa: E402

Row = tuple[str, float, float, str]


def lock(packages: int, *, sound: bool = True) -> tuple[bytes, bytes]:
    """Return package.json and a lockfile of so many packages in chains of ten; unsound: none is bound to bytes."""
    entries: dict[str, Any] = {}
    declared = {f"p{number}": "1.0.0" for number in range(0, packages, 10)}
    for number in range(packages):
        name = f"p{number}"
        digest = hashlib.sha512(name.encode()).digest()
        import base64

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


def sbomgate(work: Path, *arguments: str) -> tuple[int, bytes, float, float]:
    """Run a command; return exit code, stdout, seconds of processor time and MB of memory."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(work), "XDG_CACHE_HOME": str(work / "cache")}
    if "PYTHONPATH" in os.environ:
        environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "sbomgate", *arguments],
            cwd=work,
            env=environment,
            stdout=out,
            stderr=subprocess.DEVNULL,
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        return process.returncode, out.read(), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def gates(bench: Bench, count: int, *, at_once: int) -> list[int]:
    """Run so many gates, each on an artefact of its own, on one cache and one store; return their exit codes."""

    def one(number: int) -> int:
        artefact = bench.folder / f"app-{number}.tgz"
        artefact.write_bytes(b"%d" % number)
        common = ("--trust", "trust.toml", "--facts", "facts.json", "--offline", "--json")
        code, *_ = sbomgate(
            bench.folder, "gate", "shop", *common, "--subject", f"file:{artefact.name}", "--key", "release.key",
            "--store", "evidence",
        )  # fmt: skip
        return code

    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(one, range(count)))


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


def measure(packages: int, findings: int, waivers: int, count: int) -> tuple[list[Row], list[str]]:
    """Return the rows, and what was wrong."""
    rows: list[Row] = []
    wrong: list[str] = []

    def expect(fits: bool, what: str) -> None:
        if not fits:
            wrong.append(what)

    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        project(work / "large", packages)
        code, out, seconds, memory = sbomgate(work, "generate", "large")
        held = len(json.loads(out)["components"]) if code == 0 else 0
        rows.append((f"`generate`, {packages:,} packages", seconds, memory, f"{held:,} components"))
        expect(held == packages, f"generate: {held:,} of {packages:,} packages")
        code, out, seconds, memory = sbomgate(work, "check", "large", "--offline", "--json")
        rows.append((f"`check`, {packages:,} packages", seconds, memory, f"exit {code}"))
        expect(code in (0, 1, 2), f"check: exit {code}")
        project(work / "bad", findings, sound=False)
        code, out, seconds, memory = sbomgate(work, "check", "bad", "--offline", "--json", "--profile", "strict")
        rows.append((f"`check`, {findings:,} packages, each a finding", seconds, memory, f"exit {code}"))
        expect(code == 1, f"check of unbound packages: exit {code}")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
        counted = waived(waivers)
        used = resource.getrusage(resource.RUSAGE_SELF)
        rows.append(
            (
                f"{waivers:,} waivers, signed and verified",
                used.ru_utime - before,
                used.ru_maxrss / 1024,
                f"{counted:,} count",
            )
        )
        expect(counted == waivers, f"{counted:,} of {waivers:,} waivers count")
        bench = Bench(_made(work / "gates"))
        expect(bench.check().code == 0, "the project that is gated is not allowed")
        started = time.monotonic()
        codes = gates(bench, count, at_once=count)
        took = time.monotonic() - started
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        rows.append(
            (
                f"{count} gates at once ({took:.0f} s by the clock)",
                float("nan"),
                children.ru_maxrss / 1024,
                f"{codes.count(0)} allowed",
            )
        )
        expect(codes == [0] * count, f"gates: {sorted(codes)}")
        code, out, seconds, memory = sbomgate(bench.folder, "audit", "evidence", "--trust", "trust.toml")
        rows.append(("`audit` of their store", seconds, memory, f"exit {code}, {len(bench.decisions())} decisions"))
        expect(code == 0 and len(bench.decisions()) == count, f"audit: exit {code}, {len(bench.decisions())} decisions")
    return rows, wrong


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return 1 where an answer is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=int, default=100_000)
    parser.add_argument("--findings", type=int, default=50_000)
    parser.add_argument("--waivers", type=int, default=1000)
    parser.add_argument("--gates", type=int, default=64)
    args = parser.parse_args(arguments)
    rows, wrong = measure(args.packages, args.findings, args.waivers, args.gates)
    print("| load | processor s | MB | answer |\n|---|---|---|---|")
    for name, seconds, memory, answer in rows:
        print(f"| {name} | {'' if seconds != seconds else f'{seconds:.1f}'} | {memory:.0f} | {answer} |")
    for one in wrong:
        print(f"wrong: {one}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
