"""Container images as archives and layouts, made here: no engine is needed."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
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


def layout(layers: Sequence[bytes], media_type: str = "application/vnd.oci.image.layer.v1.tar") -> dict[str, bytes]:
    """Return the files of an OCI layout with one image; a layer that is packed by gzip is said to be."""
    blobs: dict[str, bytes] = {}

    def described(data: bytes, media_type: str) -> dict[str, object]:
        blobs[f"blobs/sha256/{sha256(data)}"] = data
        return {"mediaType": media_type, "digest": f"sha256:{sha256(data)}", "size": len(data)}

    packed_as = media_type.removesuffix("+gzip")
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": described(b"{}", "application/vnd.oci.image.config.v1+json"),
        "layers": [described(one, packed_as + "+gzip" * (one[:2] == b"\x1f\x8b")) for one in layers],
    }
    image = described(json.dumps(manifest).encode(), str(manifest["mediaType"]))
    index = json.dumps({"schemaVersion": 2, "manifests": [image]}).encode()
    return {**blobs, "index.json": index, "oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}


def written(folder: Path, files: Mapping[str, bytes]) -> str:
    """Write a layout into a folder, and return the SHA-256 (hex) of its image's manifest."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (image,) = json.loads(files["index.json"])["manifests"]
    return str(image["digest"]).removeprefix("sha256:")


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
