"""An HTTP proxy on loopback that notes what it is asked for, and refuses it."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Iterator


class RefusingProxy(socketserver.ThreadingTCPServer):
    """Notes the first line of each request.

    Attributes:
        asked: these lines, in their order.
    """

    daemon_threads = True

    def __init__(self) -> None:
        """Listen on a port of its own."""
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), _Asked)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Asked(socketserver.StreamRequestHandler):
    server: RefusingProxy

    def handle(self) -> None:
        self.server.asked.append(self.rfile.readline().decode().strip())
        self.wfile.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")


@contextlib.contextmanager
def serving() -> Iterator[RefusingProxy]:
    """Serve until the end of the block."""
    with RefusingProxy() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield made
        finally:
            made.shutdown()
            thread.join()
