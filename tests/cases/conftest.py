"""One bench for the session: keys and approved builds are made once, and the cases run in as many processes as there are cores."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime

import pytest

from testkit.cases import Bench, Outcome, baseline_of, find, work, work_in


class Outcomes:
    """The outcomes of the cases that were selected; all were started when the first was asked for."""

    def __init__(self, bench: Bench, pool: ProcessPoolExecutor, wanted: list[tuple[str, str]]) -> None:
        self.bench = bench
        bases = {baseline_of(find(name)) for name, profile in wanted if profile != "bootstrap"}
        self._approved = {base: pool.submit(work, "approve", base) for base in sorted(bases)}
        for approved in self._approved.values():
            approved.exception()  # only to wait: a build that was not approved fails the cases that need it
        self._started = {(name, profile): pool.submit(work, "run", name, profile) for name, profile in wanted}

    def of(self, name: str, profile: str) -> Outcome:
        """Return the outcome of a case under a profile."""
        if profile != "bootstrap":
            self._approved[baseline_of(find(name))].result()
        outcome = self._started[name, profile].result()
        assert outcome is not None
        return outcome


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Keys, trust material and an artefact, in a folder outside this repository."""
    made = Bench(root=tmp_path_factory.mktemp("cases"), now=datetime.now(UTC).replace(microsecond=0))
    made.prepare()
    return made


@pytest.fixture(scope="session")
def outcomes(bench: Bench, request: pytest.FixtureRequest) -> Iterator[Outcomes]:
    """Run the selected cases."""
    wanted = sorted(
        {
            item.callspec.params["one"]
            for item in request.session.items
            if isinstance(item, pytest.Function) and hasattr(item, "callspec") and "one" in item.callspec.params
        }
    )
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        min(os.cpu_count() or 1, 4), mp_context=context, initializer=work_in, initargs=(bench,)
    ) as pool:
        yield Outcomes(bench, pool, wanted)
