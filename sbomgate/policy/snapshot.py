"""Snapshots of the embedded engine: an instance that has compiled its policy, as it lies between two calls.

Compiling the shipped policy takes 0.7 s of a processor, and gives the same each time. Between two calls into the module
no code of it runs, so its linear memory and its globals (`engine/export_globals.py` exports them) are all there is:
they are kept, and another instance of the same module goes on from there. Wizer does the same to whole modules
(https://github.com/bytecodealliance/wizer). What is kept is what a policy compiles to, and never what it said (P16).
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import wasmtime

PAGE_BYTES = 64 << 10  # of WebAssembly
PIECE_BYTES = 4 << 10  # pieces of nothing but zeros are left out
MAX_BYTES = 256 << 20  # of a snapshot: the shipped policy's is 27 MB

_HEAD = struct.Struct("<4sII")  # magic, CRC-32 and bytes of the description that follows
_MAGIC = b"sgs1"


def take(store: wasmtime.Store, exports: Mapping[str, Any]) -> bytes | None:
    """Return the snapshot of an instance in which no call is under way, or None where it is larger than `MAX_BYTES`."""
    memory = exports["memory"]
    size = memory.data_len(store)
    if size > MAX_BYTES:
        return None
    image = memory.read(store)
    zeros = bytes(PIECE_BYTES)
    runs: list[tuple[int, int]] = []
    for at in range(0, size, PIECE_BYTES):
        if image[at : at + PIECE_BYTES] == zeros:
            continue
        if runs and runs[-1][1] == at:
            runs[-1] = runs[-1][0], at + PIECE_BYTES
        else:
            runs.append((at, at + PIECE_BYTES))
    body = b"".join([image[start:end] for start, end in runs])
    described = json.dumps(
        {"size": size, "globals": _globals(store, exports), "runs": runs, "crc32": zlib.crc32(body)}
    ).encode()
    return _HEAD.pack(_MAGIC, zlib.crc32(described), len(described)) + described + body


def restore(path: str, store: wasmtime.Store, exports: Mapping[str, Any]) -> bool:
    """Make a new instance one that was kept; where it returns False, the instance is of no more use.

    The checksum finds what a crash or a disk damaged. Against somebody who writes such files nothing but the folder
    protects, as it does for the machine code beside it (P26).

    Raises:
        OSError: the file cannot be read.
    """
    with Path(path).open("rb", buffering=0) as f:
        head = f.read(_HEAD.size)
        if len(head) != _HEAD.size or not head.startswith(_MAGIC):
            return False
        _, checksum, length = _HEAD.unpack(head)
        described = f.read(min(length, os.fstat(f.fileno()).st_size))
        if zlib.crc32(described) != checksum:
            return False
        kept = json.loads(described)
        memory = exports["memory"]
        try:
            memory.grow(store, (kept["size"] - memory.data_len(store)) // PAGE_BYTES)
        except wasmtime.WasmtimeError:  # over the limit of this evaluation
            return False
        linear, found = memoryview(memory.get_buffer_ptr(store)).cast("B"), 0
        for start, end in kept["runs"]:
            if f.readinto(linear[start:end]) != end - start:
                return False
            found = zlib.crc32(linear[start:end], found)
        if found != kept["crc32"]:
            return False
        with contextlib.suppress(OSError):  # root's, in the image of a runner
            os.utime(f.fileno())  # which one was used last
    for name, value in kept["globals"].items():
        exports[name].set_value(store, value)
    return True


def _globals(store: wasmtime.Store, exports: Mapping[str, Any]) -> dict[str, int]:
    return {name: item.value(store) for name, item in exports.items() if isinstance(item, wasmtime.Global)}
