"""How fast the inventory is: `python benchmarks/inventory.py [--builds 10000] [--packages 1500] [--postgres]`.

Makes a synthetic inventory (400 projects, each with near-equal builds, 60,000 names), measures questions to it in a
process that is warm, one build added, compactions of growing size and a sweep, and asks SQLite, and where that is asked
for PostgreSQL, the same of the same rows. `--builds 70000` is 100 million rows: fifteen minutes to make, with 8 GB of
memory and 30 GB of disk. Prints a table in Markdown and exits 1 when a bar is missed. What was made is kept in
build/bench.

A machine that does other work is slower on the clock: compare the processor seconds beside it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path += [str(ROOT / "tests"), str(ROOT)]  # last: it is the installed sbomgate that is measured

from sbomgate.cli import _inventory_sweep  # noqa: E402
from sbomgate.inventory import answers, sweep, terms  # noqa: E402
from sbomgate.inventory.engines import Engine  # noqa: E402
from sbomgate.inventory.engines.duck import ROW_GROUP, Writer  # noqa: E402
from sbomgate.inventory.folder import MAX_SEGMENT_ROWS, Folder  # noqa: E402
from sbomgate.inventory.place import Segment  # noqa: E402
from sbomgate.inventory.rows import COLUMNS  # noqa: E402
from sbomgate.lockfiles import _range  # noqa: E402
from sbomgate.policy import feed  # noqa: E402
from testkit.inventories import build  # noqa: E402

WORK = ROOT / "build" / "bench"
PROJECTS = 400
SEGMENT_BUILDS = 5_000
"""Builds of one segment, 7 million rows: what a machine sorts in 6 GB of memory. Compactions leave several, too."""

# A package of a project: a third of them are well known; most have one version everywhere, some drift.
_ROWS = """
WITH b AS (SELECT range AS b, range % {projects} AS p, range // {projects} AS r FROM range({first}, {end})),
k AS (SELECT range AS k FROM range({packages})),
n AS (SELECT *, CASE WHEN k % 3 = 0 THEN hash(p * 7919 + k) % 2000 ELSE 2000 + hash(p * 104729 + k) % 58000 END AS n
      FROM b, k),
v AS (SELECT *, hash(n) % 5 + CASE WHEN hash(n * 31 + p) % 4 = 0 THEN hash(p + n) % 12 ELSE 0 END
                + CASE WHEN hash(n * 17 + p) % 20 = 0 THEN r // 5 ELSE 0 END AS v FROM n),
package AS (SELECT DISTINCT ON (b, n) * FROM v)
SELECT 'package-' || n AS name, '1.' || v % 10 || '.' || v AS version, (hash(b) >> 1)::BIGINT AS build,
  'registry' AS kind, k % 40 = 0 AS direct, k % 3 = 0 AS dev, false AS optional, NULL AS called,
  'sha512-' || to_base64(unhex(sha256(n || 'a' || v) || sha256(n || 'b' || v))) AS integrity,
  CASE hash(n) % 8 WHEN 0 THEN 'Apache-2.0' WHEN 1 THEN 'ISC' ELSE 'MIT' END AS licence,
  'user' || hash(n) % 9000 AS publisher, ['user' || hash(n) % 9000, 'user' || hash(n + 1) % 9000] AS maintainers,
  CASE WHEN hash(n) % 5 = 0 THEN 'https://github.com/org' || hash(n) % 3000 || '/r' || n END AS repository,
  CASE WHEN hash(n) % 5 = 0 THEN 'verified' ELSE 'unattested' END AS provenance,
  CASE WHEN hash(n) % 50 = 0 THEN 'present' ELSE 'none' END AS scripts,
  TIMESTAMP '2020-01-01' + to_seconds((hash(n * 100 + v) % 200000000)::BIGINT) AS published, 'registry' AS published_by,
  ['package-' || hash(p + k) % 500, 'package-' || hash(p * 3 + k) % 5000, 'package-' || n] AS path,
  'https://registry.npmjs.org/' AS registry, {nothing} FROM package
UNION ALL
SELECT '' AS name, NULL, (hash(b) >> 1)::BIGINT AS build, {nulls},
  sha256('evidence' || b), sha256('sbom' || b), 'verified', 'release', 'file:app.tgz', 'sha256:' || sha256('app' || b),
  'project-' || p, '1.' || r, NULL, NULL, 'package-lock.json', NULL, 'production', 'default', 'allowed',
  sha256('policy'), TIMESTAMP '2026-01-01' + to_hours(b::BIGINT), {packages}, NULL FROM b
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table, in seconds."""

    work: str
    clock: float
    cpu: float
    bar: float | None = None
    beside: str = ""


def measure(work: str, done: Callable[[], Any], *, bar: float | None = None, rounds: int = 7, beside: str = "") -> Row:
    """Run it once to warm up, then so many times; return the medians."""
    done()
    clock, cpu = [], []
    for _ in range(rounds):
        wall, processor = time.perf_counter(), time.process_time()
        done()
        clock.append(time.perf_counter() - wall)
        cpu.append(time.process_time() - processor)
    return Row(work=work, clock=statistics.median(clock), cpu=statistics.median(cpu), bar=bar, beside=beside)


def main() -> int:
    """Measure, print, and return 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--builds", type=int, default=10_000)
    parser.add_argument("--packages", type=int, default=1_500, help="of one build")
    parser.add_argument("--without-sqlite", action="store_true")
    parser.add_argument("--postgres", action="store_true", help="ask PostgreSQL too (Debian: postgresql)")
    args = parser.parse_args()
    folder = made(args.builds, args.packages)
    size = sum(path.stat().st_size for path in (folder.path / "segments").iterdir())
    segments = folder.listing().segments
    rows = sum(segment.rows for segment in segments)
    print(f"{args.builds:,} builds, {rows:,} rows, {len(segments)} segments, {size / 1e6:.0f} MB\n")
    engine = folder.reader()
    table = folder.ask(engine, questions)
    table += [sweeping(folder), *adding(args.packages), *compacting(args.packages)]
    if not args.without_sqlite:
        table += beside_sqlite(folder, args)
    if args.postgres:
        table += beside_postgres(folder, args.packages)
    print("| work | clock | processor | bar | | |\n|---|---|---|---|---|---|")
    missed = False
    for row in table:
        over = row.bar is not None and row.clock > row.bar
        missed |= over
        bar = "" if row.bar is None else f"{row.bar:g} s"
        word = "" if row.bar is None else "**over**" if over else "within"
        cpu = "" if row.cpu != row.cpu else f"{row.cpu:.4f} s"  # what another process takes is not known
        print(f"| {row.work} | {row.clock:.4f} s | {cpu} | {bar} | {word} | {row.beside} |")
    return int(missed)


def made(builds: int, packages: int) -> Folder:
    """Return the synthetic inventory; make it where it is not there yet."""
    folder = Folder(WORK / f"inventory-{builds}-{packages}")
    if folder.exists() and folder.listing().segments:
        return folder
    import duckdb

    shutil.rmtree(folder.path, ignore_errors=True)
    folder.create()
    start = time.perf_counter()
    connection = duckdb.connect(":memory:")
    connection.execute("SET temp_directory = ?", [str(WORK / "sort")])
    connection.execute("SET memory_limit = '6GB'")
    connection.execute("SET preserve_insertion_order = false")
    own = list(COLUMNS)[: list(COLUMNS).index("evidence")]
    pieces: list[Segment] = []
    for number, first in enumerate(range(0, builds, SEGMENT_BUILDS), 1):
        end = min(first + SEGMENT_BUILDS, builds)
        sql = _ROWS.format(
            projects=min(PROJECTS, builds),
            first=first,
            end=end,
            packages=packages,
            nothing=", ".join(f"NULL AS {column}" for column in list(COLUMNS)[len(own) :]),
            nulls=", ".join("NULL" for _ in own[3:]),
        )
        target = folder.path / "segments" / f"{number:06}.parquet"
        unsorted = WORK / "unsorted.parquet"
        connection.execute(f"COPY ({sql}) TO '{unsorted}' (FORMAT parquet)")
        connection.execute(
            f"COPY (SELECT * FROM '{unsorted}' ORDER BY name, version, build) TO '{target}' "
            f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"
        )
        unsorted.unlink()
        ((rows,),) = connection.execute(f"SELECT count(*) FROM '{target}'").fetchall()
        pieces.append(Segment(name=target.name, rows=rows, builds=end - first))
        print(f"{end:,} builds made in {time.perf_counter() - start:.0f} s", file=sys.stderr)
    connection.close()
    merge(folder, pieces)
    return folder


def merge(folder: Folder, pieces: list[Segment]) -> None:
    """Merge segments as compactions do, up to the size that those stop at."""
    writer = Writer(WORK / "sort")
    writer._run("SET memory_limit = '8GB'")
    segments: list[Segment] = []
    while pieces:
        taken, pieces = pieces[:1], pieces[1:]
        while pieces and sum(one.rows for one in [*taken, pieces[0]]) <= MAX_SEGMENT_ROWS:
            taken.append(pieces.pop(0))
        if len(taken) > 1:
            wall, processor = time.perf_counter(), time.process_time()
            name = f"{900_000 + len(segments)}.parquet"
            sources = [folder.path / "segments" / one.name for one in taken]
            rows, builds = writer.merge(sources, folder.path / "segments" / name)
            clock, cpu = time.perf_counter() - wall, time.process_time() - processor
            print(f"compaction of {builds:,} builds, {rows:,} rows: {clock:.0f} s, {cpu:.0f} s of processor time, "
                  f"{cpu / builds * 1000:.1f} ms a build", file=sys.stderr)  # fmt: skip
            segments.append(Segment(name=name, rows=rows, builds=builds))
        else:
            segments += taken
    for number, one in enumerate(segments):
        wall, processor = time.perf_counter(), time.process_time()
        segments[number] = replace(one, spans=f"{one.name[:6]}.spans.parquet")
        writer.span(*(folder.path / "segments" / name for name in segments[number].files))
        clock, cpu = time.perf_counter() - wall, time.process_time() - processor
        print(f"spans of {one.builds:,} builds: {clock:.0f} s, {cpu:.0f} s of processor time", file=sys.stderr)
    folder._publish(segments)
    for path in (folder.path / "segments").iterdir():
        if path.name not in {name for one in segments for name in one.files}:
            path.unlink()


def questions(engine: Engine) -> list[Row]:
    """Measure questions to an open engine."""
    name, version = engine.query("SELECT name, version FROM package WHERE name = 'package-500' LIMIT 1")[0]
    ((integrity,),) = engine.query(
        "SELECT integrity FROM package WHERE name = ? AND version = ? LIMIT 1", [name, version]
    )

    def found(*words: str) -> Callable[[], answers.Found]:
        return lambda: answers.find(engine, terms.parse(words), _range.satisfies)

    held = len(found(f"{name}@{version}")().hits)
    many = [f"package-{number * 58}@1.{number % 5}.{number % 5}" for number in range(1000)]
    pairs = [(name, version) for name, _, version in (one.partition("@") for one in many)]
    hits = sum(map(len, answers.holding(engine, pairs).values()))
    return [
        measure("one name@version: `find`", found(f"{name}@{version}"), bar=0.05, beside=f"{held:,} builds"),
        measure("one name, a range", found(f"{name}@>=1.1 <2"), beside="with every column and the path"),
        measure("one sha512", found(str(integrity))),
        measure("a scope or prefix", found("package-500*@1.0.0")),
        measure("1,000 name@version: which builds", lambda: answers.holding(engine, pairs), bar=0.5, rounds=5,
                beside=f"{hits:,} hits, the key of every build handed over"),
        measure("one name@version: which builds", lambda: answers.holding(engine, [(name, version)]), bar=0.05),
    ]  # fmt: skip


def sweeping(folder: Folder) -> Row:
    """Measure a sweep of everything by 250,000 names, from the feed's bytes to the projects."""
    lines = [f"package-{number},1.{number % 5}.{number % 5}" for number in range(0, 60_000, 600)]
    lines += [f"malware-{number},*" for number in range(250_000 - len(lines))]
    data = ("name,version\n" + "\n".join(lines) + "\n").encode()

    def swept() -> Any:
        made = feed.read({"feed": data}).data
        engine = folder.reader()
        judge = _inventory_sweep._judge(made)
        found = folder.ask(engine, lambda e: sweep.sweep(e, _inventory_sweep._names(made), judge))
        engine.close()
        return found

    found = swept()
    builds = sum(len(one.artefacts) for one in found)
    return measure(
        "sweep by 250,000 names", swept, bar=10, rounds=1, beside=f"{builds:,} builds of {len(found):,} projects hit"
    )


def adding(packages: int) -> list[Row]:
    """Measure one build that is added, on disk when it returns."""
    folder = fresh("adding")
    held = [(f"package-{number}", f"1.{number % 7}.{number % 13}") for number in range(packages)]
    rounds = 25
    builds = iter([build(f"b{number}", held, decided=datetime(2026, 1, 1)) for number in range(rounds + 1)])
    row = measure(
        f"one build of {packages:,} packages added",
        lambda: folder.add([next(builds)]),
        bar=0.01,
        rounds=rounds,
        beside="fsync included",
    )
    return [row]


def compacting(packages: int) -> list[Row]:
    """Measure compactions of growing size: linear means that a build costs the same in each."""
    rows = []
    for builds in (50, 100, 200, 400):
        folder = fresh("compacting")
        for number in range(builds):
            held = [(f"package-{(number * 7 + one) % 60000}", f"1.{one % 7}.0") for one in range(packages)]
            folder.add([build(f"b{number}", held)])
        wall, processor = time.perf_counter(), time.process_time()
        folder.compact(everything=True)
        clock, cpu = time.perf_counter() - wall, time.process_time() - processor
        rows.append(Row(work=f"compaction of {builds} builds", clock=clock, cpu=cpu,
                        beside=f"{cpu / builds * 1000:.1f} ms of processor time a build"))  # fmt: skip
    return rows


def fresh(name: str) -> Folder:
    """Return an empty inventory."""
    folder = Folder(WORK / name)
    shutil.rmtree(folder.path, ignore_errors=True)
    folder.create()
    return folder


def beside_sqlite(folder: Folder, args: argparse.Namespace) -> list[Row]:
    """Ask SQLite the same of the same rows: name, version and build, the names by number, and an index."""
    at = WORK / f"inventory-{args.builds}-{args.packages}.sqlite"
    if not at.exists():
        load_sqlite(folder, at)
    connection = sqlite3.connect(at)
    version = connection.execute("SELECT version FROM component WHERE name = 'package-500' LIMIT 1").fetchone()[0]
    one = "SELECT build FROM held JOIN component ON component.id = held.component WHERE name = ? AND version = ?"
    pairs = [(f"package-{number * 58}", f"1.{number % 5}.{number % 5}") for number in range(1000)]

    def many() -> list[Any]:
        connection.execute("CREATE TEMP TABLE IF NOT EXISTS ioc (name, version)")
        connection.execute("DELETE FROM ioc")
        connection.executemany("INSERT INTO ioc VALUES (?, ?)", pairs)
        return connection.execute(
            "SELECT name, version, build FROM ioc JOIN component USING (name, version) "
            "JOIN held ON held.component = component.id"
        ).fetchall()

    size = f"{at.stat().st_size / 1e6:.0f} MB, of three columns only"
    return [
        measure("SQLite: one name@version", lambda: connection.execute(one, ["package-500", version]).fetchall(),
                beside=size),
        measure("SQLite: 1,000 name@version", many, rounds=5, beside=f"{len(many()):,} hits"),
        sqlite_adding(connection, args.packages),
    ]  # fmt: skip


def load_sqlite(folder: Folder, at: Path) -> None:
    """Copy the rows into a table of SQLite."""
    engine = folder.reader()
    connection = sqlite3.connect(at)
    connection.execute(
        "CREATE TABLE component (id INTEGER PRIMARY KEY, name TEXT, version TEXT, UNIQUE (name, version))"
    )
    connection.execute(
        "CREATE TABLE held (component INTEGER, build INTEGER, PRIMARY KEY (component, build)) WITHOUT ROWID"
    )

    def copy(_: object) -> None:
        _, pairs = engine.ask("SELECT DISTINCT name, version FROM package ORDER BY ALL")
        connection.executemany("INSERT INTO component (name, version) VALUES (?, ?)", pairs)
        ids = {(name, version): id_ for id_, name, version in connection.execute("SELECT * FROM component")}
        _, rows = engine.ask("SELECT name, version, build FROM package ORDER BY ALL")
        connection.executemany("INSERT OR IGNORE INTO held VALUES (?, ?)", ((ids[n, v], b) for n, v, b in rows))

    folder.ask(engine, copy)
    connection.commit()
    connection.close()


def sqlite_adding(connection: sqlite3.Connection, packages: int) -> Row:
    """Measure one build that is added to SQLite, committed when it returns."""
    ids = [id_ for (id_,) in connection.execute("SELECT id FROM component ORDER BY random() LIMIT ?", [packages])]
    count = iter(range(-1_000_000, 0))

    def added() -> None:
        number = next(count)
        with connection:
            connection.executemany("INSERT INTO held VALUES (?, ?)", [(id_, number) for id_ in ids])

    return measure("SQLite: one build added", added, rounds=15, beside="one writer at a time")


def beside_postgres(folder: Folder, packages: int) -> list[Row]:
    """Ask PostgreSQL the same: a server of its own on a unix socket, run by an ordinary user, removed afterwards."""
    with postgres() as psql:
        psql("CREATE TABLE component (id INTEGER PRIMARY KEY, name TEXT, version TEXT)")
        psql("CREATE TABLE held (component INTEGER, build BIGINT)")
        engine = folder.reader()

        def copy(_: object) -> None:
            _, pairs = engine.ask("SELECT DISTINCT name, version FROM package ORDER BY ALL")
            ids = {pair: number for number, pair in enumerate(pairs)}
            lines = (f"{number}\t{name}\t{version}\n" for (name, version), number in ids.items())
            psql("COPY component FROM STDIN", lines)
            _, rows = engine.ask("SELECT name, version, build FROM package ORDER BY ALL")
            psql("COPY held FROM STDIN", (f"{ids[n, v]}\t{b}\n" for n, v, b in rows))

        folder.ask(engine, copy)
        engine.close()
        psql("ALTER TABLE component ADD UNIQUE (name, version)")
        psql("CREATE INDEX ON held (component, build)")
        psql("VACUUM ANALYZE")
        size = int(psql("SELECT pg_database_size('postgres')").splitlines()[-2]) / 1e6
        version = psql("SELECT version FROM component WHERE name = 'package-500' LIMIT 1").splitlines()[-2]
        listed = ", ".join(f"('package-{number * 58}', '1.{number % 5}.{number % 5}')" for number in range(1000))
        setup = f"CREATE TEMP TABLE ioc AS SELECT * FROM (VALUES {listed}) AS t (name, version);"
        one = "SELECT build FROM held JOIN component ON component.id = held.component WHERE name = 'package-500'"
        many = (
            "SELECT name, version, build FROM ioc JOIN component USING (name, version) JOIN held ON held.component = id"
        )
        some = f"CREATE TEMP TABLE picked AS SELECT id FROM component ORDER BY random() LIMIT {packages};"
        return [
            timed(psql, "PostgreSQL: one name@version", "", f"{one} AND version = '{version}'",
                  beside=f"{size:.0f} MB, of three columns only"),
            timed(psql, "PostgreSQL: 1,000 name@version", setup, many),
            timed(psql, "PostgreSQL: one build added", some,
                  "INSERT INTO held SELECT id, b FROM picked, (SELECT (-random() * 1e9)::bigint AS b) AS n",
                  beside="committed"),
        ]  # fmt: skip


Psql = Callable[..., str]


def timed(psql: Psql, work: str, setup: str, sql: str, *, beside: str = "") -> Row:
    """Run it eight times in one session; return the median of the last seven, as the client's clock has it."""
    printed = psql(f"{setup}\n\\o /dev/null\n\\timing on\n" + f"{sql};\n" * 8, None)
    times = [float(line.split()[1]) / 1000 for line in printed.splitlines() if line.startswith("Time:")]
    return Row(work=work, clock=statistics.median(times[-7:]), cpu=float("nan"), beside=beside)


@contextmanager
def postgres() -> Iterator[Psql]:
    """Run a server, and give what runs SQL in it: (SQL, lines for COPY) → what psql prints."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    path = f"{found[-1] if found else ''}:{os.environ['PATH']}"
    # The server does not run as root.
    user = None if os.geteuid() else "nobody"
    with tempfile.TemporaryDirectory(prefix="pg-") as base:
        if user is not None:
            shutil.chown(base, user)
        data, env = f"{base}/data", {"PATH": path, "LC_ALL": "C"}
        run: dict[str, Any] = {"user": user, "env": env, "cwd": base, "check": True, "stdout": subprocess.DEVNULL}
        subprocess.run(["initdb", "-D", data, "-U", "bench", "-A", "trust"], **run)
        options = f"-k {base} -c listen_addresses='' -c shared_buffers=1GB -c max_wal_size=4GB"
        subprocess.run(["pg_ctl", "-D", data, "-w", "-o", options, "-l", f"{base}/log", "start"], **run)

        def psql(sql: str, lines: Iterable[str] | None = None) -> str:
            command = ["psql", "-h", base, "-U", "bench", "-d", "postgres", "-q", "-v", "ON_ERROR_STOP=1", "-A", "-t"]
            copies = sql.startswith("COPY")
            command += ["-c", sql] if copies else ["-f", "-"]
            with subprocess.Popen(
                command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            ) as process:
                assert process.stdin is not None
                assert process.stdout is not None
                if copies:
                    process.stdin.writelines(lines or ())
                else:
                    process.stdin.write(f"{sql}\n;\n")
                process.stdin.close()
                printed = process.stdout.read()
            if process.returncode:
                raise RuntimeError(f"psql ended with {process.returncode}: {sql[:200]}")
            return printed + "\n"

        try:
            yield psql
        finally:
            subprocess.run(["pg_ctl", "-D", data, "-m", "fast", "stop"], **run)


if __name__ == "__main__":
    sys.exit(main())
