"""One bench for the session: keys and approved builds are made once, and the cases run in a process a core."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime

import pytest

from testkit.cases import Bench, Outcomes, work_in


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Keys, trust material and an artefact, in a folder outside this repository."""
    made = Bench(root=tmp_path_factory.mktemp("cases"), now=datetime.now(UTC).replace(microsecond=0))
    made.prepare()
    return made


@pytest.fixture(scope="session")
def outcomes(bench: Bench, request: pytest.FixtureRequest) -> Iterator[Outcomes]:
    """Run the selected cases."""
    wanted: set[tuple[str, str]] = set()
    for item in request.session.items:
        if isinstance(item, pytest.Function) and item.originalname == "test_the_gate_says":
            wanted.add((str(item.callspec.params["name"]), str(item.callspec.params["profile"])))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        min(os.cpu_count() or 1, 4), mp_context=context, initializer=work_in, initargs=(bench,)
    ) as pool:
        yield Outcomes(pool, sorted(wanted))
