"""Where a policy lies: a folder or an archive on disk, or an artefact in an OCI registry, named by its digest.

    oci:HOST/REPO@sha256:DIGEST      of a manifest: one layer is the archive, one more may be the signature beside it

as `oras push HOST/REPO:TAG policy.tar.gz policy.tar.gz.sigstore.json` makes it. It is fetched once and kept in our own
cache; what is there is compared with the digest again whenever it is used, so nothing there is trusted (PROMISES P26).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbomgate.errors import FetchError, PolicyError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sbomgate.cli._environment import Environment

NAME = "policy.tar.gz"
_REFERENCE = re.compile(r"oci:(?P<at>[^@]+)@sha256:(?P<digest>[0-9a-f]{64})")
_TITLE = "org.opencontainers.image.title"
_BLOB = re.compile(r"sha256:[0-9a-f]{64}")


def located(argument: str, env: Environment) -> Path:
    """Return the path of the policy that `--policy` names; one in a registry is fetched first.

    Raises:
        UsageError: a registry's, and not by digest. FetchError: the registry cannot be read.
        PolicyError: what lies there is no policy.
    """
    if not argument.startswith("oci:"):
        return env.working_directory / argument
    reference = _REFERENCE.fullmatch(argument)
    if reference is None:
        raise UsageError(
            "a policy in a registry is named by its digest",
            where=argument[:300],
            hint="give oci:HOST/REPO@sha256:DIGEST (`oras resolve HOST/REPO:TAG` tells it): a tag may move",
        )
    return _kept(env, argument, reference["at"], reference["digest"])


def _kept(env: Environment, where: str, at: str, digest: str) -> Path:
    """Return the path of the archive in the cache, fetched where it is not there as it must be."""
    import hashlib

    from sbomgate import files
    from sbomgate.policy import signature
    from sbomgate.policy.bundle import MAX_BUNDLE_BYTES

    folder = env.cache / "policies" / digest
    fetched: dict[str, bytes] = {}

    def held(name: str, sha256: str) -> bytes:
        """Return a file of this digest: from the cache where it is whole, else from the registry."""
        path = folder / name
        if path.is_file():
            data = files.read(path, limit=MAX_BUNDLE_BYTES, error=FetchError, follow=False)
            if hashlib.sha256(data).hexdigest() == sha256:
                return data
        fetched[name] = _fetched(env, where, at, sha256, manifest=name == "manifest.json")
        return fetched[name]

    archive, beside = _layers(held("manifest.json", digest), where)
    held(NAME, archive)
    if beside is not None:
        held(NAME + signature.SUFFIX, beside)
    _keep(folder, fetched)
    return folder / NAME


def _layers(manifest: bytes, where: str) -> tuple[str, str | None]:
    """Return SHA-256 (hex) of the archive, and of its signature or None."""
    from sbomgate import dsse
    from sbomgate.policy import signature

    match dsse.loads(manifest, where):
        case {"layers": list(layers)} if 1 <= len(layers) <= 2:
            named = {_title(layer): _sha256(layer, where) for layer in layers}
        case _:
            raise PolicyError("not a manifest with an archive, and at most its signature", where=where, hint=_PUSH)
    archives = [title for title in named if title.endswith((".tar.gz", ".tgz")) or len(layers) == 1]
    if len(archives) != 1 or set(named) - {archives[0], archives[0] + signature.SUFFIX}:
        raise PolicyError(f"holds {', '.join(sorted(named))[:200]}", where=where, hint=_PUSH)
    return named[archives[0]], named.get(archives[0] + signature.SUFFIX)


def _title(layer: Any) -> str:
    annotations = layer.get("annotations") if isinstance(layer, dict) else None
    return str(annotations.get(_TITLE, "")) if isinstance(annotations, dict) else ""


def _sha256(layer: Mapping[str, Any], where: str) -> str:
    digest = layer.get("digest") if isinstance(layer, dict) else None
    if not isinstance(digest, str) or not _BLOB.fullmatch(digest):
        raise PolicyError("a layer has no sha256 digest", where=where, hint=_PUSH)
    return digest.removeprefix("sha256:")


def _fetched(env: Environment, where: str, at: str, sha256: str, *, manifest: bool) -> bytes:
    from sbomgate.cli import _store
    from sbomgate.evidence import registry_client
    from sbomgate.policy.bundle import MAX_BUNDLE_BYTES

    with _store.opening(env) as client_of:
        client = client_of(registry_client.repository(at))
        name = f"sha256:{sha256}"
        data = client.manifest(name) if manifest else client.blob(name, limit=MAX_BUNDLE_BYTES)
    if data is None:
        raise FetchError(
            f"the registry has no {name}", where=where, hint="is it pushed, and the digest its manifest's?"
        )
    return data


def _keep(folder: Path, fetched: Mapping[str, bytes]) -> None:
    """Write what was fetched into the cache.

    Raises:
        FetchError: it cannot be written.
    """
    from sbomgate.cli._environment import write_atomically

    if not fetched:
        return
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, data in fetched.items():
            write_atomically(folder / name, data)
    except OSError as e:
        raise FetchError(
            f"cannot be written: {(e.strerror or str(e)).lower()}",
            where=str(folder),
            hint="make room, or name another cache (XDG_CACHE_HOME)",
        ) from e


_PUSH = "`oras push HOST/REPO:TAG policy.tar.gz policy.tar.gz.sigstore.json` makes one (`sbomgate policy build`)"
