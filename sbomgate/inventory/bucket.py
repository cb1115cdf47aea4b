"""An inventory in object storage (S3 and what speaks its protocol): a copy of a folder, for reading.

It is written by `push` alone: object storage has no locks that writers of several hosts could share with compactions,
so one folder is where builds are added, and what lies here is one state of it. Segments have their digest in their
names, so that no file ever changes; `segments.json` is replaced last, and names what counts. What it named before stays
until the push after: a reader that had it finds what it needs.

It is an extra (`pip install 'sbomgate[s3]'`): s3fs, with its own settings for endpoint and credentials (`AWS_…`,
`~/.aws`), which are also what limits who reads and who writes. Nothing in it is signed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbomgate.errors import EvidenceError, UsageError
from sbomgate.inventory import amendments, deployments, lines
from sbomgate.inventory.engines.duck import DuckDB
from sbomgate.inventory.place import MANIFEST, SEGMENTS, Place, manifest

if TYPE_CHECKING:
    from sbomgate.inventory.folder import Folder

CONNECT_SECONDS, ANSWER_SECONDS, ATTEMPTS = 10, 60, 3  # of one request
PART_BYTES = 32 << 20  # of an upload

# What S3 allows, without what a file system of fsspec takes for a pattern.
_URL = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?P<prefix>(?:/[A-Za-z0-9._=-]{1,100}){0,10})/?")
_HINT = "is the endpoint right (AWS_ENDPOINT_URL), and may these credentials (AWS_…, ~/.aws) do this?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What a push did: how many builds are there now, files that were sent, and that were there."""

    builds: int
    sent: int
    there: int


class Bucket(Place):
    """An inventory in object storage."""

    def __init__(self, url: str, storage: Any = None) -> None:
        """Name it; nothing is asked.

        Args:
            url: s3://BUCKET/PREFIX.
            storage: a file system of fsspec; None makes one by the settings of this process.

        Raises:
            UsageError: it names none, or s3fs is not installed.
        """
        found = _URL.fullmatch(url)
        if found is None or ".." in url:
            raise UsageError(
                "not s3://BUCKET/PREFIX",
                where=url.partition("?")[0].rpartition("@")[2][:200],
                hint="letters, digits and ._=- in the prefix",
            )
        self._url = url.rstrip("/")
        self._storage = _storage() if storage is None else storage

    @property
    def where(self) -> str:
        """See `Place`."""
        return self._url

    def at(self, name: str) -> str:
        """See `Place`."""
        return f"{self._url}/{name}"

    def read(self, name: str, limit: int) -> bytes | None:
        """See `Place`."""
        with _errors(self.at(name)):
            try:
                data = bytes(self._storage.cat_file(self.at(name), start=0, end=limit + 1))
            except FileNotFoundError:
                return None
        if len(data) > limit:
            raise EvidenceError(f"larger than the limit of {limit} bytes", where=self.at(name))
        return data

    def reader(self) -> DuckDB:
        """See `Place`."""
        return DuckDB([self._url], storage=self._storage)

    def _deltas(self) -> tuple[str, ...]:
        return ()  # `push` makes segments of them

    def push(self, folder: Folder) -> Pushed:
        """Make this a copy of a folder: readers see the state before or the new one.

        Raises:
            EvidenceError: it cannot be written, or holds what the folder does not.
        """
        with folder.still() as listing:
            before = self._segments() if self.exists() else ()
            if before:
                self._must_hold_no_more(folder)
            segments, sent = [], 0
            held = self._names()
            for segment in listing.segments:
                sources = [folder.path / SEGMENTS / name for name in segment.files]
                name, *spans = (_named(source) for source in sources)
                segments.append(replace(segment, name=name, spans=next(iter(spans), None)))
                for source, name in zip(sources, segments[-1].files, strict=True):
                    if name not in held:
                        self._send(source, name)
                        sent += 1
            # What is revoked is there before the builds that it is about.
            for name in (amendments.FILE, deployments.FILE):
                data = folder.read(name, lines.MAX_BYTES)
                if data is not None or self.read(name, lines.MAX_BYTES) is not None:
                    self._put(name, data or b"")
            self._put(MANIFEST, manifest(segments))
            kept = {name for segment in (*segments, *before) for name in segment.files}
            for name in held - kept:
                with _errors(self.at(f"{SEGMENTS}/{name}")):
                    self._storage.rm_file(self.at(f"{SEGMENTS}/{name}"))
        there = sum(len(segment.files) for segment in segments) - sent
        return Pushed(builds=sum(segment.builds for segment in segments), sent=sent, there=there)

    def _must_hold_no_more(self, folder: Folder) -> None:
        """Refuse to lose what is here: the copy of another folder, or of this one before something was lost."""

        def keys(place: Place) -> set[int]:
            engine = place.reader()
            try:
                return place.ask(engine, lambda e: {key for (key,) in e.query("SELECT build FROM build")})
            finally:
                engine.close()

        lost = len(keys(self) - keys(folder))
        told = len(set(deployments.read(self)) - set(deployments.read(folder)))
        if lost or told:
            raise EvidenceError(
                f"holds {lost:,} builds and {told:,} deployments that {folder.where} does not",
                where=self._url,
                hint="is it another inventory's place? Push to a prefix of its own, or remove what is there",
            )

    def _names(self) -> set[str]:
        with _errors(self.at(SEGMENTS)):
            try:
                return {str(name).rpartition("/")[2] for name in self._storage.ls(self.at(SEGMENTS), detail=False)}
            except FileNotFoundError:
                return set()

    def _send(self, source: Path, name: str) -> None:
        """Upload a segment, and compare its size with what lies there then."""
        at = self.at(f"{SEGMENTS}/{name}")
        with _errors(at):
            self._storage.put_file(str(source), at, chunksize=PART_BYTES)
            size = self._storage.info(at)["size"]
        if size != source.stat().st_size:
            raise EvidenceError(f"has {size} bytes, and {source.stat().st_size} were sent", where=at)

    def _put(self, name: str, data: bytes) -> None:
        with _errors(self.at(name)):
            self._storage.pipe_file(self.at(name), data)


def _named(segment: Path) -> str:
    with segment.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return f"{segment.name[:6]}-{digest[:16]}{segment.name[6:]}"  # .parquet or .spans.parquet


def _storage() -> Any:
    try:
        import s3fs
    except ImportError as e:
        raise UsageError(
            f"object storage needs s3fs, which cannot be imported: {e}", hint="pip install 'sbomgate[s3]'"
        ) from e
    limits = {"connect_timeout": CONNECT_SECONDS, "read_timeout": ANSWER_SECONDS, "retries": {"max_attempts": ATTEMPTS}}
    return s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True, config_kwargs=limits)


@contextmanager
def _errors(where: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except FileNotFoundError:
        raise
    except (OSError, BotoCoreError, ClientError) as e:
        said = str(e).strip().partition("\n")[0][:300] or type(e).__name__
        raise EvidenceError(f"the storage refuses: {said}", where=where, hint=_HINT) from e
