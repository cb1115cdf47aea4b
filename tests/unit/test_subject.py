"""What a decision may be about (P12): digests only."""

from __future__ import annotations

import hashlib

import pytest

from sbomgate.errors import InputError, UsageError
from sbomgate.model import Subject, SubjectKind
from sbomgate.subject import build_manifest, parse

SHA256 = "1f" * 32
COMMIT = "ab" * 20


def sha256_of(path: str) -> str:
    return hashlib.sha256(path.encode()).hexdigest()


@pytest.mark.parametrize(
    ("spec", "kind", "name", "digest"),
    [
        ("file:dist/app.tgz", SubjectKind.FILE, "app.tgz", {"sha256": sha256_of("dist/app.tgz")}),
        ("file:/home/me/a b.tgz", SubjectKind.FILE, "a b.tgz", {"sha256": sha256_of("/home/me/a b.tgz")}),
        (f"git:{COMMIT}", SubjectKind.GIT, "git:abababababab", {"gitCommit": COMMIT}),
        (f"git:{SHA256}", SubjectKind.GIT, "git:1f1f1f1f1f1f", {"gitCommit": SHA256}),
        (f"oci:ghcr.io/acme/shop@sha256:{SHA256}", SubjectKind.OCI, "ghcr.io/acme/shop", {"sha256": SHA256}),
        (f"oci:localhost:5000/a@sha256:{SHA256}", SubjectKind.OCI, "localhost:5000/a", {"sha256": SHA256}),
        (f"oci:registry:5000/a/b@sha256:{SHA256}", SubjectKind.OCI, "registry:5000/a/b", {"sha256": SHA256}),
    ],
)
def test_parses(spec: str, kind: SubjectKind, name: str, digest: dict[str, str]) -> None:
    assert parse(spec, sha256_of) == Subject(kind=kind, name=name, digest=digest)


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param("", id="empty"),
        pytest.param("dist/app.tgz", id="no scheme"),
        pytest.param("file:", id="no path"),
        pytest.param("file:/", id="no name"),
        pytest.param("git:main", id="branch"),
        pytest.param("git:v1.0.0", id="git tag"),
        pytest.param("git:abababa", id="abbreviated"),
        pytest.param(f"git:{COMMIT.upper()}", id="uppercase"),
        pytest.param(f"git:{COMMIT}\n", id="newline"),
        pytest.param("oci:ghcr.io/acme/shop:latest", id="tag"),
        pytest.param("oci:ghcr.io/acme/shop", id="no digest"),
        pytest.param(f"oci:ghcr.io/acme/shop:1.0@sha256:{SHA256}", id="tag and digest"),
        pytest.param(f"oci:ghcr.io/acme/shop@sha512:{SHA256}", id="another algorithm"),
        pytest.param(f"oci:ghcr.io/acme/shop@sha256:{SHA256[:-1]}", id="short digest"),
        pytest.param(f"oci:ghcr.io/acme/shop@sha256:{SHA256}0", id="long digest"),
        pytest.param(f"oci:shop@sha256:{SHA256}", id="no host"),
        pytest.param(f"oci:acme/shop@sha256:{SHA256}", id="host without dot or port"),
        pytest.param(f"oci:ghcr.io/../shop@sha256:{SHA256}", id="dots"),
        pytest.param(f"oci:user@ghcr.io/shop@sha256:{SHA256}", id="user"),
        pytest.param(f"npm:{SHA256}", id="unknown scheme"),
    ],
)
def test_P12_refuses_what_can_be_moved_or_is_no_digest(spec: str) -> None:
    with pytest.raises(UsageError):
        parse(spec, sha256_of)


def test_refuses_a_name_that_is_not_utf8() -> None:
    with pytest.raises(InputError):
        parse("file:a\udcff.tgz", sha256_of)


def test_an_error_of_the_hash_passes_through() -> None:
    def missing(_path: str) -> str:
        raise InputError("no such file")

    with pytest.raises(InputError):
        parse("file:a", missing)


def test_the_build_manifest_is_a_function_of_kind_and_digest_alone() -> None:
    """Anybody who holds the artefact computes it again; these bytes must never change."""
    one = build_manifest(Subject(kind=SubjectKind.FILE, name="a.tgz", digest={"sha256": SHA256}))
    other = build_manifest(Subject(kind=SubjectKind.FILE, name="b.tgz", digest={"sha256": SHA256}))
    assert one == other
    assert one.blob == b'{"digest":{"sha256":"%s"},"kind":"tarball"}' % SHA256.encode()
    assert one.sha256 == hashlib.sha256(one.data).hexdigest()
    assert one.sha256 == "859f54d0b47f2c9aa1d7a4d8f2e566114bdfa570549f126168be23f9808ef659"
    image = build_manifest(Subject(kind=SubjectKind.OCI, name="a", digest={"sha256": SHA256}))
    assert image.sha256 != one.sha256
