"""Evidence as files beside the build: written by `gate --bundle-out`, read by `verify --bundle`, without a store."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime
from typing import Any

import pytest

from sbomgate import dsse
from sbomgate.decision import SUMMARY_TYPE
from testkit.bench import Bench, Said, sha256
from testkit.evidence import key

VERIFIER = f"""
[[verifiers]]
name = "their verifier"
id = "https://verifier.example/v1"
levels = ["SLSA_BUILD_LEVEL_3"]
policy_uris = ["https://verifier.example/policy"]
public_key = \"\"\"
{key(7).public_key}\"\"\"
"""


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    bench = Bench(tmp_path_factory.mktemp("beside"))
    bench.check()  # compiles the engine
    bench.artefact.write_bytes(b"denied before")
    bench.trust(signers=VERIFIER)
    said = bench.gate("--bundle-out", "dist")
    assert (said.code, said.err) == (0, "")
    assert bench.gate("--bundle-out", "all.jsonl").code == 0
    return bench


def verify(bench: Bench, *bundles: str, more: tuple[str, ...] = ()) -> Said:
    named = [part for one in bundles for part in ("--bundle", one)]
    return bench.run("verify", f"file:{bench.artefact}", "--trust", "trust.toml", *named, *more)


def test_the_files_are_named_after_the_artefact(gated: Bench) -> None:
    names = sorted(path.name for path in (gated.folder / "dist").iterdir())
    assert all(name.startswith("shop-1.0.0.tgz.") for name in names)
    assert {name.split(".", 5)[5] for name in names} == {"cdx.json", "decision.sigstore.json", "vsa.sigstore.json"}


@pytest.mark.parametrize("where", ["dist", "all.jsonl"])
def test_they_are_verified_without_a_store(gated: Bench, where: str) -> None:
    said = verify(gated, where)
    assert (said.code, said.err) == (0, "")
    assert "VERIFIED" in said.out
    found = verify(gated, where, more=("--json",)).json
    assert (found["accepted"], found["summary"], found["decision"]["link"]) == (True, None, "asserted")


def test_single_files(gated: Bench) -> None:
    files = [str(path) for path in sorted((gated.folder / "dist").glob("*.sigstore.json"))]
    assert verify(gated, *files).code == 0
    detail_alone = verify(gated, files[0])
    assert (detail_alone.code, "without its summary" in detail_alone.out) == (1, True)
    assert verify(gated, files[1]).code == 1


def test_a_jsonl_grows_and_keeps_what_it_holds(gated: Bench) -> None:
    (gated.folder / "grow.jsonl").write_text('{"an": "attestation of somebody else"}\n')
    assert gated.gate("--bundle-out", "grow.jsonl").code == 0
    lines = (gated.folder / "grow.jsonl").read_text().splitlines()
    assert (len(lines), json.loads(lines[0])) == (3, {"an": "attestation of somebody else"})
    said = verify(gated, "grow.jsonl")
    assert (said.code, "grow.jsonl line 1 is no sigstore bundle" in said.out) == (0, True)


@pytest.fixture(scope="module")
def denied(gated: Bench) -> str:
    """What `--bundle-out` writes of a denial of the same artefact."""
    held = (gated.shop / "package-lock.json").read_text()
    (gated.shop / "package-lock.json").write_text(held.replace("good-1.0.0.tgz", "evil-1.0.0.tgz"))
    try:
        assert gated.gate("--bundle-out", "denied.jsonl").code == 1
    finally:
        (gated.shop / "package-lock.json").write_text(held)
    return "denied.jsonl"


def test_a_denial_beside_it_wins(gated: Bench, denied: str) -> None:
    """P19"""
    assert verify(gated, "dist", denied).code == 1


def test_P19_a_revocation_beside_it_counts(gated: Bench) -> None:
    """P19: whoever was told of a revocation and verifies without a store is refused, as with one."""
    shutil.copytree(gated.folder / "dist", gated.folder / "revoked")
    shutil.copytree(gated.folder / "evidence", gated.folder / "another")
    revoke = ("--reason", "a compromised runner", "--key", "release.key", "--trust", "trust.toml", "--store", "another")
    decided = (gated.folder / "dist").glob("*.decision.sigstore.json")
    assert gated.run("revoke", *(sha256(one.read_bytes()) for one in decided), *revoke).code == 0
    (revocation,) = (gated.folder / "another" / "revocations").iterdir()
    shutil.copy(revocation, gated.folder / "revoked")
    said = verify(gated, "revoked")
    assert (said.code, "was revoked by 'release'" in said.out) == (1, True)
    assert verify(gated, "dist", str(revocation)).code == 1
    assert verify(gated, "dist").code == 0


def test_P19_another_s_summary_beside_it_hides_no_denial(gated: Bench, denied: str) -> None:
    """P19: the file was added, none was taken away."""
    lines = (gated.folder / denied).read_bytes().splitlines()
    (summary,) = (one for one in lines if b"verification_summary" in dsse.payload_of(one))
    (gated.folder / "added.json").write_bytes(key(7).sign(dsse.payload_of(summary)))
    said = verify(gated, "dist", denied, "added.json")
    assert (said.code, "VERIFIED" in said.out) == (1, False)


def test_P36_an_altered_file_is_an_error(gated: Bench) -> None:
    shutil.copytree(gated.folder / "dist", gated.folder / "altered")
    (path,) = (gated.folder / "altered").glob("*.vsa.sigstore.json")
    bundle = json.loads(path.read_bytes())
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = bundle["dsseEnvelope"]["signatures"][0]["sig"][:-8] + "AAAAAAA="
    path.write_text(json.dumps(bundle))
    said = verify(gated, "altered")
    assert (said.code, said.out) == (2, "")


def test_P12_another_artefact(gated: Bench) -> None:
    other = gated.artefact.with_name("other.tgz")
    other.write_bytes(b"another")
    said = gated.run("verify", f"file:{other}", "--trust", "trust.toml", "--bundle", "dist")
    assert (said.code, "no-decision" in said.out) == (1, True)


@pytest.mark.parametrize("where", ["absent", "empty"])
def test_nothing_there_is_an_error(gated: Bench, where: str) -> None:
    (gated.folder / "empty").mkdir(exist_ok=True)
    said = verify(gated, where)
    assert (said.code, said.out) == (2, "")


def theirs(bench: Bench, **changes: Any) -> str:
    """Write the summary of another verifier about the artefact."""
    predicate = {
        "verifier": {"id": "https://verifier.example/v1"},
        "timeVerified": "2999-01-01T00:00:00Z",
        "resourceUri": "https://releases.example/x",
        "policy": {"uri": "https://verifier.example/policy"},
        "verificationResult": "PASSED",
        "verifiedLevels": ["SLSA_BUILD_LEVEL_3"],
        **changes,
    }
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": sha256(bench.artefact.read_bytes())}}],
        "predicateType": SUMMARY_TYPE,
        "predicate": predicate,
    }
    (bench.folder / "theirs.json").write_bytes(key(7).sign(json.dumps(statement).encode()))
    return "theirs.json"


def test_a_summary_that_another_verifier_made(gated: Bench) -> None:
    now = datetime.now(UTC).isoformat()
    said = verify(gated, theirs(gated, timeVerified=now))
    assert (said.code, "another verifier" in said.out, "does not say: environment" in said.out) == (0, True, True)
    found = verify(gated, "theirs.json", more=("--json",)).json
    assert (found["decision"], found["summary"]["verifier"]) == (None, "their verifier")
    assert verify(gated, theirs(gated)).code == 1  # from the future
    failed = theirs(gated, timeVerified=now, verificationResult="FAILED", verifiedLevels=["FAILED"])
    refused = verify(gated, failed)
    assert (refused.code, "Next: ask that verifier" in refused.out, "sbomgate check" in refused.out) == (1, True, False)
    old = verify(gated, theirs(gated, timeVerified="2026-01-01T00:00:00Z"))
    assert (old.code, "have that verifier verify the artefact again" in old.out) == (1, True)
    failed = theirs(gated, timeVerified=now, verificationResult="FAILED", verifiedLevels=["FAILED"])
    both = verify(gated, failed, "dist")  # as new as our PASSED, or newer
    assert (both.code, "superseded" in both.out) == (1, True)


@pytest.mark.cosign
def test_cosign_reads_them(gated: Bench) -> None:
    (path,) = (gated.folder / "dist").glob("*.vsa.sigstore.json")
    done = subprocess.run(
        ["cosign", "verify-blob-attestation", "--key", str(gated.folder / "release.key.pub"), "--bundle", str(path),
         "--insecure-ignore-tlog", "--type", SUMMARY_TYPE, str(gated.artefact)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
