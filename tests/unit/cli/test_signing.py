"""Whose sigstore signs: a private one's evidence never goes to the public log by mistake."""

from __future__ import annotations

import argparse
import base64
import json
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sbomgate import trust
from sbomgate.cli import _signing
from sbomgate.cli._environment import Environment
from sbomgate.errors import SbomgateError, SigningError, UsageError
from sbomgate.provenance import shipped
from testkit.sigstore import TestSigstore

NOW = datetime(2026, 11, 20, tzinfo=UTC)
TOKEN = "aGVhZA.Ym9keQ.c2ln"


def opened(folder: Path, signer: str | None, trusted_root: bytes | None = None) -> str:
    """Return who would sign."""
    (folder / "token").write_text(f"{TOKEN}\n")
    env = Environment(now=NOW, variables={"PATH": "/usr/bin:/bin"}, working_directory=folder)
    with ExitStack() as stack:
        named = replace(trust.NOBODY, trusted_root=trusted_root)
        return _signing.open_signer(argparse.Namespace(signer=signer), env, named, stack).identity


@pytest.mark.parametrize("root", [None, shipped.load().trusted_root], ids=["shipped", "the same, named"])
def test_the_public_sigstore_signs_for_whom_trusts_it(tmp_path: Path, root: bytes | None) -> None:
    assert "https://fulcio.sigstore.dev" in opened(tmp_path, "keyless:token", root)


@pytest.mark.parametrize(
    "root", [TestSigstore(NOW).trusted_root_json(), b"{}", b"[]", b'{"certificateAuthorities":[1]}', b"x"]
)
def test_a_private_sigstore_that_does_not_say_where_it_signs_is_refused(tmp_path: Path, root: bytes) -> None:
    with pytest.raises(SbomgateError):
        opened(tmp_path, "keyless:token", root)


@pytest.mark.parametrize("signer", [None, "", "command:", "command:'", "command:no-such-program-anywhere"])
def test_what_names_no_signer_is_a_usage_error(tmp_path: Path, signer: str | None) -> None:
    with pytest.raises(UsageError):
        opened(tmp_path, signer)


@pytest.mark.parametrize(
    "data", [b"", b"one.two", b"a b.c.d", b"a.b.c\nd.e.f", b"\xff.\xff.\xff", b"a.b.c.d", b"x" * 70_000]
)
def test_what_is_no_token_is_refused_before_anything_is_decided(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "no").write_bytes(data)
    with pytest.raises(SigningError) as e:
        opened(tmp_path, "keyless:no")
    assert e.value.where.endswith("no")


def test_P27_a_dependencys_program_does_not_sign(tmp_path: Path) -> None:
    program = tmp_path / "node_modules" / ".bin" / "sign"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    link = tmp_path / "sign"
    link.symlink_to(program)
    for path in (program, link):
        with pytest.raises(UsageError, match="P27"):
            opened(tmp_path, f"command:{path}")


def test_a_token_that_has_ended_is_refused_before_anything_is_decided(tmp_path: Path) -> None:
    def token(ends: object) -> bytes:
        body = json.dumps({"iss": "https://issuer.test", "aud": "sigstore", "exp": ends}).encode()
        return b".".join((b"aGVhZA", base64.urlsafe_b64encode(body).rstrip(b"="), b"c2ln"))

    (tmp_path / "ended").write_bytes(token(int(NOW.timestamp())))
    with pytest.raises(
        SigningError, match=r"has ended.*for 'sigstore', by 'https://issuer.test', until 2026-11-20"
    ) as e:
        opened(tmp_path, "keyless:ended")
    assert "new one" in e.value.hint
    assert "aGVhZA" not in str(e.value)  # P40
    for ends in (int(NOW.timestamp()) + 1, None, "soon", 10**30):
        (tmp_path / "other").write_bytes(token(ends))
        assert "fulcio" in opened(tmp_path, "keyless:other"), ends
