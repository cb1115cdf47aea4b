"""What we write, cosign verifies; what cosign writes, we verify. Real cosign, no network, a local key."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from sbomgate.decision import DETAIL_TYPE, SUMMARY_TYPE
from sbomgate.evidence import layout
from sbomgate.evidence.record import DETAIL_BUNDLE, SUMMARY_BUNDLE
from sbomgate.model import Subject, SubjectKind
from sbomgate.signing import local_key, verify
from testkit.cosign import Cosign
from testkit.evidence import COMMIT, record, signer

pytestmark = pytest.mark.cosign


@dataclass(frozen=True)
class Stored:
    """A stored decision on a real file, the file and the key."""

    folder: Path
    artefact: Path
    public: Path


@pytest.fixture
def cosign(tmp_path: Path) -> Cosign:
    home = tmp_path / "home"
    home.mkdir()
    return Cosign(home)


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    artefact = tmp_path / "shop.tgz"
    artefact.write_bytes(b"the bytes that ship")
    local = local_key.generate(tmp_path / "release.key")
    digest = hashlib.sha256(artefact.read_bytes()).hexdigest()
    subject = Subject(kind=SubjectKind.FILE, name="shop.tgz", digest={"sha256": digest})
    path = layout.write(tmp_path / "store", record(local, subject=subject))
    return Stored(path.path, artefact, tmp_path / "release.key.pub")


@pytest.mark.parametrize(
    ("bundle", "kind"), [(DETAIL_BUNDLE, DETAIL_TYPE), (SUMMARY_BUNDLE, SUMMARY_TYPE)], ids=["detail", "summary"]
)
def test_cosign_verifies_both_statements_against_the_file(
    cosign: Cosign, stored: Stored, bundle: str, kind: str, tmp_path: Path
) -> None:
    path = stored.folder / bundle
    assert cosign.verifies(path, [stored.artefact], kind=kind, key=stored.public)

    other = tmp_path / "other.tgz"
    other.write_bytes(b"other bytes")
    assert not cosign.verifies(path, [other], kind=kind, key=stored.public)
    assert not cosign.verifies(path, [stored.artefact], kind="https://example.test/other", key=stored.public)
    local_key.generate(tmp_path / "wrong.key")
    assert not cosign.verifies(path, [stored.artefact], kind=kind, key=tmp_path / "wrong.key.pub")
    damaged = tmp_path / "damaged.json"
    document = json.loads(path.read_bytes())
    payload = document["dsseEnvelope"]["payload"]
    document["dsseEnvelope"]["payload"] = payload[:-8] + ("A" if payload[-8] != "A" else "B") + payload[-7:]
    damaged.write_text(json.dumps(document))
    assert not cosign.verifies(damaged, [stored.artefact], kind=kind, key=stored.public)


def test_cosign_verifies_the_layout_as_a_local_image(cosign: Cosign, stored: Stored) -> None:
    base = stored.folder.parent.parent
    arguments = ("verify-attestation", "--key", stored.public, "--insecure-ignore-tlog", "--local-image", base)
    for kind in (DETAIL_TYPE, SUMMARY_TYPE):
        done = cosign(*arguments, "--type", kind)
        assert done.returncode == 0, done.stderr
    assert cosign(*arguments, "--type", "https://example.test/other").returncode != 0


def test_cosign_verifies_a_commit(cosign: Cosign, tmp_path: Path) -> None:
    local = local_key.generate(tmp_path / "release.key")
    found = record(local, subject=COMMIT)
    assert found.summary is not None
    bundle = tmp_path / "vsa.sigstore.json"
    bundle.write_bytes(found.summary)
    by_digest = ["--digestAlg", "gitCommit", "--digest"]
    public = tmp_path / "release.key.pub"
    assert cosign.verifies(bundle, [*by_digest, COMMIT.digest["gitCommit"]], kind=SUMMARY_TYPE, key=public)
    assert not cosign.verifies(bundle, [*by_digest, "cd" * 20], kind=SUMMARY_TYPE, key=public)


def test_cosign_reads_our_key_and_we_verify_what_it_signs(cosign: Cosign, tmp_path: Path) -> None:
    local = local_key.generate(tmp_path / "release.key")
    imported = cosign("import-key-pair", "--key", tmp_path / "release.key", "--output-key-prefix", "imported", "-y")
    assert imported.returncode == 0, imported.stderr
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "a", "digest": {"sha256": "1f" * 32}}],
        "predicateType": "https://example.test/any",
        "predicate": {},
    }
    (cosign.folder / "statement.json").write_text(json.dumps(statement))
    (cosign.folder / "services.json").write_text(
        '{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json","rekorTlogConfig":{},"tsaConfig":{}}'
    )
    done = cosign(
        "attest-blob", "--key", "imported.key", "--statement", "statement.json", "--signing-config", "services.json",
        "--new-bundle-format", "--bundle", "bundle.json", "-y",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = verify.verify((cosign.folder / "bundle.json").read_bytes(), [signer(local)], role="decision")
    assert isinstance(found, verify.VerifiedStatement)
    assert found.statement == statement
