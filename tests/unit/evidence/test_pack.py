"""The pack for an auditor: all of it, once each, the same bytes each time, and commands that name what they must (P38).

That the commands do what they say is tried with the real tools, by the command line's tests.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sbomgate import dsse
from sbomgate.errors import EvidenceError
from sbomgate.evidence import head as heads
from sbomgate.evidence import layout, pack, revocation
from sbomgate.evidence.head import Entry, Head
from sbomgate.evidence.pack import Contents
from sbomgate.evidence.record import Record, index, manifests
from sbomgate.evidence.revocation import Revocation, RevokedSigner
from sbomgate.model import AcceptedIdentity, Signer, Trust, Verdict
from sbomgate.subject import EMPTY_BLOB
from testkit.evidence import BLOBS, COMMIT, IMAGE, NOW, TARBALL, key, record, signer, trusting

HOUR = timedelta(hours=1)
PASSED, FAILED = record(age=2 * HOUR), record(age=HOUR, verdict=Verdict.DENIED)
OBSERVED = record(age=HOUR, profile="observe")
KEY = signer(key())
KEY_FILE = f"trust/keys/release-key-{(KEY.key_id or '')[:12]}.pub"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def contents(*records: Record, by: Signer | None = KEY, **changes: Any) -> Contents:
    """What is packed of these decisions, all of them signed by one signer."""
    held = records or (PASSED,)
    signed = [one for record in held for one in (record.detail, record.summary) if one is not None]
    made = Contents(
        records=held,
        signers={} if by is None else {sha256(one): by for one in signed},
        trust=trusting(),
        trusted_root=b'{"certificateAuthorities":[]}',
        oci_layout=layout.OCI_LAYOUT,
        head=None,
        revocations={},
    )
    return replace(made, **changes)


def files(of: Contents) -> dict[str, bytes]:
    """Every file of a pack by its name below evidence/, links resolved."""
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(pack.pack(of)), mode="r:gz") as tar:
        for member in tar:
            held = tar.extractfile(member)
            assert held is not None, f"{member.name} is no file"
            name = member.name.removeprefix("evidence/")
            assert name not in found
            found[name] = held.read()
    return found


def readme(of: Contents) -> str:
    return files(of)["README.md"].decode()


def cosign(of: Contents) -> list[str]:
    return [line for line in readme(of).splitlines() if line.startswith("cosign ")]


# --------------------------------------------------------------------------------------------------------------------
# What is in it


def test_everything_about_the_build_is_there() -> None:
    found = files(contents(FAILED, PASSED))
    referrers = {m.sha256: m for one in (FAILED, PASSED) for m in manifests(one)}
    blobs = {EMPTY_BLOB, PASSED.build.blob, PASSED.build.data, *(m.data for m in referrers.values())}
    for one in (FAILED, PASSED):
        blobs |= set(one.files().values())
        for name, data in one.files().items():
            assert found[f"build/decisions/{one.id}/{name}"] == data
    held = {name: data for name, data in found.items() if name.startswith("build/blobs/sha256/")}
    assert held == {f"build/blobs/sha256/{sha256(data)}": data for data in blobs}
    assert found["build/index.json"] == index(PASSED.build, referrers)
    assert found["build/oci-layout"] == layout.OCI_LAYOUT


def test_who_is_accepted_is_there() -> None:
    person = Signer(
        name="release workflow",
        roles=("decision",),
        identity=AcceptedIdentity(issuer="https://issuer.example", identity="https://ci.example/release"),
    )
    trust: Trust = replace(trusting(KEY, person), data=b"the trust file", pinned={"ab" * 32: b"a list"})
    found = files(contents(trust=trust))
    assert {name: data for name, data in found.items() if name.startswith("trust/")} == {
        "trust/trust.toml": b"the trust file",
        f"trust/files/{'ab' * 32}": b"a list",
        "trust/trusted_root.json": b'{"certificateAuthorities":[]}',
        KEY_FILE: (KEY.public_key or "").encode(),
    }
    assert f"    {trust.sha256}  trust/trust.toml\n" in found["README.md"].decode()


def test_the_sums_are_of_every_other_file() -> None:
    found = files(contents(FAILED, PASSED))
    sums = found.pop("SHA256SUMS").decode()
    assert sums == "".join(f"{sha256(data)}  {name}\n" for name, data in sorted(found.items()))


def test_P38_the_same_evidence_gives_the_same_bytes() -> None:
    """No time of packing, no owner, no name of a file that was packed."""
    made = pack.pack(contents(FAILED, PASSED))
    assert made == pack.pack(contents(FAILED, PASSED))
    assert made[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    with tarfile.open(fileobj=io.BytesIO(made), mode="r:gz") as tar:
        members = tar.getmembers()
    assert [one.name for one in members] == sorted(one.name for one in members)
    assert {(one.mode, one.mtime, one.uid, one.gid, one.uname, one.gname) for one in members} == {
        (0o644, 0, 0, 0, "", "")
    }


def test_the_same_bytes_are_there_once() -> None:
    """As hard links, but for the empty file, of which nothing is saved."""
    empty = {**BLOBS, "waivers/none.json": ("application/json", b"")}
    with tarfile.open(fileobj=io.BytesIO(pack.pack(contents(record(blobs=empty)))), mode="r:gz") as tar:
        members = tar.getmembers()
        held = [one for one in members if one.isreg() and one.size]
        assert len({tar.extractfile(one).read() for one in held}) == len(held)  # type: ignore[union-attr]
        assert [one for one in members if one.islnk()]
        assert all(one.isreg() for one in members if one.name.endswith(("none.json", sha256(b""))))


def test_P1_nothing_to_pack() -> None:
    with pytest.raises(EvidenceError, match="nothing to pack"):
        pack.pack(replace(contents(), records=()))


def test_two_files_that_some_file_systems_take_for_one() -> None:
    """Unpacked there, one would take the place of the other and the sums would not hold."""
    twins = [replace(KEY, name=name) for name in ("Release", "release")]
    with pytest.raises(EvidenceError, match="holds it twice") as e:
        pack.pack(contents(trust=trusting(*twins)))
    assert "trust/keys/release" in e.value.where


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Release key", "Release-key"),
        ("../../etc/passwd", "etc-passwd"),
        ("-rf", "rf"),
        ("ключ", "key"),
        ("a.b-", "a.b"),
    ],
)
def test_P39_a_key_s_file_stays_in_its_folder(name: str, shown: str) -> None:
    found = files(contents(trust=trusting(replace(KEY, name=name))))
    assert [one for one in found if one.startswith("trust/keys/")] == [
        f"trust/keys/{shown}-{(KEY.key_id or '')[:12]}.pub"
    ]


# --------------------------------------------------------------------------------------------------------------------
# The README


@pytest.mark.parametrize(
    ("subject", "line"),
    [
        pytest.param(TARBALL, f"sha256sum ARTEFACT    # must be {'1f' * 32}", id="a file"),
        pytest.param(COMMIT, f"git rev-parse HEAD    # must be {'ab' * 20}", id="a commit"),
        pytest.param(IMAGE, f"# the image's digest must be sha256:{'3f' * 32}", id="an image"),
    ],
)
def test_P12_the_artefact_is_compared_first(subject: Any, line: str) -> None:
    made = contents(record(subject=subject))
    text = readme(made)
    assert f"\n    {line}\n" in text
    assert text.count("must be ") == 1
    ((algorithm, digest),) = subject.digest.items()
    assert f"The artefact is `{subject.name}`, {algorithm} {digest}. The store calls this build" in text
    assert [one.split("--insecure-ignore-tlog ")[1] for one in cosign(made)] == [
        f"--digest {digest} --digestAlg {algorithm}"
    ] * 2


def test_each_signature_has_a_command_of_its_own() -> None:
    """With the key, the type and the artefact that it must be of: cosign believes nothing less."""
    found = cosign(contents(FAILED, OBSERVED))
    common = ["--key", KEY_FILE, "--insecure-ignore-tlog", "--digest", "1f" * 32, "--digestAlg", "sha256"]
    assert [line.split() for line in found] == [
        ["cosign", "verify-blob-attestation", "--bundle", f"build/decisions/{one.id}/{name}", "--type", kind, *common]
        for one, name, kind in (
            (FAILED, "vsa.sigstore.json", "https://slsa.dev/verification_summary/v1"),
            (FAILED, "decision.sigstore.json", "https://sbomgate.dev/decision/v1"),
            (OBSERVED, "decision.sigstore.json", "https://sbomgate.dev/decision/v1"),
        )
    ]


def timestamped(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[[bytes, str], dsse.Envelope] = dsse.read_bundle
    monkeypatch.setattr(dsse, "read_bundle", lambda data, where: replace(real(data, where), timestamps=(b"x",)))


IDENTITY = AcceptedIdentity(issuer="https://issuer.example", identity="https://ci.example/w.yml@refs/heads/main")
ROOT = ["--trusted-root", "trust/trusted_root.json"]
ISSUER = ["--certificate-oidc-issuer", "https://issuer.example"]
SIGNERS: dict[str, tuple[Signer, bool, Sequence[str]]] = {
    "a key": (KEY, False, ["--key", KEY_FILE, "--insecure-ignore-tlog"]),
    "a key, with a timestamp": (
        KEY,
        True,
        ["--key", KEY_FILE, "--insecure-ignore-tlog", *ROOT, "--use-signed-timestamps"],
    ),
    "an identity": (
        Signer(name="ci", roles=("decision",), identity=IDENTITY),
        False,
        [*ROOT, *ISSUER, "--certificate-identity", "https://ci.example/w.yml@refs/heads/main"],
    ),
    "an identity, with a timestamp": (
        Signer(name="ci", roles=("decision",), identity=IDENTITY),
        True,
        [*ROOT, *ISSUER, "--certificate-identity", IDENTITY.identity, "--use-signed-timestamps"],
    ),
    "every tag of a workflow": (
        Signer(
            name="ci", roles=("decision",), identity=replace(IDENTITY, identity="https://ci.example/w.yml@refs/tags/*")
        ),
        False,
        [*ROOT, *ISSUER, "--certificate-identity-regexp", r"'^https://ci\.example/w\.yml@refs/tags/.*$'"],
    ),
}


@pytest.mark.parametrize("who", SIGNERS)
def test_P21_a_command_accepts_whom_the_trust_file_accepts(monkeypatch: pytest.MonkeyPatch, who: str) -> None:
    by, has_time, arguments = SIGNERS[who]
    if has_time:
        timestamped(monkeypatch)
    for line in cosign(contents(by=by)):
        assert line.split()[6:-4] == arguments


def test_P21_a_stranger_s_signature_is_told_and_has_no_command() -> None:
    stranger = record(key(2), age=3 * HOUR)
    made = contents(PASSED, stranger)
    made = replace(made, signers={name: by for name, by in made.signers.items() if name != sha256(stranger.detail)})
    text = readme(made)
    assert f"without weight:\n\n- `build/decisions/{stranger.id}/decision.sigstore.json`\n" in text
    assert f"--bundle build/decisions/{stranger.id}/decision.sigstore.json" not in text
    assert "without weight" not in readme(contents())


def test_each_decision_is_followed_from_its_statement_to_its_verdict() -> None:
    text = readme(contents(FAILED, PASSED, OBSERVED))
    for one, result, verdict in ((FAILED, "FAILED", "denied"), (PASSED, "PASSED", "allowed")):
        part = text.split(f"## Decision {one.id[:12]}\n")[1].split("\n## ")[0]
        assert f"D=build/decisions/{one.id}\n" in part
        assert 'cmp - "$D/decision.json"' in part
        assert 'cmp - "$D/vsa.json"' in part
        assert f'test "$(jq -r .predicate.verificationResult "$D/vsa.json")" = {result}\n' in part
        assert f'test "$(jq -r .verdict again.json)" = {verdict}\n' in part
        assert "and the summary names this detail" in part
    part = text.split(f"## Decision {OBSERVED.id[:12]}\n")[1]
    assert "vsa" not in part.split("\n## ")[0]
    assert "only records, and has no summary" in part


def test_the_decisions_are_told_newest_first() -> None:
    rows = [line for line in readme(contents(FAILED, PASSED)).splitlines() if line.startswith("| ")][1:]
    assert rows == [
        f"| {FAILED.id} | 2026-11-20T11:00:00Z | self-declared | denied | default | `production` |",
        f"| {PASSED.id} | 2026-11-20T10:00:00Z | self-declared | allowed | default | `production` |",
    ]
    assert "| default |  |" in readme(contents(record(environment=None)))


HOSTILE = "x`|<img src=1>\n\x1b[2J\u202e" + "y" * 300


def test_P39_a_hostile_name_stays_in_its_line_of_code() -> None:
    subject = replace(TARBALL, name=HOSTILE)
    shown = ("x???img src=1???[2J?" + "y" * 300)[:200]
    text = readme(contents(record(subject=subject, environment=HOSTILE), by=None))
    assert f"The artefact is `{shown}`, sha256" in text
    assert f"| `{shown}` |" in text


# --------------------------------------------------------------------------------------------------------------------
# What else the store holds


def head(*entries: Entry) -> tuple[bytes, Mapping[int, bytes]]:
    segments = heads.segments(entries)
    said = Head(
        sequence=1,
        entries=len(entries),
        segment=sha256(segments[max(segments)]),
        previous=None,
        time=NOW,
        time_source="self-declared",
    )
    return key().sign(heads.write_head(said)), segments


def test_P36_the_head_and_the_log_that_it_covers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "SEGMENT", 2)
    entries = [Entry(sha256=one.id, build=one.build.sha256) for one in (PASSED, FAILED, OBSERVED)]
    bundle, segments = head(*entries)
    made = contents(FAILED, PASSED, head=(bundle, segments))
    made = replace(made, signers={**made.signers, sha256(bundle): KEY})
    found = files(made)
    assert found["store/log/head.sigstore.json"] == bundle
    assert {number: found[f"store/log/{number:06}/entries"] for number in (0, 1)} == segments
    text = readme(made)
    assert "Head 1 of 2026-11-20T12:00:00Z covers 3 entries." in text
    # Its signature is over the newest segment, and each segment is compared with the one after it.
    assert cosign(made)[-1].endswith("--insecure-ignore-tlog store/log/000001/entries")
    assert "--type https://sbomgate.dev/store-head/v1" in cosign(made)[-1]
    chained = [line for line in text.splitlines() if line.startswith('test "$(head')]
    assert len(chained) == 1
    assert "store/log/000001/entries)" in chained[0]
    assert "< store/log/000000/entries" in chained[0]
    assert f"grep -h '^decision {PASSED.build.sha256} '" in text
    assert "had no signed head" not in text


def test_a_store_without_a_head_says_what_is_not_seen() -> None:
    text = readme(contents())
    assert "The store had no signed head: what was removed from it is not seen." in text
    assert "## Revocations\n\nThe store holds none.\n" in text
    assert "beats every older PASSED" not in text


def revoked(**said: Any) -> bytes:
    return key().sign(revocation.write(Revocation(issued_at=NOW, **{"decision": None, "signer": None, **said})))


def test_P19_revocations_are_told_and_verified() -> None:
    stolen = RevokedSigner(key_id=key(2).key_id, since=NOW - HOUR)
    person = RevokedSigner(issuer="https://issuer.example", identity="ann@example.com")
    bundles = [
        revoked(decision=PASSED.id, reason="a `mistake`"),
        revoked(signer=stolen, reason="stolen"),
        revoked(signer=person, reason="left"),
    ]
    held = {sha256(one): one for one in bundles}
    made = contents(revocations=held)
    made = replace(made, signers={**made.signers, **dict.fromkeys(held, KEY)})
    found = files(made)
    assert {name: data for name, data in found.items() if name.startswith("store/")} == {
        f"store/revocations/{name}.sigstore.json": data for name, data in held.items()
    }
    told = {
        sha256(bundles[0]): f"- 2026-11-20T12:00:00Z: decision {PASSED.id}: `a ?mistake?`",
        sha256(bundles[1]): f"- 2026-11-20T12:00:00Z: all by `{key(2).key_id}` from 2026-11-20T11:00:00Z: `stolen`",
        sha256(bundles[2]): "- 2026-11-20T12:00:00Z: all by `ann@example.com of https://issuer.example`: `left`",
    }
    lines = readme(made).split("## Revocations\n\n")[1].splitlines()
    assert lines[:3] == [told[name] for name in sorted(told)]
    assert "beats every older PASSED" in lines[4]
    # What is signed is about the decision, or about whoever is revoked.
    line = next(one for one in cosign(made) if sha256(bundles[0]) in one)
    assert line.endswith(f"--digest {PASSED.id} --digestAlg sha256")
    assert "--type https://sbomgate.dev/revocation/v1" in line
