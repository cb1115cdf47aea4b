"""A signing command is believed as far as the public key verifies what it wrote, and no further."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from sbomgate import dsse
from sbomgate.errors import SigningError
from sbomgate.model import Signer
from sbomgate.signing import command, local_key, verify
from testkit.evidence import signer

STATEMENT = dsse.statement([("a", {"sha256": "1f" * 32})], "https://example.test/v1", {})
OPENSSL = "openssl dgst -sha256 -sign release.key"


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Signer:
    monkeypatch.chdir(tmp_path)
    return signer(local_key.generate(tmp_path / "release.key"))


def by(ours: Signer, *words: str) -> command.Command:
    return command.Command(command=words, signers=[ours], environment={"PATH": "/usr/local/bin:/usr/bin:/bin"})


@pytest.mark.parametrize(
    "script", [OPENSSL, f"{OPENSSL} | base64", f"{OPENSSL} | base64 -w 20"], ids=["raw", "base64", "lines"]
)
def test_a_command_signs(ours: Signer, script: str) -> None:
    found = verify.verify(by(ours, "sh", "-c", script).sign(STATEMENT), [ours], role="decision")
    assert isinstance(found, verify.VerifiedStatement)
    assert found.payload == STATEMENT
    assert found.time_source == "self-declared"


def test_it_gets_exactly_what_is_signed(ours: Signer, tmp_path: Path) -> None:
    by(ours, "sh", "-c", f"tee given | {OPENSSL}").sign(STATEMENT)
    assert (tmp_path / "given").read_bytes() == dsse.pae(dsse.PAYLOAD_TYPE, STATEMENT)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(["true"], "0 bytes", id="nothing"),
        pytest.param(["cat"], "no signature", id="what it was given"),
        pytest.param(["yes"], "more than 4096", id="without end"),
        pytest.param(["sh", "-c", "exit 3"], "exited with 3", id="failure"),
        pytest.param(["sh", "-c", f"{OPENSSL}; exit 3"], "exited with 3", id="failure after signing"),
        pytest.param(["sh", "-c", "echo x | openssl dgst -sha256 -sign release.key"], "no signature", id="other bytes"),
        pytest.param(["sh", "-c", f"{OPENSSL}; echo ok"], "no signature", id="something after it"),
        pytest.param(["sh", "-c", "cat release.key.pub"], "no signature", id="text"),
        pytest.param(["/nonexistent"], "cannot be started", id="no program"),
    ],
)  # fmt: skip
def test_anything_else_is_refused(ours: Signer, words: list[str], says: str) -> None:
    with pytest.raises(SigningError, match=says) as e:
        by(ours, *words).sign(STATEMENT)
    assert e.value.where == words[0]


def test_another_key_is_refused(ours: Signer, tmp_path: Path) -> None:
    local_key.generate(tmp_path / "other.key")
    with pytest.raises(SigningError, match="no signature"):
        by(ours, *OPENSSL.replace("release", "other").split()).sign(STATEMENT)


def test_one_that_hangs_is_ended(ours: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "MAX_SECONDS", 0.2)
    with pytest.raises(SigningError, match="was ended"):
        by(ours, "sleep", "60").sign(STATEMENT)


def test_one_that_does_not_read_and_one_that_writes_first_end(ours: Signer) -> None:
    large = dsse.statement([("a", {"sha256": "1f" * 32})], "https://example.test/v1", {"x": "y" * 10**6})
    with pytest.raises(SigningError):
        by(ours, "true").sign(large)
    writes = f"import sys; sys.stdout.write('x' * {command.MAX_SIGNATURE_BYTES}); sys.stdout.flush(); sys.stdin.read()"
    with pytest.raises(SigningError, match="no signature"):
        by(ours, sys.executable, "-c", writes).sign(large)
    assert json.loads(large)
