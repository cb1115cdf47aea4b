"""Work on many builds in as many processes as there are processors: whoever asks sees it in order, and how far it is.

Each process ends when its pipe does, so that none outlives the command, however that ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

from sbomgate.errors import EvidenceError

_Task = TypeVar("_Task")
_Part = TypeVar("_Part")

MAX_PROCESSES = 16
FEW = 4  # tasks that are done here: two processes take half a second to start


class Workers(Generic[_Task, _Part]):
    """Does tasks, here or in several processes; what it keeps between tasks each process keeps for itself."""

    def __init__(self, make: Callable[[], Callable[[_Task], _Part]]) -> None:
        """Prepare. `make` returns what does one task; it travels to the processes, so it is a value, not a closure."""
        self._make = make
        self._here: Callable[[_Task], _Part] | None = None
        self._pipes: list[Connection] = []
        self._processes: list[Any] = []

    def map(
        self, tasks: Sequence[_Task], progress: Callable[[int, int], None] | None = None, *, weight: int = 1
    ) -> list[_Part]:
        """Do every task and return what came of each, in their order.

        Args:
            tasks: what to do.
            progress: called with (done, all).
            weight: how many things one task stands for, for `progress`.

        Raises:
            SbomgateError: what a task raised; or a process died.
        """
        found: dict[int, _Part] = {}
        if not tasks:
            return []
        if not self._pipes and (len(tasks) <= FEW or _processors() < 2):
            self._here = self._here or self._make()
            for index, task in enumerate(tasks):
                found[index] = self._here(task)
                _tell(progress, len(found), len(tasks), weight)
        else:
            self._start()
            for index, part in self._spread(tasks):
                found[index] = part
                _tell(progress, len(found), len(tasks), weight)
        return [found[index] for index in range(len(tasks))]

    def _start(self) -> None:
        import multiprocessing

        context = multiprocessing.get_context("spawn")
        while len(self._processes) < min(_processors(), MAX_PROCESSES):
            here, there = context.Pipe()
            process = context.Process(target=_work, args=(there, self._make), daemon=True)
            with _safe_path():
                process.start()
            there.close()
            self._pipes.append(here)
            self._processes.append(process)

    def _spread(self, tasks: Sequence[_Task]) -> Iterator[tuple[int, _Part]]:
        left = iter(enumerate(tasks))
        busy: dict[Connection, int] = {}

        def give(pipe: Connection) -> None:
            for index, task in left:
                busy[pipe] = index
                with suppress(BrokenPipeError):  # that it died is found where its answer is waited for
                    pipe.send(task)
                return

        for pipe in self._pipes:
            give(pipe)
        while busy:
            ready = wait(list(busy))
            for pipe in [one for one in busy if one in ready]:
                try:
                    part = pipe.recv()
                except (EOFError, OSError) as e:
                    raise EvidenceError(
                        "a process that looks through the builds died", hint="was it killed, or out of memory?"
                    ) from e
                index = busy.pop(pipe)
                if isinstance(part, BaseException):
                    raise part
                yield index, part
                give(pipe)

    def close(self) -> None:
        """End the processes, each after closing what it holds."""
        _close(self._here)
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join(5)
            if process.is_alive():
                process.kill()
                process.join()
            process.close()
        self._pipes, self._processes = [], []


@contextmanager
def workers(make: Callable[[], Callable[[_Task], _Part]]) -> Iterator[Workers[_Task, _Part]]:
    """Return what does tasks, until the block ends."""
    made = Workers(make)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def _safe_path() -> Iterator[None]:
    """Let a new interpreter import nothing from the working directory.

    It starts with `-c`, for which Python puts that folder first: a `multiprocessing.py` in the tree under test would
    run with the rights of the gate.
    """
    import os

    name = "PYTHONSAFEPATH"  # as the option -P
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _work(pipe: Connection, make: Callable[[], Callable[[Any], Any]]) -> None:
    """Do tasks as they come. Ctrl-C is the parent's: the end of its pipe is the end of this process."""
    import gc
    import signal

    gc.disable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    do = make()
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return _close(do)
        try:
            part = do(task)
        except BaseException as e:  # noqa: BLE001 - it is raised again, where the guard is
            part = e
        try:
            pipe.send(part)
        except BrokenPipeError:
            return _close(do)


def _close(do: object) -> None:
    close = getattr(do, "close", None)
    if close is not None:
        close()


def _processors() -> int:
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _tell(progress: Callable[[int, int], None] | None, done: int, all_: int, weight: int) -> None:
    if progress is not None:
        progress(done * weight, all_ * weight)


def progress(what: str, total: int | None = None) -> Callable[[int, int], None] | None:
    """Return a progress bar for a terminal, or None where stderr is none; `total` where tasks stand for more."""
    import sys

    if not sys.stderr.isatty():
        return None

    def show(done: int, all_: int) -> None:
        held = all_ if total is None else total
        done = min(done, held)
        end = "\r" if done < held else "\n"
        filled = 24 * done // held if held else 24
        print(f"\r[{'#' * filled:<24}] {done} of {held} {what}", end=end, file=sys.stderr, flush=True)

    return show
