"""How fast a large store is: `python benchmarks/store.py [--builds 1000] [--at DIR]`.

It makes a store of so many builds (ten states of a project with 400 packages, a hundred of them attested; the rules,
trust roots and SBOMs shared by hard links, facts and policy inputs each build's own), audits it as a whole process, and
appends to a small log and to one of 10,000 builds. With --at the store is kept there and used again. No network. It
prints a table in Markdown and exits 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path += [str(ROOT / "tests"), str(ROOT)]  # last: it is the installed sbomgate that is measured

from benchmarks import workload  # noqa: E402
from sbomgate import decision, gate, trust  # noqa: E402
from sbomgate.decision import material  # noqa: E402
from sbomgate.evidence import layout, log  # noqa: E402
from sbomgate.evidence.head import Entry  # noqa: E402
from sbomgate.evidence.record import Record  # noqa: E402
from sbomgate.model import Bootstrap, Context, DependencyGraph, Subject, SubjectKind, Trust  # noqa: E402
from sbomgate.policy import bundle, parameters  # noqa: E402
from sbomgate.policy.engines.embedded import EmbeddedEngine  # noqa: E402
from sbomgate.policy.lists import SHIPPED  # noqa: E402
from sbomgate.resources import path as resource  # noqa: E402
from sbomgate.signing import local_key  # noqa: E402
from sbomgate.times import format_time  # noqa: E402
from testkit.graphs import graph, package  # noqa: E402
from testkit.sigstore import TestSigstore  # noqa: E402

PACKAGES, CHANGED, STATES = 400, 4, 10
LARGE = 10_000
AUDIT_SECONDS, BUILDS = 20.0, 1000
TEMPLATE = "11" * 32
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def main() -> int:
    """Measure, print, and return 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--builds", type=int, default=BUILDS)
    parser.add_argument("--at", type=Path, help="keep the store here")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = args.at or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        if not (work / "made").exists():
            shutil.rmtree(work / "evidence", ignore_errors=True)
            make(work, args.builds)
            (work / "made").touch()
        builds = len(layout.scan(work / "evidence").builds)
        apparent = subprocess.run(["du", "-sk", work / "evidence"], capture_output=True, text=True, check=True).stdout
        wall, cpu = _audit(work)
        small, large = _append(work / "append")
    bar = AUDIT_SECONDS * builds / BUILDS
    each = int(apparent.split()[0]) / 1024 / builds
    rows = [
        ("the store, blobs of recent builds linked", f"{each:.2f} MB per build", "", f"{builds} builds"),
        # What other work on the machine takes does not count: its processor time, shared by two.
        (
            "`audit`, every byte, signature and head",
            f"{cpu / 2:.1f} s of two processors",
            f"{bar:g} s",
            f"{wall:.1f} s on the clock",
        ),
        (
            f"append to a log of {LARGE:,} entries, the decision included",
            f"{large * 1000:.1f} ms of processor",
            "2 × the first",
            f"{small * 1000:.1f} ms to the first",
        ),
    ]
    print("| work | figure | bar | |\n|---|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    return int(cpu / 2 > bar or large > 2 * small)


def make(work: Path, builds: int) -> None:
    """Make a store of so many builds, with a key and a trust file."""
    sigstore = TestSigstore(NOW)
    for name in ("release.key", "release.key.pub"):
        (work / name).unlink(missing_ok=True)
    tree = _tree(0)
    known = workload.collected(tree, NOW, sigstore)
    spec = workload.trust(work, known, sigstore)
    key = local_key.load(work / "release.key")
    accepted = trust.load(spec, project_root=None)
    notary = log.Notary(signer=key, signers=accepted.signers, now=NOW)
    with EmbeddedEngine(work / "engine", lambda told: print(told, file=sys.stderr)) as engine:
        states = []
        for state in range(min(STATES, builds)):
            tree = _tree(state)
            states.append(_decided(tree, accepted, sigstore, key, engine))
    for number in range(builds):
        made = states[number * len(states) // builds]
        log.add(work / "evidence", _build(made, number, accepted, key), notary)
        if sys.stderr.isatty():
            print(f"\r{number + 1} of {builds}", end="", file=sys.stderr)


def _tree(state: int) -> DependencyGraph:
    """Return the dependencies in their n-th state: some of them are at another version than before."""
    moved = {(state * CHANGED + one) % PACKAGES for one in range(CHANGED)} if state else set()
    found = []
    for number in range(PACKAGES):
        version = f"1.{state if number in moved else 0}.0"
        sha512 = hashlib.sha512(f"{number} {version}".encode()).hexdigest()
        name = f"part-{number:03}"
        address = f"https://registry.npmjs.org/{name}/-/{name}-{version}.tgz"
        found.append(package(name, version, sha512=sha512, resolved=address))
    return graph(*found)


def _decided(
    tree: DependencyGraph, accepted: Trust, sigstore: TestSigstore, key: local_key.LocalKey, engine: EmbeddedEngine
) -> gate.Unsigned:
    """Decide for real, once for each state."""
    question = gate.Question(
        context=Context(
            evaluated_at=NOW,
            profile="default",
            lockfile_path="package-lock.json",
            subject=Subject(kind=SubjectKind.FILE, name="shop.tgz", digest={"sha256": TEMPLATE}),
            link="asserted",
            time_source=key.time_source,
        ),
        trust=accepted,
        material=gate.material_of(accepted, b"", b"", updated=None),
        parameters=parameters.effective(
            parameters.declared(resource(*parameters.CATALOGUE).read_bytes()), {}, {}, trust_where=""
        ),
        lists={"shipped.csv": resource(*SHIPPED).read_bytes()},
        bundle=bundle.shipped(),
        baseline=Bootstrap(reason="none yet"),
        project_files={tree.lockfile.path: (tree.lockfile.sha256, tree.lockfile.size)},
    )
    gathered = gate.gather(tree, question, collect=lambda _: workload.collected(tree, NOW, sigstore))
    answer = gate.decide(tree, gathered, question, engine=engine)
    return gate.unsigned(answer, question, signer=key)


def _build(made: gate.Unsigned, number: int, accepted: Trust, key: local_key.LocalKey) -> Record:
    """Return the same decision on another artefact, an hour earlier for each: its facts and input have that time."""
    moment = NOW - timedelta(hours=number)
    was, now = format_time(NOW).encode(), format_time(moment).encode()
    digest = hashlib.sha256(b"%d" % number).hexdigest()
    own = {name: made.blobs[name].replace(was, now) for name in (gate.FACTS, decision.POLICY_INPUT, gate.LEDGER)}
    own[decision.POLICY_INPUT] = own[decision.POLICY_INPUT].replace(TEMPLATE.encode(), digest.encode())
    blobs = {**made.blobs, **own}
    subject = Subject(kind=SubjectKind.FILE, name="shop.tgz", digest={"sha256": digest})
    materials = tuple(
        material(one.name, own[one.name], one.media_type) if one.name in own else one for one in made.decision.materials
    )
    again = replace(
        made.decision,
        context=replace(made.decision.context, evaluated_at=moment, subject=subject),
        materials=materials,
    )
    return gate.complete(gate.Unsigned(decision=again, blobs=blobs), accepted, signer=key)


def _audit(work: Path) -> tuple[float, float]:
    """Return seconds on the clock and of all processors, of the audit of the store as a process of its own."""
    program = "import sys; from sbomgate.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "audit", str(work / "evidence"), "--trust", str(work / "trust.toml")]
    before, started = os.times(), time.perf_counter()
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    wall, after = time.perf_counter() - started, os.times()
    print(done.stdout, file=sys.stderr)
    if done.returncode != 0:
        raise SystemExit(f"the audit ended with {done.returncode}")
    cpu = after.children_user - before.children_user + after.children_system - before.children_system
    return wall, cpu


def _append(store: Path) -> tuple[float, float]:
    """Return the processor seconds of an append to an empty log, and to one of 10,000 entries (medians of 30)."""
    from testkit.evidence import key, record, signer

    shutil.rmtree(store, ignore_errors=True)
    notary = log.Notary(signer=key(), signers=(signer(key()),), now=NOW)

    def measure(offset: int) -> float:
        took = []
        for number in range(30):
            about = Subject(kind=SubjectKind.FILE, name="a", digest={"sha256": f"{offset + number:064x}"})
            one = record(subject=about)
            started = time.process_time()
            log.add(store / str(offset), one, notary)
            took.append(time.process_time() - started)
        return statistics.median(took)

    small = measure(0)
    held = [Entry(sha256=f"{number:064x}", build=f"{number:064x}") for number in range(LARGE)]
    (store / "1000").mkdir()
    log.renew(store / "1000", notary, held)
    return small, measure(1000)


if __name__ == "__main__":
    raise SystemExit(main())
