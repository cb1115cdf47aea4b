"""Spark, for what outgrows one machine: the same SQL on the same Parquet files, where a cluster's workers see them.

It is an extra (`pip install 'sbomgate[spark]'`, and Java 17) and imported nowhere else. The session is the one that
Spark's own settings describe (`spark-defaults.conf`, `spark-submit`); without any, this machine. Adding and compacting
stay with DuckDB: one build, or what fits a sort on one machine's disk.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sbomgate.errors import EvidenceError, UsageError
from sbomgate.inventory.engines import Answer, Rows, VanishedError
from sbomgate.inventory.rows import BUILD_COLUMNS, COLUMNS, PACKAGE_COLUMNS, SPAN_COLUMNS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# The columns' types, which are DuckDB's, as Spark calls them.
_TYPES = {
    "VARCHAR": "STRING",
    "VARCHAR[]": "ARRAY<STRING>",
    "BIGINT": "BIGINT",
    "BOOLEAN": "BOOLEAN",
    "TIMESTAMP": "TIMESTAMP_NTZ",
}
_HINT = "make the inventory again from the evidence: `sbomgate inventory rebuild`"


class Spark:
    """A Spark session; the one of this process, where there is one."""

    def __init__(self) -> None:
        """Start it, or take the one that runs.

        Raises:
            UsageError: PySpark or Java is not installed.
        """
        self._session = _session()

    def open(self, files: Sequence[Rows]) -> None:
        """See `Engine`."""
        with _errors():
            self._read([one.file for one in files], COLUMNS).createOrReplaceTempView("held")
            self._view("package", PACKAGE_COLUMNS, "name > ''")
            self._view("build", ["build", *BUILD_COLUMNS], "name = ''")
            plain = self._read([one.file for one in files if one.spans is None], COLUMNS)
            none = [f"CAST(NULL AS BIGINT) AS {column}" for column in ("low", "high")]
            span = plain.selectExpr("name", "version", *none, "build", "CAST(NULL AS BIGINT) AS segment")
            for number, one in enumerate(files):
                if one.spans is not None:
                    held = self._read([one.spans], SPAN_COLUMNS)
                    span = span.unionAll(held.selectExpr(*SPAN_COLUMNS, f"CAST({number} AS BIGINT) AS segment"))
            span.createOrReplaceTempView("span")

    def table(self, name: str, columns: Mapping[str, Sequence[str | None]]) -> None:
        """See `Engine`."""
        schema = ", ".join(f"`{column}`: STRING" for column in columns)
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        with _errors():
            # As one text, which becomes a constant of the plan: rows of Python start a Python beside each task.
            sql = f"SELECT inline(from_json(?, 'ARRAY<STRUCT<{schema}>>'))"
            self._session.sql(sql, [json.dumps(rows)]).createOrReplaceTempView(name)

    def revoke(self, evidence: Sequence[str]) -> None:
        """See `Engine`."""
        hit = "verdict = 'allowed' AND array_contains(from_json(?, 'ARRAY<STRING>'), evidence)"
        verdict = f"CASE WHEN {hit} THEN 'revoked' ELSE verdict END AS verdict"
        chosen = ", ".join(verdict if column == "verdict" else column for column in ("build", *BUILD_COLUMNS))
        with _errors():
            sql = f"SELECT {chosen} FROM held WHERE name = ''"
            self._session.sql(sql, [json.dumps(list(evidence))]).createOrReplaceTempView("build")

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> Answer:
        """See `Engine`."""
        with _errors():
            found: DataFrame = self._session.sql(sql, list(parameters)) if parameters else self._session.sql(sql)
            return [tuple(row) for row in found.collect()]

    def close(self) -> None:
        """Stop the session."""
        self._session.stop()

    def _read(self, files: Sequence[str], columns: Mapping[str, str]) -> DataFrame:
        """Return the rows of files. With the schema given, none is read to find it."""
        schema = ", ".join(f"`{column}` {_TYPES[type_]}" for column, type_ in columns.items())
        if not files:
            return self._session.createDataFrame([], schema)
        return self._session.read.schema(schema).parquet(*map(_url, files))

    def _view(self, name: str, columns: Iterator[str] | Sequence[str] | Mapping[str, str], where: str) -> None:
        chosen = ", ".join(columns)
        self._session.sql(f"SELECT {chosen} FROM held WHERE {where}").createOrReplaceTempView(name)


def _url(file: str) -> str:
    """Return a file as Hadoop names it: its connector for S3 is `s3a`."""
    return f"s3a{file.removeprefix('s3')}" if file.startswith("s3://") else file


def _session() -> SparkSession:
    try:
        from pyspark import SparkConf
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError as e:
        raise UsageError(
            f"--engine spark needs PySpark, which cannot be imported: {e}", hint="pip install 'sbomgate[spark]'"
        ) from e
    # A time without a zone is one, in every column and in every CAST: DuckDB's TIMESTAMP.
    conf = SparkConf().setAppName("sbomgate inventory").set("spark.sql.timestampType", "TIMESTAMP_NTZ")
    if not conf.contains("spark.master"):  # this machine; its default of 200 pieces is for a cluster
        conf.setMaster("local[*]").setIfMissing("spark.sql.shuffle.partitions", "4")
    conf.setIfMissing("spark.ui.enabled", "false").setIfMissing("spark.ui.showConsoleProgress", "false")
    try:
        session = SparkSession.builder.config(conf=conf).getOrCreate()
    except (PySparkException, RuntimeError, OSError) as e:
        raise UsageError(f"Spark does not start: {_said(e)}", hint="is Java 17 installed, and JAVA_HOME right?") from e
    session.sparkContext.setLogLevel("ERROR")
    return session


@contextmanager
def _errors() -> Iterator[None]:
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError) as e:
        if any(word in str(e) for word in ("PATH_NOT_FOUND", "FILE_NOT_EXIST", "FileNotFoundException")):
            raise VanishedError(_said(e)) from e
        if "S3AFileSystem" in str(e):
            raise UsageError(
                "this Spark has no connector for S3",
                hint="set spark.jars.packages to org.apache.hadoop:hadoop-aws of Spark's own Hadoop version",
            ) from e
        raise EvidenceError(_said(e), where="inventory", hint=_HINT) from e


def _said(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:500]
