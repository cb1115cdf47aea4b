"""git's object database, read without git: the repository under test could configure what git runs.

Formats: gitformat-pack (index version 2, objects whole or as deltas) and loose objects, of SHA-1 repositories. What is
returned has the id that was asked for: its SHA-1 is computed again. Multi-pack indexes are not needed, alternates not
followed, grafts and replacements not obeyed.
"""

from __future__ import annotations

import hashlib
import mmap
import struct
import zlib
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from sbomgate import files
from sbomgate.errors import InputError

MAX_OBJECT_BYTES = 256 << 20  # a lockfile of a million entries
MAX_PACKS = 1000  # git itself packs again beyond 50
MAX_CHAIN = 4096  # deltas on deltas: git makes chains of 50, and takes 4095 at most
MAX_CHAIN_BYTES = 4 << 30  # made on the way to one object: fifty versions of a lockfile of 80 MB

_PIECE = 64 << 10
_KINDS = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}
_OFFSET_DELTA, _NAME_DELTA = 6, 7
_MAGIC = b"\xfftOc\x00\x00\x00\x02"


class _Bytes(Protocol):
    def __getitem__(self, index: slice) -> bytes: ...


class Objects:
    """The objects of a repository. Use it in a `with` statement: packs stay open in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open = ExitStack()
        self._packs: list[tuple[mmap.mmap, mmap.mmap]] | None = None

    def __enter__(self) -> Objects:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def read(self, oid: str) -> tuple[str, bytes] | None:
        """Return kind and content of an object, or None where it is not there.

        Raises:
            InputError: it is there and cannot be read, is too large, or is not what its id says.
        """
        try:
            found = self._loose(oid) or self._packed(bytes.fromhex(oid), 0)
        except (OSError, struct.error, zlib.error, ValueError, IndexError, KeyError) as e:
            raise InputError(f"cannot be read ({type(e).__name__})", where=f".git object {oid[:12]}") from e
        if found is not None:
            kind, data = found
            whole = b"%s %d\0" % (kind.encode(), len(data)) + data
            by = hashlib.sha256(whole) if len(oid) == 64 else hashlib.sha1(whole, usedforsecurity=False)
            if by.hexdigest() != oid:
                raise InputError("is not what its id says: the repository is damaged", where=f".git object {oid[:12]}")
        return found

    def _loose(self, oid: str) -> tuple[str, bytes] | None:
        path = self._folder / oid[:2] / oid[2:]
        if not path.is_file():
            return None
        whole = _inflate(files.read(path, limit=MAX_OBJECT_BYTES, error=InputError), 0)
        head, _, body = whole.partition(b"\0")
        return head.partition(b" ")[0].decode("ascii"), body

    def _packed(self, oid: bytes, chain: int) -> tuple[str, bytes] | None:
        for index, pack in self._opened():
            if (offset := _offset(index, oid)) is not None:
                return self._at(pack, offset, chain, len(oid))
        return None

    def _opened(self) -> list[tuple[mmap.mmap, mmap.mmap]]:
        if self._packs is None:
            self._packs = []
            for index in sorted((self._folder / "pack").glob("pack-*.idx"))[:MAX_PACKS]:
                pair = [_map(path, self._open) for path in (index, index.with_suffix(".pack"))]
                if pair[0] is not None and pair[1] is not None and pair[0][:8] == _MAGIC:
                    self._packs.append((pair[0], pair[1]))
        return self._packs

    def _at(self, pack: mmap.mmap, offset: int, chain: int, size: int) -> tuple[str, bytes]:
        """Return the object at an offset: the whole one at the end of a chain, and each delta applied to it.

        `size`: bytes of an id in this repository.
        """
        deltas: list[bytes] = []
        while True:
            if chain + len(deltas) > MAX_CHAIN:
                raise ValueError("too many deltas")
            start, at = offset, offset
            kind = pack[at] >> 4 & 7
            while pack[at] & 0x80:
                at += 1
            at += 1
            if kind in _KINDS:
                base = _KINDS[kind], _inflate(pack, at)
                break
            if kind == _OFFSET_DELTA:
                back = pack[at] & 0x7F
                while pack[at] & 0x80:
                    at += 1
                    back = (back + 1) << 7 | pack[at] & 0x7F
                deltas.append(_inflate(pack, at + 1))
                offset = start - back
                if not 0 < offset < start:
                    raise ValueError("a delta that leads out of the pack")
            elif kind == _NAME_DELTA:
                deltas.append(_inflate(pack, at + size))
                found = self._packed(pack[at : at + size], chain + len(deltas))
                if found is None:
                    raise ValueError("a delta on an object that is not there")
                base = found
                break
            else:
                raise ValueError("an unknown kind of entry")
        name, data = base
        made = 0
        for delta in reversed(deltas):
            data = _apply(data, delta)
            made += len(data)
            if made > MAX_CHAIN_BYTES:
                raise ValueError("deltas that make too much")
        return name, data


def _map(path: Path, stack: ExitStack) -> mmap.mmap | None:
    if not path.is_file() or path.stat().st_size < 20:
        return None
    file = stack.enter_context(path.open("rb"))
    return stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _offset(index: mmap.mmap, oid: bytes) -> int | None:
    """Look an id up in an index: a fan-out table, sorted ids, checksums, offsets."""
    (total,) = struct.unpack_from(">I", index, 8 + 255 * 4)
    low = struct.unpack_from(">I", index, 8 + (oid[0] - 1) * 4)[0] if oid[0] else 0
    (high,) = struct.unpack_from(">I", index, 8 + oid[0] * 4)
    ids, size = 8 + 256 * 4, len(oid)  # 20 bytes, in a SHA-256 repository 32; then 4 of a checksum, 4 of the offset
    if not low <= high <= total or len(index) < ids + total * (size + 8):
        raise ValueError("an index that is cut off")
    while low < high:
        middle = (low + high) // 2
        if index[ids + middle * size : ids + (middle + 1) * size] < oid:
            low = middle + 1
        else:
            high = middle
    if low >= total or index[ids + low * size : ids + (low + 1) * size] != oid:
        return None
    offset: int = struct.unpack_from(">I", index, ids + total * (size + 4) + low * 4)[0]
    if offset & 0x80000000:  # a pack beyond 2 GiB has a table of its own for what lies there
        offset = struct.unpack_from(">Q", index, ids + total * (size + 8) + (offset & 0x7FFFFFFF) * 8)[0]
    return offset


def _inflate(data: _Bytes, at: int) -> bytes:
    """Return what is compressed from an offset on, in pieces: what follows it is not copied."""
    stream = zlib.decompressobj()
    out = bytearray()
    while not stream.eof:
        piece = stream.unconsumed_tail or data[at : at + _PIECE]
        if not stream.unconsumed_tail:
            at += _PIECE
        if not piece:
            raise zlib.error("cut off")
        out += stream.decompress(piece, MAX_OBJECT_BYTES + 1 - len(out))
        if len(out) > MAX_OBJECT_BYTES:
            raise InputError(f"an object of more than {MAX_OBJECT_BYTES} bytes", where=".git")
    return bytes(out)


def _apply(base: bytes, delta: bytes) -> bytes:
    """Apply a delta: two sizes, then pieces that are copied from the base, or stand in the delta itself."""
    before, at = _size(delta, 0)
    after, at = _size(delta, at)
    if before != len(base) or after > MAX_OBJECT_BYTES:
        raise ValueError("a delta of another object")
    out = bytearray()
    while at < len(delta):
        code = delta[at]
        at += 1
        if code & 0x80:
            values = [0, 0]
            for bit in range(7):
                if code & 1 << bit:
                    values[bit > 3] |= delta[at] << 8 * (bit if bit < 4 else bit - 4)
                    at += 1
            start, size = values[0], values[1] or 0x10000
            if start + size > len(base) or len(out) + size > after:
                raise ValueError("a delta that copies what is not there")
            out += base[start : start + size]
        elif code:
            out += delta[at : at + code]
            at += code
        else:
            raise ValueError("an unknown instruction in a delta")
    if len(out) != after:
        raise ValueError("a delta that is cut off")
    return bytes(out)


def _size(delta: bytes, at: int) -> tuple[int, int]:
    size = shift = 0
    while True:
        byte = delta[at]
        size |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return size, at
        if shift > 63:
            raise ValueError("a size that no object has")
