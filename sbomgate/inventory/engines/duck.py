"""DuckDB: in this process, without a server. It also writes the Parquet files, whichever engine reads them.

It is an extra (`pip install 'sbomgate[inventory]'`) and imported nowhere else. Whatever it is asked, it reads no file
but those of the inventory, opens no connection, loads no extension and no object of Python.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbomgate.errors import EvidenceError, UsageError
from sbomgate.inventory.engines import Answer, Rows, VanishedError
from sbomgate.inventory.rows import BUILD_COLUMNS, COLUMNS, PACKAGE_COLUMNS, SPAN_COLUMNS

if TYPE_CHECKING:
    import duckdb

ROW_GROUP = 122_880
"""Rows of one row group: a lookup by name reads one or two of them. Smaller ones made every query slower."""

MAX_ROW_BYTES = 16 << 20
"""Bytes of one row as JSON: the row of a package with 100,000 maintainers has 2 MB."""

_ORDER = "name, version, build"
# Builds of one project stand one after the other: what they hold in common is then one span.
_NUMBERED = "project_repository, project, lockfile, workspace, decided, build"
_HINT = "make the inventory again from the evidence: `sbomgate inventory rebuild`"


class DuckDB:
    """One connection, in memory. `folders` are all that it may read."""

    def __init__(self, folders: Sequence[str] = (), storage: Any = None) -> None:
        """Open it.

        Args:
            folders: paths, or URLs that `storage` reads.
            storage: a file system of fsspec.

        Raises:
            UsageError: DuckDB is not installed.
        """
        self._connection = _connect()
        if storage is not None:
            self._connection.register_filesystem(storage)
        self._run("SET autoinstall_known_extensions = false")
        self._run("SET autoload_known_extensions = false")
        self._run("SET python_enable_replacements = false")
        self._run("SET parquet_metadata_cache = true")
        self._run("SET TimeZone = 'UTC'")
        self._run("SET allowed_directories = ?", [[f"{folder}/" for folder in folders]])
        self._run("SET enable_external_access = false")
        self._run("SET lock_configuration = true")

    def open(self, files: Sequence[Rows]) -> None:
        """See `Engine`."""
        self._run(f"CREATE OR REPLACE TEMP VIEW held AS {_rows([one.file for one in files])}")
        self._run(f"CREATE OR REPLACE TEMP VIEW span AS {_spans(files)}")
        # `name` is never NULL; the build's own rows sort first and are found by the files' statistics.
        columns = ", ".join(PACKAGE_COLUMNS)
        self._run(f"CREATE OR REPLACE TEMP VIEW package AS SELECT {columns} FROM held WHERE name > ''")
        columns = ", ".join(["build", *BUILD_COLUMNS])
        self._run(f"CREATE OR REPLACE TEMP TABLE build AS SELECT {columns} FROM held WHERE name = ''")

    def table(self, name: str, columns: Mapping[str, Sequence[str | None]]) -> None:
        """See `Engine`."""
        chosen = ", ".join(f"unnest(?::VARCHAR[]) AS {column}" for column in columns)
        self._run(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {chosen}", [list(c) for c in columns.values()])

    def revoke(self, evidence: Sequence[str]) -> None:
        """See `Engine`."""
        self._run(
            "UPDATE build SET verdict = 'revoked' "
            "WHERE verdict = 'allowed' AND evidence IN (SELECT unnest(?::VARCHAR[]))",
            [list(evidence)],
        )

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> Answer:
        """See `Engine`."""
        return self._run(sql, parameters).fetchall()

    def ask(self, sql: str) -> tuple[list[str], Iterator[tuple[Any, ...]]]:
        """Return the columns and rows of one SELECT that somebody wrote.

        Raises:
            UsageError: it is none, is not one, or fails.
        """
        import duckdb

        try:
            statements = self._connection.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise UsageError(
                    "not one SELECT", where="the query", hint="the inventory is read, never written, by SQL"
                )
            relation = self._connection.execute(statements[0])
            names = [column[0] for column in relation.description or ()]
        except duckdb.Error as e:
            raise UsageError(_said(e), where="the query") from e

        def rows() -> Iterator[tuple[Any, ...]]:
            try:
                while some := relation.fetchmany(1000):
                    yield from some
            except duckdb.Error as e:
                raise UsageError(_said(e), where="the query") from e

        return names, rows()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _run(self, sql: str, parameters: Sequence[Any] = ()) -> duckdb.DuckDBPyConnection:
        with _errors():
            return self._connection.execute(sql, parameters or None)


class Writer:
    """Writes Parquet files; of its own, because it may write."""

    def __init__(self, scratch: Path) -> None:
        """Open it; `scratch` is where a sort that memory does not hold goes on.

        Raises:
            UsageError: DuckDB is not installed.
        """
        self._connection = _connect()
        self._run("SET temp_directory = ?", [str(scratch)])
        self._run("SET autoinstall_known_extensions = false")

    def write(self, lines: Path, target: Path) -> None:
        """Write rows that lie in a file as an array of JSON as one Parquet file.

        Raises:
            EvidenceError: it cannot be written.
        """
        columns = ", ".join(f"{column}: {_literal(type_)}" for column, type_ in COLUMNS.items())
        self._run(
            f"COPY (SELECT * FROM read_json({_literal(str(lines))}, format = 'array', "
            f"maximum_object_size = {MAX_ROW_BYTES}, columns = {{{columns}}})) "
            f"TO {_literal(str(target))} (FORMAT parquet, COMPRESSION zstd)"
        )

    def merge(self, sources: Sequence[Path], target: Path) -> tuple[int, int]:
        """Write the rows of files as one sorted file, and return how many rows and builds it holds.

        Raises:
            EvidenceError: one cannot be read, the file cannot be written, or it does not hold what they held.
        """
        listed = ", ".join(_literal(str(path)) for path in sources)
        self._run(
            f"COPY (SELECT {', '.join(COLUMNS)} FROM ({_rows([str(path) for path in sources])}) ORDER BY {_ORDER}) "
            f"TO {_literal(str(target))} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"
        )
        held = "SELECT count(*), count(*) FILTER (name = '') FROM read_parquet([{}])"
        before = self._run(held.format(listed)).fetchall()
        after = self._run(held.format(_literal(str(target)))).fetchall()
        if before != after:
            raise EvidenceError(f"holds {after[0]} rows and builds, and was made of {before[0]}", where=str(target))
        return after[0]

    def span(self, segment: Path, target: Path) -> None:
        """Write the spans (`rows.SPAN_COLUMNS`) of a segment, sorted.

        Raises:
            EvidenceError: it cannot be read, or the file cannot be written.
        """
        rows = f"read_parquet({_literal(str(segment))})"
        self._run(
            "CREATE OR REPLACE TEMP TABLE numbered AS "
            f"SELECT build, row_number() OVER (ORDER BY {_NUMBERED}) - 1 AS number FROM {rows} WHERE name = ''"
        )
        self._run(
            "CREATE OR REPLACE TEMP TABLE component AS SELECT name, version, row_number() OVER () AS id "
            f"FROM (SELECT DISTINCT name, version FROM {rows} WHERE name > '')"
        )
        # A version and a build are one number, because those are sorted quicker than texts; without a gap they are one
        # span. Between two versions there is always one: no segment has 4 billion builds.
        pairs = (
            f"SELECT DISTINCT (id << 32) + number AS pair FROM {rows} AS p JOIN component ON p.name = component.name "
            "AND p.version IS NOT DISTINCT FROM component.version JOIN numbered USING (build) WHERE p.name > ''"
        )
        runs = f"SELECT pair, pair - row_number() OVER (ORDER BY pair) AS run FROM ({pairs})"
        spans = (
            "SELECT min(pair) >> 32 AS id, min(pair) & 4294967295 AS low, max(pair) & 4294967295 AS high "
            f"FROM ({runs}) GROUP BY run"
        )
        self._run(
            "COPY (SELECT '' AS name, NULL AS version, number AS low, number AS high, build FROM numbered UNION ALL "
            f"SELECT name, version, low, high, NULL AS build FROM ({spans}) JOIN component USING (id) "
            f"ORDER BY name, version, low) TO {_literal(str(target))} (FORMAT parquet, COMPRESSION zstd)"
        )

    def keys(self, files: Sequence[Path]) -> set[int]:
        """Return the keys of the builds in files."""
        if not files:
            return set()
        listed = ", ".join(_literal(str(path)) for path in files)
        return {key for (key,) in self._run(f"SELECT build FROM read_parquet([{listed}]) WHERE name = ''").fetchall()}

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _run(self, sql: str, parameters: Sequence[Any] = ()) -> duckdb.DuckDBPyConnection:
        with _errors():
            return self._connection.execute(sql, parameters or None)


def require() -> None:
    """Say at once that DuckDB is needed, before anything else is done.

    Raises:
        UsageError: it is not installed.
    """
    _connect().close()


def _connect() -> duckdb.DuckDBPyConnection:
    try:
        import duckdb
    except ImportError as e:
        raise UsageError(
            f"the inventory needs DuckDB, which cannot be imported: {e}", hint="pip install 'sbomgate[inventory]'"
        ) from e
    return duckdb.connect(":memory:")


@contextmanager
def _errors() -> Iterator[None]:
    import duckdb

    try:
        yield
    except duckdb.IOException as e:
        if "No files found" in str(e) or "No such file" in str(e):
            raise VanishedError(str(e)) from e
        raise EvidenceError(_said(e), where="inventory", hint=_HINT) from e
    except duckdb.Error as e:
        raise EvidenceError(_said(e), where="inventory", hint=_HINT) from e


def _said(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _rows(files: Sequence[str]) -> str:
    """Return the SELECT of all rows of files, with every column: one that an older version did not write is NULL."""
    columns = ", ".join(f"NULL::{type_} AS {column}" for column, type_ in COLUMNS.items())
    empty = f"SELECT {columns} WHERE false"
    if not files:
        return empty
    listed = ", ".join(map(_literal, files))
    return f"SELECT * FROM read_parquet([{listed}], union_by_name = true) UNION ALL BY NAME {empty}"


def _spans(files: Sequence[Rows]) -> str:
    """Return the SELECT of the table `span`."""
    parts = [
        f"SELECT {', '.join(SPAN_COLUMNS)}, {number}::BIGINT AS segment FROM read_parquet([{_literal(one.spans)}])"
        for number, one in enumerate(files)
        if one.spans is not None
    ]
    plain = _rows([one.file for one in files if one.spans is None])
    none = ", ".join(f"NULL::BIGINT AS {column}" for column in ("low", "high"))
    return " UNION ALL ".join([*parts, f"SELECT name, version, {none}, build, NULL::BIGINT AS segment FROM ({plain})"])


def _literal(text: str) -> str:
    """Return a text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"
