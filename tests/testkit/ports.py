"""Ports for programs that want to be told one: nobody else is given it between its choice and the program's start."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator


@contextlib.contextmanager
def reserved(count: int, address: str = "127.0.0.1") -> Iterator[list[int]]:
    """Reserve so many ports until the end of the block.

    Each is held by a socket that is bound and does not listen. The kernel gives it to nobody who asks for any port,
    nor to a connection; a program that asks for this one with SO_REUSEADDR, as all servers written in Go do, gets it.
    """
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in held:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind((address, 0))
        yield [one.getsockname()[1] for one in held]
