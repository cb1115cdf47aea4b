"""SBOMs: CycloneDX JSON and XML that others made (as a lockfile), and our own with its facts."""

from __future__ import annotations

from collections.abc import Iterator

from fuzz.inputs import FIXTURES, pack, unpack
from sbomgate import lockfiles
from sbomgate import sbom as ours
from sbomgate.errors import InputError
from sbomgate.project import MemoryFiles

GOLDEN = FIXTURES.parent / "golden"


def seeds() -> Iterator[tuple[str, bytes]]:
    """Return SBOMs of other tools beside what they were made from, and our own."""
    manifest = (FIXTURES / "foreign" / "project" / "package.json").read_bytes()
    for path in sorted((FIXTURES / "foreign").glob("*.*")):
        if path.stat().st_size < 22_000:
            yield path.name, pack({path.name: path.read_bytes(), "package.json": manifest})
    for path in sorted(GOLDEN.rglob("*.cdx.*")):
        if path.stat().st_size < 12_000:
            yield f"ours-{path.name}", pack({path.name: path.read_bytes()})


def read(data: bytes) -> object:
    """Read each file as one of others, and as ours."""
    found: list[object] = []
    files = unpack(data)
    for name, content in files.items():
        if name == "package.json":
            continue
        try:
            found.append(ours.read(content))
        except InputError:
            found.append(lockfiles.read_sbom(MemoryFiles(files), name))
    return found
