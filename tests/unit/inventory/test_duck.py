"""DuckDB answers nothing but questions about the inventory: no file, no network, no extension, no attach, no write."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sbomgate.errors import UsageError
from sbomgate.inventory.engines import duck
from sbomgate.inventory.folder import Folder
from testkit.inventories import build

REFUSED = {
    "two statements": "SELECT 1; SELECT 2",
    "none": "",
    "no SQL": "which builds hold axios?",
    "a write": "DELETE FROM build",
    "a table": "CREATE TABLE t AS SELECT 1",
    "a copy to a file": "COPY build TO '{out}'",
    "a copy into the inventory": "COPY (SELECT 1 AS a) TO '{delta}/0000000000000001.parquet'",
    "an attached file": "ATTACH '{out}' AS other",
    "an extension": "INSTALL httpfs",
    "a loaded extension": "LOAD httpfs",
    "a setting": "SET enable_external_access = true",
    "a setting's reset": "RESET enable_external_access",
    "a call": "CALL pragma_version()",
    "a file": "SELECT * FROM read_text('/etc/passwd')",
    "a file by its name": "SELECT * FROM '{secret}'",
    "a file beside the inventory": "SELECT * FROM read_csv('{delta}/../../secret.csv')",
    "a glob": "SELECT * FROM glob('/etc/*')",
    "the network": "SELECT * FROM read_parquet('https://example.com/x.parquet')",
    "an object of Python": "SELECT * FROM secret_table",
    "a secret": "CREATE SECRET (TYPE s3, KEY_ID 'a', SECRET 'b')",
    "a variable of the process": "SELECT getenv('HOME')",
    "a query in a query that writes": "SELECT * FROM query('DROP TABLE build')",
    "an export": "EXPORT DATABASE '{out}'",
    "a prepared write": "PREPARE x AS DELETE FROM build",
    "a plan of a write": "EXPLAIN ANALYZE COPY build TO '{out}'",
}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path / "inventory")
    made.create()
    made.add([build("one", [("axios", "1.14.1")])])
    return made


@pytest.fixture
def engine(folder: Folder) -> Iterator[duck.DuckDB]:
    made = folder.reader()
    folder.ask(made, lambda e: e.query("SELECT 1"))
    yield made
    made.close()


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_a_question_is_refused(folder: Folder, engine: duck.DuckDB, tmp_path: Path, case: str) -> None:
    secret_table = [{"a": 1}]  # a frame's variable, which DuckDB could find
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    before = sorted(path for path in tmp_path.rglob("*"))
    sql = REFUSED[case].format(out=tmp_path / "out", delta=folder.path / "delta", secret=secret)
    with pytest.raises(UsageError):
        list(engine.ask(sql)[1])
    assert sorted(path for path in tmp_path.rglob("*")) == before
    assert folder.ask(engine, lambda e: e.query("SELECT count(*) FROM build")) == [(1,)]
    assert secret_table


def test_a_question_is_answered(engine: duck.DuckDB) -> None:
    names, rows = engine.ask("WITH x AS (SELECT name FROM package) SELECT name AS n, count(*) AS c FROM x GROUP BY 1")
    assert names == ["n", "c"]
    assert list(rows) == [("axios", 1)]


def test_without_duckdb_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "duckdb":
            raise ImportError("No module named 'duckdb'")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError) as caught:
        duck.require()
    assert "pip install 'sbomgate[inventory]'" in caught.value.hint
