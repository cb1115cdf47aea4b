"""The registry simulator over TLS, where HTTP/2 is negotiated (ALPN), and what goes wrong there alone."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import ipaddress
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived
from h2.exceptions import H2Error

from testkit.registry import Fault, Request, Simulator


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionFault(Fault):
    """What goes wrong with a whole connection, in place of the answer; `truncate` resets a stream, `drop` all.

    Attributes:
        goaway: the server sends GOAWAY and ends the connection, as one does that was restarted.
        frames: bytes that are sent after the head of the answer.
    """

    goaway: bool = False
    frames: bytes = b""


class Http2Simulator(Simulator):
    """The registry. A context manager, with the file of its certificate; `connections` counts those that were made."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        """Prepare a registry that keeps its certificate in `folder`; `settings` as of `Simulator`."""
        super().__init__(**settings)
        self._server.server_close()
        self.connections = 0
        self.ca_file = folder / "registry.pem"
        self._context = tls_context(self.ca_file, folder / "registry.key", protocol="h2")
        self._loop = asyncio.new_event_loop()
        self._port = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"https://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._listening = self._loop.run_until_complete(
            asyncio.start_server(self._connection, "127.0.0.1", 0, ssl=self._context)
        )
        self._port = self._listening.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._listening.close()
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _end(self) -> None:
        """End what is left of connections, whose clients may be there still: no transport is left open."""
        for writer in self._writers:
            writer.transport.abort()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for writer in self._writers:
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        if writer.get_extra_info("ssl_object").selected_alpn_protocol() != "h2":
            await self._old(reader, writer)
            return
        h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        h2.initiate_connection()
        more = asyncio.Event()  # set when something arrived: a window may be open again
        try:
            while True:
                writer.write(h2.data_to_send())
                data = await reader.read(65536)
                if not data:
                    return
                for event in h2.receive_data(data):
                    if isinstance(event, RequestReceived):
                        assert event.headers is not None
                        assert event.stream_id is not None
                        answer = self._answer(h2, writer, more, event.stream_id, dict(event.headers))
                        task = self._loop.create_task(answer)
                        self._tasks.add(task)
                        task.add_done_callback(self._tasks.discard)
                more.set()
        except (OSError, H2Error, asyncio.CancelledError):
            return
        finally:
            writer.close()

    async def _old(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request over HTTP/1.1, without faults."""
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        path = unquote(first.split(" ")[1])
        self._record(Request(path, {name.lower(): value for name, _, value in (one.partition(": ") for one in lines)}))
        body, kind = self._content(path) or (b"", "text/plain")
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    async def _answer(
        self,
        h2: H2Connection,
        writer: asyncio.StreamWriter,
        more: asyncio.Event,
        stream: int,
        headers: Mapping[Any, Any],
    ) -> None:
        path = unquote(urlsplit(headers[":path"]).path)
        self._record(Request(path, headers))
        fault = self._next_fault(path) or Fault()
        await asyncio.sleep(fault.delay)
        if fault.drop:
            writer.transport.abort()
            return
        if isinstance(fault, ConnectionFault) and fault.goaway:
            h2.close_connection()
            writer.write(h2.data_to_send())
            writer.close()
            return
        found = self._content(path)
        body, kind = found or (b"{}", "application/json")
        status = fault.status or (404 if found is None and fault.body is None else 200)
        body = body if fault.body is None else fault.body
        sent = [(":status", str(status)), ("content-type", kind), *fault.headers.items()]
        if kind == "application/json" and "gzip" in headers.get("accept-encoding", ""):
            body = gzip.compress(body, 1, mtime=0)
            sent.append(("content-encoding", "gzip"))
        try:
            h2.send_headers(stream, [*sent, ("content-length", str(len(body)))])
            if isinstance(fault, ConnectionFault) and fault.frames:
                writer.write(h2.data_to_send() + fault.frames)
                return
            whole = body if fault.truncate is None else body[: fault.truncate]
            while whole:
                room = min(h2.local_flow_control_window(stream), h2.max_outbound_frame_size, len(whole))
                h2.send_data(stream, whole[:room])
                whole = whole[room:]
                writer.write(h2.data_to_send())
                if not room:
                    more.clear()
                    await more.wait()
            if fault.truncate is None:
                h2.end_stream(stream)
            else:
                h2.reset_stream(stream)
            writer.write(h2.data_to_send())
        except (H2Error, OSError):
            return  # the client is gone


def tls_context(certificate: Path, key_file: Path, *, protocol: str) -> ssl.SSLContext:
    """Return the server's side of TLS, with a certificate for 127.0.0.1 of its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "registry simulator")])
    now = datetime.now(UTC)
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign", "encipher_only",
         "decipher_only"), False
    )  # fmt: skip
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=True, key_cert_sign=True, **usage), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key_file)
    context.set_alpn_protocols([protocol])
    return context
