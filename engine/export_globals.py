"""Export a module's mutable globals: `export_globals.py WASM` rewrites the file.

Go keeps its stack pointer and the running goroutine in globals that it does not export. Who keeps a snapshot of an
instance needs them beside the memory. No other section changes.

Source: https://webassembly.github.io/spec/core/binary/modules.html
"""

import sys
from pathlib import Path

GLOBALS, EXPORTS = 6, 7  # ids of sections
GLOBAL = b"\x03"  # kind of an export
NUMBERS = {0x7F: 0x41, 0x7E: 0x42}  # i32 and i64, and the instruction that makes a constant of each
MUTABLE, END = 1, 0x0B


def main() -> None:
    """Rewrite the module."""
    path = Path(sys.argv[1])
    module = path.read_bytes()
    found, at = bytearray(module[:8]), 8
    count = 0
    while at < len(module):
        section = module[at]
        size, start = leb128(module, at + 1)
        body, at = module[start : start + size], start + size
        if section == GLOBALS:
            count = globals_of(body)
        if section == EXPORTS:
            before, start = leb128(body, 0)
            more = b"".join(name(f"global{n}") + GLOBAL + to_leb128(n) for n in range(count))
            body = to_leb128(before + count) + body[start:] + more
        found += bytes([section]) + to_leb128(len(body)) + body
    if not count:
        sys.exit("export_globals.py: the module has no globals before its exports")
    path.write_bytes(found)


def globals_of(body: bytes) -> int:
    """Return how many globals the section has: mutable numbers, set to a constant, as Go makes them."""
    count, at = leb128(body, 0)
    for _ in range(count):
        if body[at + 1] != MUTABLE or body[at + 2] != NUMBERS.get(body[at]):
            sys.exit("export_globals.py: a global is no mutable number")
        at = leb128(body, at + 3)[1] + 1
        if body[at - 1] != END:
            sys.exit("export_globals.py: a global is not set to a constant")
    return count


def name(text: str) -> bytes:
    """Encode a name."""
    return to_leb128(len(text)) + text.encode("ascii")


def leb128(data: bytes, at: int) -> tuple[int, int]:
    """Return the unsigned number at a place, and the place behind it."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def to_leb128(value: int) -> bytes:
    """Encode an unsigned number."""
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


main()
