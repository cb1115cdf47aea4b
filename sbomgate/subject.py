"""What a decision is about: `file:PATH`, `git:COMMIT`, `oci:HOST/REPO@sha256:…`, and its build manifest.

A subject is always a digest. What can be moved (a tag, a branch, an abbreviated commit) is refused (PROMISES P12).

Every subject has a *build manifest*: a small OCI manifest that anybody who holds the artefact or knows the commit can
compute again, without looking anything up. Evidence refers to it as an OCI `subject`; statements name its digest beside
the real one, so that one bundle serves tools that look for either.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath

import orjson

from sbomgate.errors import InputError, UsageError
from sbomgate.model import Subject, SubjectKind

BUILD_MEDIA_TYPE = "application/vnd.sbomgate.build.v1+json"
MANIFEST_MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"
EMPTY_MEDIA_TYPE = "application/vnd.oci.empty.v1+json"
EMPTY_BLOB = b"{}"

BUILD_KINDS: Mapping[SubjectKind, str] = {SubjectKind.FILE: "tarball", SubjectKind.GIT: "git", SubjectKind.OCI: "image"}
"""The word for each kind in the build blob. Any file is a `tarball` there: its bytes are all that counts."""

_FORMS = "file:PATH, git:COMMIT (40 or 64 hex digits) or oci:HOST/REPO@sha256:DIGEST"
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# Host and repository as in the OCI distribution specification; the first part is a host
# only with a dot, a port, or as "localhost".
REPOSITORY = re.compile(
    r"(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|\[[0-9a-fA-F:]+\]|[A-Za-z0-9-]+(?=:))(?::[0-9]{1,5})?"
    r"(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)+"
)


def parse(spec: str, sha256_of: Callable[[str], str]) -> Subject:
    """Return the subject that `spec` names.

    Args:
        spec: `file:PATH`, `git:COMMIT` or `oci:HOST/REPO@sha256:DIGEST`.
        sha256_of: hashes the file at a path (hex); raises an SbomgateError where it cannot.

    The name of a file is its last path part only: no evidence carries a home path.

    Raises:
        UsageError: another form; a tag, a branch, an abbreviated commit.
        InputError: the file's name is not UTF-8.
    """
    scheme, _, rest = spec.partition(":")
    if scheme == "file" and rest:
        name = PurePath(rest).name
        try:
            name.encode()
        except UnicodeEncodeError as e:
            raise InputError("the file's name is not UTF-8", where=ascii(rest), hint="rename the artefact") from e
        if not name:
            raise UsageError("this names no file", where=spec, hint=f"give the subject as {_FORMS}")
        return Subject(kind=SubjectKind.FILE, name=name, digest={"sha256": sha256_of(rest)})
    if scheme == "git" and rest:
        if not _COMMIT.fullmatch(rest):
            raise UsageError(
                "not a full commit id: a branch or a tag can be moved, an abbreviation can become ambiguous",
                where=spec,
                hint="give the whole id in lowercase, as `git rev-parse HEAD` prints it",
            )
        return Subject(kind=SubjectKind.GIT, name=f"git:{rest[:12]}", digest={"gitCommit": rest})
    if scheme == "oci" and rest:
        repository, at, digest = rest.partition("@")
        if not at or ":" in repository.rpartition("/")[2]:
            raise UsageError(
                "an image is named by its digest: a tag can be moved",
                where=spec,
                hint="give oci:HOST/REPO@sha256:DIGEST, without a tag",
            )
        algorithm, _, value = digest.partition(":")
        if algorithm != "sha256" or not _SHA256.fullmatch(value):
            raise UsageError("the digest is not sha256: and 64 lowercase hex digits", where=spec)
        if not REPOSITORY.fullmatch(repository):
            raise UsageError("not HOST/REPO", where=spec, hint="give oci:HOST/REPO@sha256:DIGEST")
        return Subject(kind=SubjectKind.OCI, name=repository, digest={"sha256": value})
    raise UsageError("not a subject", where=spec, hint=f"give {_FORMS}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildManifest:
    """The build manifest of a subject: its bytes, their SHA-256 (hex), and the blob that it holds."""

    data: bytes
    sha256: str
    blob: bytes


def build_manifest(subject: Subject) -> BuildManifest:
    """Return the build manifest of a subject: a function of its kind and digest only, not of its name.

    An image has its own manifest in its registry. On disk, where that is not at hand, it gets a build manifest like
    the others; statements name the image's digest as well, so that the same bundles can be attached to the image.
    """
    blob = canonical({"kind": BUILD_KINDS[subject.kind], "digest": dict(subject.digest)})
    data = canonical(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_MEDIA_TYPE,
            "artifactType": BUILD_MEDIA_TYPE,
            "config": descriptor(EMPTY_MEDIA_TYPE, EMPTY_BLOB),
            "layers": [descriptor(BUILD_MEDIA_TYPE, blob)],
        }
    )
    return BuildManifest(data=data, sha256=hashlib.sha256(data).hexdigest(), blob=blob)


def descriptor(media_type: str, data: bytes) -> dict[str, object]:
    """Return the OCI descriptor of some bytes: mediaType, digest, size."""
    return {"mediaType": media_type, "digest": f"sha256:{hashlib.sha256(data).hexdigest()}", "size": len(data)}


def canonical(value: object) -> bytes:
    """Return JSON with sorted keys and no white space: the same value gives the same bytes."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
