"""Installed trees and artefacts for tests, made of the same tarballs that lockfiles pin."""

from __future__ import annotations

import hashlib
import io
import json
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


def layout(folder: Path, layers: Sequence[bytes], *, media_type: str = "application/vnd.oci.image.layer.v1.tar") -> str:
    """Write an OCI image layout of one image with these layers, and return the SHA-256 (hex) of its manifest."""

    def blob(data: bytes) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        path = folder / "blobs" / "sha256" / digest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    config = {"mediaType": "application/vnd.oci.image.config.v1+json", **blob(b"{}")}
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config,
        "layers": [
            {"mediaType": media_type + ("+gzip" if layer[:2] == b"\x1f\x8b" else ""), **blob(layer)} for layer in layers
        ],
    }
    described = blob(json.dumps(manifest).encode())
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [described]}))
    return str(described["digest"]).removeprefix("sha256:")
