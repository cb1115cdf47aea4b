"""What a store's size costs: `python benchmarks/large_store.py [--builds 10000] [--rounds 20]`.

Two stores, one of 10 builds and one of so many, of fifty projects in turn. The newest builds lie there as they are; of
those before them the log has its lines, which is all that is read of them. In each: storing a decision with its head,
finding the baseline of a project (the last build of that project, and one that has none), and what `verify` reads.
Processor time and time on the clock, medians. It prints a table in Markdown and exits 1 when the large store costs more
than twice what the small one does where that is promised.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path += [str(ROOT / "tests"), str(ROOT)]  # last: it is the installed sbomgate that is measured

from sbomgate import files  # noqa: E402
from sbomgate.evidence import baseline, head, layout, log  # noqa: E402
from sbomgate.evidence.head import Entry  # noqa: E402
from sbomgate.evidence.record import Record  # noqa: E402
from sbomgate.model import Subject, SubjectKind  # noqa: E402
from testkit.evidence import NOW, decision, key, record, signer  # noqa: E402

PROJECTS, REAL, SMALL = 50, 100, 10
REPOSITORY = "https://github.com/acme/service-"
SIGNERS = (signer(key()),)


def main() -> int:
    """Measure, print, and return 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--builds", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=20)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = [dict(measure(Path(folder) / str(builds), builds, args.rounds)) for builds in (SMALL, args.builds)]
    print(f"| work | {SMALL} builds | {args.builds:,} builds | ratio of processor time |\n|---|---|---|---|")
    worst = 0.0
    for work, (small, _) in found[0].items():
        (large, promised) = found[1][work]
        ratio = large[0] / small[0]
        worst = max(worst, ratio if promised else 0.0)
        cells = (f"{cpu * 1000:.1f} ms ({wall * 1000:.1f} on the clock)" for cpu, wall in (small, large))
        print(f"| {work} | {' | '.join(cells)} | {ratio:.2f}{', bar 2' if promised else ''} |")
    return int(worst > 2)


def measure(store: Path, builds: int, rounds: int) -> Iterator[tuple[str, tuple[tuple[float, float], bool]]]:
    """Make a store of so many builds, and yield what each work takes in it, and whether that is promised."""
    make(store, builds)
    numbers = iter(range(builds, builds + rounds))

    def look(number: int) -> None:
        context = decision(repository=f"{REPOSITORY}{number}").context
        held = baseline.baseline(baseline.read(store), context, "shop", signers=SIGNERS, now=moment(builds + rounds))
        if (held.evidence is None) is (number < min(PROJECTS, builds)):
            raise SystemExit(f"the baseline of project {number} is {held.evidence}")

    about = build(builds - 1).claimed.subject
    yield "the baseline of a project, its last build", (median(lambda: look((builds - 1) % PROJECTS), rounds), True)
    yield "the baseline of a project that has none", (median(lambda: look(PROJECTS), rounds), False)
    yield "what `verify` reads", (median(lambda: (log.view(store), layout.find(store, about)), rounds), False)
    made = [(build(number), notary(number)) for number in numbers]
    yield "storing a decision", (median(lambda: log.add(store, *made.pop()), rounds), True)


def make(store: Path, builds: int) -> None:
    """Make the store: the newest builds, and for those before them their lines in the log."""
    real = min(builds, REAL)
    store.mkdir()
    wait = files.sync_all
    files.sync_all = lambda paths: None  # noqa: ARG005 - it may be lost with the machine
    if before := builds - real:
        template = build(0)
        entries = (
            replace(
                entry(template, number),
                sha256=hashlib.sha256(b"decision %d" % number).hexdigest(),
                build=hashlib.sha256(b"build %d" % number).hexdigest(),
            )
            for number in range(before)
        )
        log.renew(store, log.Notary(signer=key(), signers=SIGNERS, now=moment(0)), entries)
    for number in range(before, builds):
        log.add(store, build(number), notary(number))
    files.sync_all = wait


def build(number: int) -> Record:
    """Return the decision on the n-th build, of the project whose turn it is."""
    about = Subject(kind=SubjectKind.FILE, name="shop.tgz", digest={"sha256": f"{number:064x}"})
    return record(subject=about, age=NOW - moment(number), repository=f"{REPOSITORY}{number % PROJECTS}")


def entry(template: Record, number: int) -> Entry:
    """Return the line of the n-th build."""
    context = decision(repository=f"{REPOSITORY}{number % PROJECTS}").context
    about = head.project_of(context, template.claimed.project)
    return Entry(sha256="", project=about, time=f"{moment(number):%Y-%m-%dT%H:%M:%SZ}")


def notary(number: int) -> log.Notary:
    """Return who signs the head over the n-th build."""
    return log.Notary(signer=key(), signers=SIGNERS, now=moment(number))


def moment(number: int) -> datetime:
    """Return when the n-th build was decided."""
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)


def median(work: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Return the processor seconds and the seconds on the clock of some work."""
    took = []
    for _ in range(rounds):
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        took.append((time.process_time() - cpu, time.perf_counter() - wall))
    return statistics.median(c for c, _ in took), statistics.median(w for _, w in took)


if __name__ == "__main__":
    raise SystemExit(main())
