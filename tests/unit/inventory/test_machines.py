"""On which machines builds were decided, over all decisions on an artefact."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

from sbomgate.canonical import dumps
from sbomgate.inventory import answers
from sbomgate.inventory.folder import Folder
from sbomgate.inventory.machines import machines
from sbomgate.model import Ran
from sbomgate.model.checklist import Machine
from testkit.inventories import NOW, build, sha256

SHARED = Ran(system="gitlab-ci", runner="runner-1", runner_id="1")


def said(**more: str) -> str:
    return dumps(asdict(SHARED) | more).decode()


def test_every_decision_on_an_artefact_counts(tmp_path: Path) -> None:
    """Also one that a later FAILED superseded, which ran on nobody's runner."""
    digest = f"sha256:{sha256('artefact bad')}"
    folder = Folder(tmp_path / "inventory")
    folder.create()
    folder.add(
        [
            build("bad", decided=NOW, ran=said(job="https://ci.example/1", run="1")),
            build("bad again", decided=NOW + timedelta(hours=1), digest=digest, ran=said(run="2")),
            build("superseded", decided=NOW + timedelta(hours=2), digest=digest, verdict="denied"),
            build("silent", decided=NOW),
            build("other runner", decided=NOW, ran=said(runner="runner-2")),
            build("not asked about", decided=NOW, ran=said(runner="runner-9")),
        ]
    )
    engine = folder.reader()
    everything = folder.ask(engine, answers.builds)
    asked = [one for one, artefact in everything.items() if artefact.build["subject"] != "file:not asked about.tgz"]
    found, unrecorded = folder.ask(engine, lambda one: machines(one, asked))
    nobody = folder.ask(engine, lambda one: machines(one, []))
    engine.close()
    assert found == (
        Machine(ran=SHARED, runs=("2", "https://ci.example/1")),
        Machine(ran=Ran(system="gitlab-ci", runner="runner-2", runner_id="1"), runs=()),
    )
    assert unrecorded == 1
    assert nobody == ((), 0)


def test_a_file_of_an_older_version(tmp_path: Path) -> None:
    """Columns that it does not have are NULL, and it is compacted together with new ones."""
    import duckdb

    folder = Folder(tmp_path / "inventory")
    folder.create()
    folder.add([build("old", [("axios", "1.14.0")], decided=NOW)])
    (path,) = (folder.path / "delta").glob("*.parquet")
    connection = duckdb.connect()
    older = str(path.with_suffix(".older"))
    connection.execute(
        f"COPY (SELECT * EXCLUDE (ran, registry) FROM read_parquet('{path}')) TO '{older}' (FORMAT parquet)"
    )
    connection.close()
    Path(older).replace(path)
    question = "SELECT name, registry, ran FROM package JOIN build USING (build) ORDER BY name"
    for _ in range(2):
        engine = folder.reader()
        rows = folder.ask(engine, lambda one: one.query(question))
        engine.close()
        assert rows == [("axios", None, None)]
        folder.compact(everything=True)
    folder.add([build("new", [("pad", "1.0.0")], decided=NOW, ran=said())])
    folder.compact(everything=True)
    engine = folder.reader()
    rows = folder.ask(engine, lambda one: one.query(question))
    engine.close()
    assert rows == [("axios", None, None), ("pad", None, said())]
