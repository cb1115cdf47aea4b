"""The embedded engine, ready: for tests that run the command line in their own process a thousand times.

Nearly all that such a command costs is compiling the shipped policy, in a fresh instance each time. Here a process of
its own has one instance that has compiled it and waits for its input; for each evaluation it forks, and the child goes
on from there. It is the same module, the same policy, the same limits and the same code around them, and an evaluation
still has a memory that no other one has touched: what is left out is doing the same work again.

`install` puts it into a process. Only the shipped policy is evaluated so, and only where the engine of the command is
compiled already; everything else, and whatever goes wrong here, is left to the engine as it is. A process of its own
(`World.spawn`, the demo) never sees this. A module that is about the engine, or about the files that it reads, has the
marker `real_engine`; `real` is for a part of a test.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pickle
import selectors
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sbomgate
from sbomgate.policy import bundle
from sbomgate.policy.engines import embedded
from sbomgate.policy.engines.embedded import EmbeddedEngine
from sbomgate.policy.evaluation import QUERY
from testkit.engines import engine_cache

WAIT_SECONDS = 60
_SIZE = struct.Struct("<Q")
_START = (
    "import sys; sys.path[:0] = sys.argv[3:]; from testkit.forks import serve; serve(sys.argv[1], int(sys.argv[2]))"
)


@functools.cache
def shipped() -> bytes:
    """Return what the engine is told of the shipped policy."""
    return embedded._policy({"op": "evaluate", "query": QUERY}, bundle.shipped(), {})


# --------------------------------------------------------------------------------------------------------------------
# The process that forks


class _Request:
    """What the module reads, as `embedded._Stdin`: the policy, and in a child the input that it was forked for."""

    def __init__(self, wait: Callable[[], bytes]) -> None:
        self._left = memoryview(shipped())
        self._wait: Callable[[], bytes] | None = wait

    def read(self, size: int) -> bytes:
        if not self._left and self._wait is not None:
            wait, self._wait = self._wait, None
            self._left = memoryview(wait())
        chunk, self._left = self._left[:size], self._left[size:]
        return bytes(chunk)


def serve(path: str, listening: int) -> None:
    """Answer on a socket until stdin is closed, as it is when whoever started this has ended, in whatever way."""
    engine = EmbeddedEngine(engine_cache(), lambda _: None)
    answering: list[socket.socket] = []
    with socket.socket(fileno=listening) as listener, selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(0, selectors.EVENT_READ)

        def wait() -> bytes:
            """Return in a child, with the input; in this process never."""
            while True:
                ready = {key.fd for key, _ in selector.select()}
                if 0 in ready:
                    shutil.rmtree(Path(path).parent, ignore_errors=True)
                    os._exit(0)
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError):
                    if os.fork() == 0:
                        answering.append(connection.dup())
                        return _receive(connection)
                with contextlib.suppress(ChildProcessError):
                    while os.waitpid(-1, os.WNOHANG)[0]:
                        pass

        said: tuple[int, bytes] | None
        try:
            said = engine._instance(*engine._module(), _Request(wait))  # type: ignore[arg-type]
        except BaseException:  # noqa: BLE001  the engine as it is will say it
            said = None
        with contextlib.suppress(OSError):
            _send(answering[0], pickle.dumps(said))
        os._exit(0)


def _send(connection: socket.socket, data: bytes) -> None:
    connection.sendall(_SIZE.pack(len(data)))
    connection.sendall(data)


def _receive(connection: socket.socket) -> bytes:
    (size,) = _SIZE.unpack(_exactly(connection, _SIZE.size))
    return _exactly(connection, size)


def _exactly(connection: socket.socket, size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        chunk = connection.recv(min(size - len(found), 1 << 20))
        if not chunk:
            raise EOFError
        found += chunk
    return bytes(found)


# --------------------------------------------------------------------------------------------------------------------
# The process that asks


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Run such a process; yield where it answers, or nothing where it cannot be had (no fork, no such sockets)."""
    if not hasattr(os, "fork") or not hasattr(socket, "AF_UNIX"):
        yield ""
        return
    folder = Path(tempfile.mkdtemp(prefix="sbomgate-"))  # a socket's path is short
    path = str(folder / "s")
    imported = [str(Path(__file__).parents[1]), str(Path(sbomgate.__file__).parents[1])]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, path, str(listener.fileno()), *imported],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=(listener.fileno(),),
        )
    try:
        yield path
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(WAIT_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)


class _Fork:
    """One evaluation, as `embedded._Run`."""

    def __init__(self, path: str, otherwise: Callable[[], Any]) -> None:
        self._path, self._otherwise = path, otherwise

    def finish(self, policy_input: bytes) -> tuple[int, bytes]:
        said: tuple[int, bytes] | None = None
        with contextlib.suppress(OSError, EOFError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(WAIT_SECONDS)
            connection.connect(self._path)
            _send(connection, b"%d\n" % len(policy_input) + policy_input)
            said = pickle.loads(_receive(connection))
        if said is None:
            said = self._otherwise().finish(policy_input)
        return said

    def abandon(self) -> None:
        """Nothing was begun."""


_start = EmbeddedEngine._start


def install(path: str) -> Callable[[], None]:
    """Have the engines of this process ask the one at `path`, where they can; return what undoes it."""

    def start(self: EmbeddedEngine, policy: bytes) -> Any:
        usual = (self._seconds, self._memory_bytes) == (embedded.SECONDS, embedded.MEMORY_BYTES)
        if path and usual and policy == shipped() and self.kept_at.is_file():
            return _Fork(path, lambda: _start(self, policy))
        return _start(self, policy)

    return _replace(start)


def _replace(start: Any) -> Callable[[], None]:
    before = EmbeddedEngine._start
    EmbeddedEngine._start = start  # type: ignore[method-assign]

    def undo() -> None:
        EmbeddedEngine._start = before  # type: ignore[method-assign]

    return undo


@contextlib.contextmanager
def real() -> Iterator[None]:
    """Use the engine as it is for a while."""
    undo = _replace(_start)
    try:
        yield
    finally:
        undo()
