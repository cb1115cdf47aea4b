"""Container images as archives and layouts, made here: no engine is needed."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path


def packed(root: Path) -> bytes:
    """Return a folder as a layer."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        archive.add(root, arcname=".")
    return data.getvalue()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def archive(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as made:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    return data.getvalue()


def layout(layers: list[bytes], media_type: str = "application/vnd.oci.image.layer.v1.tar") -> dict[str, bytes]:
    """Return the files of an OCI layout with one image."""
    described = [{"mediaType": media_type, "digest": f"sha256:{sha256(one)}", "size": len(one)} for one in layers]
    manifest = json.dumps({"schemaVersion": 2, "layers": described}).encode()
    index = json.dumps({"manifests": [{"digest": f"sha256:{sha256(manifest)}"}]}).encode()
    blobs = {f"blobs/sha256/{sha256(one)}": one for one in (*layers, manifest)}
    return {**blobs, "index.json": index, "oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}


def docker(layers: list[bytes]) -> dict[str, bytes]:
    """Return the files of `docker save` before version 25."""
    names = [f"{sha256(one)}/layer.tar" for one in layers]
    config = b'{"config": {}}'
    manifest = [{"Config": f"{sha256(config)}.json", "RepoTags": ["shop:1"], "Layers": names}]
    return {**dict(zip(names, layers, strict=True)), f"{sha256(config)}.json": config,
            "manifest.json": json.dumps(manifest).encode(), "repositories": b"{}"}  # fmt: skip


def saved(path: Path, files: dict[str, bytes]) -> Path:
    path.write_bytes(archive(files))
    return path
