"""What runs the inventory's SQL: one file per engine. All read the same Parquet files and run the same text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Answer = list[tuple[Any, ...]]


class VanishedError(Exception):
    """A file that was listed is gone: a compaction took its rows elsewhere. Never leaves the package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """A file of rows as engines open it, and the file of its spans (`rows.SPAN_COLUMNS`), where there is one."""

    file: str
    spans: str | None = None


class Engine(Protocol):
    """Runs queries over the tables `package`, `build`, `span` and those that were made beside them."""

    def open(self, files: Sequence[Rows]) -> None:
        """Have the tables `package`, `build` and `span` hold the rows of these files; without any they are empty.

        `span` has the columns of `rows.SPAN_COLUMNS` and `segment`: the number of a file that has spans. A file that
        has none is there row by row, with its `build` in place of `low`, `high` and `segment`.

        Raises:
            VanishedError, EvidenceError: as `query`.
        """
        ...

    def table(self, name: str, columns: Mapping[str, Sequence[str | None]]) -> None:
        """Make a table of texts, in place of one of that name."""
        ...

    def revoke(self, evidence: Sequence[str]) -> None:
        """Have `build` say `revoked` in place of `allowed` for these decisions (SHA-256 in hex of their evidence)."""
        ...

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> Answer:
        """Return all rows of an answer.

        Raises:
            VanishedError: a file is gone.
            EvidenceError: a file cannot be read.
        """
        ...
