"""Installed trees and artefacts for tests, made of the same tarballs that lockfiles pin."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from testkit import tarballs


def install(root: Path, place: str, data: bytes) -> Path:
    """Unpack a tarball to `place` below `root`, as a package manager does, and return its folder."""
    folder = root / place
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive.getmembers():
            path = folder / member.name.partition("/")[2]
            path.parent.mkdir(parents=True, exist_ok=True)
            content = archive.extractfile(member)
            assert content is not None
            path.write_bytes(content.read())
    return folder


def tar(files: Mapping[str, bytes | str], *, mode: str = "w:gz", members: Sequence[tarfile.TarInfo] = ()) -> bytes:
    """Return an archive: bytes are files, texts symbolic links; then `members` as they are, without content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.mtime = tarballs.MTIME
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        for member in members:
            archive.addfile(member)
    return buffer.getvalue()


def zipped(files: Mapping[str, bytes | str]) -> bytes:
    """Return a zip: bytes are files, texts symbolic links."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o120777 if isinstance(content, str) else 0o100644) << 16
            archive.writestr(info, content)
    return buffer.getvalue()


def files_of(place: str, data: bytes) -> dict[str, bytes]:
    """Return path → content of a package as it is installed at `place`."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive.getmembers():
            content = archive.extractfile(member)
            assert content is not None
            found[f"{place}/{member.name.partition('/')[2]}"] = content.read()
    return found
