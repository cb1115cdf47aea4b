"""npm tarballs with the same bytes for the same content, and hostile ones."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

MTIME = 499162500  # 1985-10-26T08:15:00Z, the time that npm puts into every tarball


def package(
    name: str,
    version: str,
    *,
    scripts: Mapping[str, str] | None = None,
    files: Mapping[str, bytes] | None = None,
    manifest: Mapping[str, Any] | None = None,
    folder: str = "package",
) -> bytes:
    """Return the tarball of a package: its package.json (with `manifest`'s further fields) and `files`."""
    document: dict[str, Any] = {"name": name, "version": version, "license": "MIT", **(manifest or {})}
    if scripts is not None:
        document["scripts"] = dict(scripts)
    members = {"package.json": (json.dumps(document, indent=2) + "\n").encode(), "index.js": b"module.exports = 1\n"}
    members.update(files or {})
    return pack([(f"{folder}/{path}", data) for path, data in sorted(members.items())])


def pack(
    members: Sequence[tuple[str, bytes] | tuple[tarfile.TarInfo, bytes]], *, format: int = tarfile.PAX_FORMAT
) -> bytes:
    """Return a gzip of a tar of `members` in this order: (name, content), or (TarInfo, content) for what is unusual."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as archive:
        for what, data in members:
            info = tarfile.TarInfo(what) if isinstance(what, str) else what
            info.mtime = MTIME
            info.size = len(data) if info.isreg() else info.size
            archive.addfile(info, io.BytesIO(data))
    return gzip(buffer.getvalue())


def gzip(data: bytes) -> bytes:
    """Return a gzip stream without a time in it."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, 31)
    return deflate.compress(data) + deflate.flush()


def header(
    name: bytes,
    size: int = 0,
    *,
    kind: bytes = b"0",
    link: bytes = b"",
    prefix: bytes = b"",
    magic: bytes = b"ustar\x0000",
    size_field: bytes | None = None,
    checksum: int | None = None,
) -> bytes:
    """Return one raw tar header, every field as given: for archives that no library writes."""
    block = bytearray(512)
    block[0 : len(name)] = name
    block[100:108] = b"0000644\0"
    block[108:116] = block[116:124] = b"0000000\0"
    block[124:136] = size_field if size_field is not None else b"%011o\0" % size
    block[136:148] = b"%011o\0" % MTIME
    block[156:157] = kind
    block[157 : 157 + len(link)] = link
    block[257:265] = magic.ljust(8, b"\0")
    block[345 : 345 + len(prefix)] = prefix
    block[148:156] = b"        "
    block[148:156] = b"%06o\0 " % (sum(block) if checksum is None else checksum)
    return bytes(block)


def member(name: bytes, data: bytes, **fields: Any) -> bytes:
    """Return a raw header with its content, padded."""
    return header(name, len(data), **fields) + data + bytes(-len(data) % 512)


def pax(records: Mapping[str, str], *, kind: bytes = b"x") -> bytes:
    """Return an extended header (`x` for the next member, `g` for all)."""
    body = b""
    for key, value in records.items():
        rest = f" {key}={value}\n".encode()
        length = len(rest) + 1
        while len(str(length)) + len(rest) != length:
            length += 1
        body += str(length).encode() + rest
    return member(b"PaxHeader", body, kind=kind)


END = bytes(1024)


def sha512(data: bytes) -> str:
    """Return the digest in hex."""
    return hashlib.sha512(data).hexdigest()


def integrity(data: bytes) -> str:
    """Return the Subresource Integrity string that a lockfile holds."""
    return "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode()
