"""A trust root's newest version, by the chain of The Update Framework (TUF): from a root that is known, and no other.

The steps are those of the specification's client workflow (https://theupdateframework.github.io/specification/latest/,
section 5), done by python-tuf's `ngclient`: each root is signed by the one before it and by itself; timestamp, snapshot
and targets have not expired, are of no older version than those that were seen, and fit together; a target has the
length and the hashes that signed metadata gives. What is added here: where metadata is fetched from, how long that may
take, and what is kept.

Nothing here decides what is trusted: the result is bytes, which count where a trust file names them by their digest.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sbomgate import files
from sbomgate.addresses import LOCAL
from sbomgate.errors import FetchError, TrustError

if TYPE_CHECKING:
    import httpx
    from tuf.ngclient import FetcherInterface

PUBLIC_URL = "https://tuf-repo-cdn.sigstore.dev/"
"""The TUF repository of sigstore's public-good instance."""

TRUSTED_ROOT = "trusted_root.json"
REGISTRY_KEYS = "registry.npmjs.org/keys.json"
"""The targets that are asked for: sigstore's trusted root, and what the npm registry publishes beside it."""

MAX_METADATA_BYTES = 5_000_000  # python-tuf's own limit for targets metadata; sigstore's has 6 kB
MAX_METADATA_FILES = 300  # 256 roots, the steps that a client takes at most, and a few roles
MAX_TARGET_BYTES = 1 << 20  # the public ones have 7 kB and 2 kB
MAX_SECONDS = 60.0  # for everything: a mirror that sends a byte now and then must not hold the verb for ever
READ_SECONDS = 10.0
_HISTORY = "root_history"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed:
    """What a repository's signed metadata says now.

    Attributes:
        trusted_root: bytes of sigstore's trusted root.
        registry_keys: bytes of the npm registry's keys; None where this repository has none.
        root_version: of the newest root that the chain leads to.
        metadata: name below the folder that keeps it → bytes: what finds a rollback the next time, and what an auditor
            verifies the chain with.
    """

    trusted_root: bytes
    registry_keys: bytes | None
    root_version: int
    metadata: Mapping[str, bytes] = field(repr=False)


def refresh(url: str, *, root: bytes, known: Mapping[str, bytes], client: httpx.Client) -> Refreshed:
    """Fetch the newest trust root and verify it up to `root`. Nothing is written but temporary files.

    Args:
        url: of the repository: metadata lies there, targets in `targets/` below it.
        root: root metadata (root.json) that is trusted; it may have expired, its successors must not.
        known: what `Refreshed.metadata` was the last time. It is not trusted: it only makes older versions refused.
        client: without redirects and without surroundings of its own (`transport.open_client`).

    Raises:
        FetchError: the repository cannot be reached, is too slow, or sends more than metadata has room for.
        TrustError: the chain does not hold, something has expired, is older than what was seen, or does not fit.
    """
    from tuf.api.exceptions import DownloadError, DownloadLengthMismatchError, RepositoryError
    from tuf.ngclient import Updater

    base = url if url.endswith("/") else f"{url}/"
    _require_tls(base)
    with tempfile.TemporaryDirectory(prefix="sbomgate-tuf-") as scratch:
        metadata, targets = Path(scratch, "metadata"), Path(scratch, "targets")
        (metadata / _HISTORY).mkdir(parents=True)
        targets.mkdir()
        for name, data in known.items():
            (metadata / name).write_bytes(data)
        try:
            updater = Updater(
                metadata_dir=str(metadata),
                metadata_base_url=base,
                target_dir=str(targets),
                target_base_url=f"{base}targets/",
                fetcher=_fetcher(client, time.monotonic() + MAX_SECONDS),
                bootstrap=root,
            )
            updater.refresh()
            found = {}
            for target in (TRUSTED_ROOT, REGISTRY_KEYS):
                about = updater.get_targetinfo(target)
                if about is None:
                    continue
                if about.length > MAX_TARGET_BYTES:
                    raise TrustError(
                        f"{about.length} bytes, more than the limit of {MAX_TARGET_BYTES}",
                        where=target,
                        hint="is it sigstore's TUF repository?",
                    )
                found[target] = Path(updater.download_target(about)).read_bytes()
        except (RepositoryError, DownloadLengthMismatchError) as e:
            raise TrustError(
                f"its chain of signatures does not hold: {_sentence(e)}",
                where=url,
                hint="nothing was changed. A mirror may be out of date, or somebody stands between you and it",
            ) from e
        except DownloadError as e:
            raise FetchError(
                _sentence(e),
                where=url,
                hint="is the repository in reach? For a mirror or a private sigstore give --url, and its --root",
            ) from e
        if TRUSTED_ROOT not in found:
            raise TrustError(f"it has no target {TRUSTED_ROOT}", where=url, hint="is it sigstore's TUF repository?")
        kept = read_metadata(metadata)
        return Refreshed(
            trusted_root=found[TRUSTED_ROOT],
            registry_keys=found.get(REGISTRY_KEYS),
            root_version=max(int(name.split("/")[1].split(".")[0]) for name in kept if name.startswith(_HISTORY)),
            metadata=kept,
        )


def read_metadata(folder: Path) -> dict[str, bytes]:
    """Return what `Refreshed.metadata` was when it was kept in `folder`; nothing where there is no such folder.

    Raises:
        TrustError: a file cannot be read, or there are more than any client keeps.
    """
    found: dict[str, bytes] = {}
    for below in ("", _HISTORY):
        directory = folder / below
        if not directory.is_dir():
            continue
        try:
            held = sorted(path for path in directory.iterdir() if path.suffix == ".json" and path.is_file())
        except OSError as e:
            raise TrustError(f"cannot be read: {(e.strerror or str(e)).lower()}", where=str(directory)) from e
        for path in held:
            if not below and path.stem == "root":
                continue
            found[f"{below}/{path.name}".lstrip("/")] = files.read(path, limit=MAX_METADATA_BYTES, error=TrustError)
            if len(found) > MAX_METADATA_FILES:
                raise TrustError(
                    f"more than {MAX_METADATA_FILES} files of metadata", where=str(folder), hint="name another folder"
                )
    return found


def _fetcher(client: httpx.Client, deadline: float) -> FetcherInterface:
    """Return python-tuf's seam to the network, on our client: it reads as much as python-tuf asks for, and no longer.

    Lengths are python-tuf's: it stops reading at the length that metadata gives, or at its limit for the role.
    """
    import httpx
    from tuf.api.exceptions import DownloadError, DownloadHTTPError
    from tuf.ngclient import FetcherInterface

    class Fetcher(FetcherInterface):
        def _fetch(self, url: str) -> Iterator[bytes]:
            try:
                # Without content encodings: the length that counts is that of the bytes as they were sent.
                with client.stream("GET", url, headers={"accept-encoding": "identity"}) as answer:
                    if answer.status_code != httpx.codes.OK:
                        raise DownloadHTTPError(f"HTTP {answer.status_code} for {url}", answer.status_code)
                    for piece in answer.iter_raw():
                        if time.monotonic() > deadline:
                            raise DownloadError(f"not done after {MAX_SECONDS:.0f} s: {url}")
                        yield piece
            except (httpx.HTTPError, httpx.InvalidURL) as e:
                raise DownloadError(f"{url}: {str(e) or type(e).__name__}") from e

    return Fetcher()


def _require_tls(url: str) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as e:
        raise FetchError(f"no URL: {e}", where=url[:200], hint=f"such as {PUBLIC_URL}") from e
    loopback = host in LOCAL
    if not host or (parts.scheme != "https" and not (parts.scheme == "http" and loopback)):
        raise FetchError(
            "not an https URL", where=url[:200], place="--url", hint="http is accepted on this machine only"
        )
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        # It would be shown in messages and in what is written.
        raise FetchError("holds credentials, a query or a fragment", where="--url", hint=f"such as {PUBLIC_URL}")


def _sentence(error: Exception) -> str:
    return str(error).partition("\n")[0][:300]
