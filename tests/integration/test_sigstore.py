"""The real Fulcio, Rekor v1 and v2 and timestamp authority: what they make we verify, and what we sign others verify.

sigstore-python and cosign are the oracles; nothing here is a mock but the issuer of the identity tokens.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from sbomgate import dsse, transport
from sbomgate.errors import EvidenceError, SigningError
from sbomgate.model import LOGGED, TIMESTAMPED, AcceptedIdentity, AttestationState, Signer
from sbomgate.provenance import Verifier
from sbomgate.signing import local_key, services, verify
from sbomgate.signing.keyless import Keyless
from testkit import commandline, real_sigstore
from testkit.commandline import World
from testkit.cosign import Cosign
from testkit.faulty_proxy import FAULTS, HARMLESS, SLOW, FaultyProxy
from testkit.identity import ACTIONS, JOB, PEOPLE
from testkit.packs import commands, follow, unpacked
from testkit.real_sigstore import RealSigstore
from testkit.sigstore import TestSigstore

pytestmark = pytest.mark.sigstore

WORKFLOW = "https://github.com/acme/shop/.github/workflows/release.yml@refs/heads/main"
SHA512 = "cd" * 64
STATEMENT = json.dumps(
    {
        "_type": dsse.STATEMENT_TYPE,
        "subject": [{"name": "a", "digest": {"sha256": "1f" * 32}}],
        "predicateType": "https://example.test/any",
        "predicate": {},
    }
).encode()


@pytest.fixture(scope="module")
def sigstore(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealSigstore]:
    with real_sigstore.running(tmp_path_factory.mktemp("sigstore") / "parts") as found:
        yield found


@pytest.fixture(params=[2, 1], ids=["rekor-v2", "rekor-v1"])
def rekor(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with transport.open_client() as found:
        yield found


@pytest.fixture
def asked(sigstore: RealSigstore, client: httpx.Client) -> Asked:
    return Asked(sigstore, client)


@dataclass(frozen=True)
class Asked:
    """Makes keyless signers that ask the real services."""

    sigstore: RealSigstore
    client: httpx.Client

    def services(self, *, rekor: int = 2, timestamps: bool = True) -> services.Services:
        config = json.dumps(self.sigstore.signing_config(rekor=rekor, timestamps=timestamps)).encode()
        return services.Services(services.parse(config, now=datetime.now(UTC)), self.client)

    def keyless(self, token: str | None = None, *, rekor: int = 2, timestamps: bool = True) -> Keyless:
        held = self.sigstore.identity.token() if token is None else token
        return Keyless(self.services(rekor=rekor, timestamps=timestamps), lambda: held)


def accepting(sigstore: RealSigstore, **changes: Any) -> Signer:
    identity = AcceptedIdentity(**{"issuer": sigstore.identity.issuer(), "identity": WORKFLOW, **changes})
    root = json.dumps(sigstore.trusted_root()).encode()
    return Signer(name="release workflow", roles=("decision",), identity=identity, trusted_root=root)


# --------------------------------------------------------------------------------------------------------------------
# Package provenance


def provenance(asked: Asked, rekor: int) -> dict[str, Any]:
    """Return provenance as npm's own client makes it, but for the services that are asked."""
    like = TestSigstore(datetime.now(UTC)).provenance(
        "left-pad", "1.3.0", SHA512, repository="https://github.com/acme/shop", workflow=".github/workflows/release.yml"
    )
    signed = asked.keyless(rekor=rekor).sign(base64.b64decode(like["dsseEnvelope"]["payload"]))
    made: dict[str, Any] = json.loads(signed)
    return made


def judged(sigstore: RealSigstore, bundle: dict[str, Any], *, sha512: str = SHA512) -> tuple[AttestationState, str]:
    keys = TestSigstore(datetime.now(UTC)).registry_keys_json()
    root = json.dumps(sigstore.trusted_root()).encode()
    verifier = Verifier.from_material(root, keys, (sigstore.identity.issuer(),))
    document = json.dumps({"attestations": [{"predicateType": "https://slsa.dev/provenance/v1", "bundle": bundle}]})
    found = verifier.verify(document.encode(), name="left-pad", version="1.3.0", sha512=sha512).provenance
    return found.state, found.reason


def oracle_accepts(sigstore: RealSigstore, bundle: dict[str, Any]) -> bool:
    """Whether stock sigstore-python accepts the bundle under the same trusted root and identity."""
    from sigstore.errors import Error
    from sigstore.models import Bundle, TrustedRoot
    from sigstore.verify import Verifier as Oracle
    from sigstore.verify.policy import Identity

    folder = sigstore.folder / "oracle.json"
    folder.write_text(json.dumps(sigstore.trusted_root()))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the country in the names of Fulcio's ephemeral authority
            Oracle(trusted_root=TrustedRoot.from_file(str(folder))).verify_dsse(
                Bundle.from_json(json.dumps(bundle)), Identity(identity=WORKFLOW, issuer=sigstore.identity.issuer())
            )
    except (Error, ValueError, TypeError, KeyError):
        return False
    return True


def flipped(text: str, at: int = 40) -> str:
    data = bytearray(base64.b64decode(text))
    data[at if at < len(data) else -1] ^= 1
    return base64.b64encode(data).decode()


def at(*path: str | int, change: Callable[[Any], Any] = flipped) -> Callable[[dict[str, Any]], None]:
    def damage(bundle: dict[str, Any]) -> None:
        value: Any = bundle
        for part in path[:-1]:
            value = value[part]
        value[path[-1]] = change(value[path[-1]])

    return damage


def next_number(value: Any) -> str:
    return str(int(value) + 1)


ENTRY = ("verificationMaterial", "tlogEntries", 0)
DAMAGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "payload": at("dsseEnvelope", "payload"),
    "payload type": at("dsseEnvelope", "payloadType", change=lambda t: t + "x"),
    "signature": at("dsseEnvelope", "signatures", 0, "sig"),
    "certificate": at("verificationMaterial", "certificate", "rawBytes", change=lambda t: flipped(t, 300)),
    "certificate's end": at("verificationMaterial", "certificate", "rawBytes", change=lambda t: flipped(t, 10**6)),
    "log's body": at(*ENTRY, "canonicalizedBody"),
    "log's id": at(*ENTRY, "logId", "keyId", change=lambda t: flipped(t, 3)),
    "entry's kind": at(*ENTRY, "kindVersion", "kind", change=lambda _: "intoto"),
    "root hash": at(*ENTRY, "inclusionProof", "rootHash", change=lambda t: flipped(t, 3)),
    "tree size": at(*ENTRY, "inclusionProof", "treeSize", change=next_number),
    "checkpoint": at(*ENTRY, "inclusionProof", "checkpoint", "envelope", change=lambda t: t.replace("\n", "\nx", 1)),
    "proof missing": at(*ENTRY, change=lambda e: {k: v for k, v in e.items() if k != "inclusionProof"}),
    "timestamp": at(
        "verificationMaterial", "timestampVerificationData", "rfc3161Timestamps", 0, "signedTimestamp",
        change=lambda t: flipped(t, 10**6),
    ),
    "no log entry": at("verificationMaterial", "tlogEntries", change=lambda _: []),
}  # fmt: skip


def test_real_provenance_is_accepted_and_every_altered_one_refused(
    sigstore: RealSigstore, asked: Asked, rekor: int
) -> None:
    bundle = provenance(asked, rekor)
    assert judged(sigstore, bundle)[0] is AttestationState.VERIFIED, judged(sigstore, bundle)
    assert oracle_accepts(sigstore, bundle)
    assert judged(sigstore, bundle, sha512="ab" * 64)[0] is AttestationState.INVALID  # P11
    damages = dict(DAMAGES)
    if rekor == 1:
        damages["log's time"] = at(*ENTRY, "integratedTime", change=next_number)
        damages["log's index"] = at(*ENTRY, "logIndex", change=next_number)
        damages["log's promise"] = at(*ENTRY, "inclusionPromise", "signedEntryTimestamp")
    else:
        damages["no time"] = at("verificationMaterial", "timestampVerificationData", change=lambda _: None)
    for name, damage in damages.items():
        altered = copy.deepcopy(bundle)
        damage(altered)
        state, reason = judged(sigstore, altered)
        assert state in (AttestationState.INVALID, AttestationState.CANNOT_VERIFY), f"{name}: {state}"
        assert reason.startswith("step "), f"{name}: {reason}"
        # Where the log itself says when, sigstore-python passes over a timestamp that does not hold. We do not.
        lenient = rekor == 1 and name == "timestamp"
        assert oracle_accepts(sigstore, altered) is lenient, f"sigstore-python: {name}"


def test_parts_of_two_real_bundles_do_not_fit(sigstore: RealSigstore, asked: Asked, rekor: int) -> None:
    """Each part is genuine, and from another signature."""
    first, second = provenance(asked, rekor), provenance(asked, rekor)
    parts = ("certificate", "tlogEntries", "timestampVerificationData")
    for part, name in (("dsseEnvelope", "signatures"), *(("verificationMaterial", one) for one in parts)):
        spliced = copy.deepcopy(first)
        spliced[part][name] = second[part][name]
        assert judged(sigstore, spliced)[0] is AttestationState.INVALID, name
        assert oracle_accepts(sigstore, spliced) is (rekor == 1 and name == "timestampVerificationData"), name


# --------------------------------------------------------------------------------------------------------------------
# Our own signer


@pytest.mark.parametrize("timestamps", [True, False], ids=["timestamped", "logged"])
def test_what_we_sign_without_a_key_is_accepted_by_us_and_by_sigstore_python(
    sigstore: RealSigstore, asked: Asked, rekor: int, timestamps: bool
) -> None:
    if rekor == 2 and not timestamps:
        with pytest.raises(SigningError, match="proves no time"):
            asked.keyless(timestamps=False)
        return
    signer = asked.keyless(rekor=rekor, timestamps=timestamps)
    bundle = signer.sign(STATEMENT)
    found = verify.verify(bundle, [accepting(sigstore)], role="decision")
    assert isinstance(found, verify.VerifiedStatement), found
    assert found.payload == STATEMENT
    assert found.time_source == signer.time_source == (TIMESTAMPED if timestamps else LOGGED)
    assert found.time is not None
    assert abs((datetime.now(UTC) - found.time).total_seconds()) < 120
    assert found.claims is not None
    assert (found.claims.repository_id, found.claims.owner_id) == ("1001", "2002")
    assert oracle_accepts(sigstore, json.loads(bundle))
    for name, damage in DAMAGES.items():
        if name == "timestamp" and not timestamps:
            continue
        altered = json.loads(bundle)
        damage(altered)
        try:
            refused = verify.verify(json.dumps(altered).encode(), [accepting(sigstore)], role="decision")
        except EvidenceError:
            continue
        assert isinstance(refused, verify.NotAccepted), f"accepted: {name}"


IDENTITIES: dict[str, tuple[dict[str, Any], bool]] = {
    "exact": ({}, True),
    "another branch": ({"identity": WORKFLOW.replace("main", "next")}, False),
    "another workflow": ({"identity": WORKFLOW.replace("release.yml", "test.yml")}, False),
    "a prefix is no match": ({"identity": WORKFLOW[:-1]}, False),
    "branches by prefix": ({"identity": WORKFLOW.replace("main", "ma*")}, True),
    "tags by prefix": ({"identity": WORKFLOW.replace("heads/main", "tags/*")}, False),
    "another issuer": ({"issuer": "https://token.actions.githubusercontent.com"}, False),
    "numeric ids": ({"repository_id": "1001", "owner_id": "2002"}, True),
    "a name that was taken over": ({"repository_id": "1002"}, False),
    "another owner": ({"owner_id": "2003"}, False),
    "repository": ({"repository": "https://github.com/acme/shop"}, True),
    "another repository": ({"repository": "https://github.com/acme/other"}, False),
    "triggers": ({"triggers": ("release", "push")}, True),
    "another trigger": ({"triggers": ("release",)}, False),
    "runner": ({"runner": "github-hosted"}, True),
    "another runner": ({"runner": "self-hosted"}, False),
}


def test_P21_only_the_identity_that_the_trust_file_names(sigstore: RealSigstore, asked: Asked) -> None:
    bundle = asked.keyless().sign(STATEMENT)
    for name, (changes, is_accepted) in IDENTITIES.items():
        found = verify.verify(bundle, [accepting(sigstore, **changes)], role="decision")
        assert isinstance(found, verify.VerifiedStatement) is is_accepted, f"{name}: {found}"
    assert isinstance(verify.verify(bundle, [], role="decision"), verify.NotAccepted)
    assert isinstance(verify.verify(bundle, [accepting(sigstore)], role="facts"), verify.NotAccepted)
    # The public sigstore did not issue it.
    public = replace(accepting(sigstore), trusted_root=None)
    with pytest.raises(EvidenceError, match="step 3"):
        verify.verify(bundle, [public], role="decision")


def test_P21_a_reusable_workflow_counts_only_for_the_repository_that_is_named(
    sigstore: RealSigstore, asked: Asked
) -> None:
    shared = "acme/workflows/.github/workflows/gate.yml@refs/heads/main"
    attacker = sigstore.identity.token(job_workflow_ref=shared, repository="mallory/shop", repository_id="6666")
    ours = sigstore.identity.token(job_workflow_ref=shared)
    identity = f"https://github.com/{shared}"
    for token, repository, is_accepted in (
        (ours, None, False),
        (attacker, None, False),
        (ours, "https://github.com/acme/shop", True),
        (attacker, "https://github.com/acme/shop", False),
    ):
        bundle = asked.keyless(token).sign(STATEMENT)
        accepted = accepting(sigstore, identity=identity, repository=repository)
        found = verify.verify(bundle, [accepted], role="decision")
        assert isinstance(found, verify.VerifiedStatement) is is_accepted, (repository, found)


def test_a_person_or_service_account_signs_by_address(sigstore: RealSigstore, asked: Asked) -> None:
    token = sigstore.identity.token(PEOPLE, email="release@acme.example")
    bundle = asked.keyless(token).sign(STATEMENT)
    issuer = sigstore.identity.issuer(PEOPLE)
    ours = accepting(sigstore, issuer=issuer, identity="release@acme.example")
    assert isinstance(verify.verify(bundle, [ours], role="decision"), verify.VerifiedStatement)
    other = accepting(sigstore, issuer=issuer, identity="someone@acme.example")
    assert isinstance(verify.verify(bundle, [other], role="decision"), verify.NotAccepted)
    workflows = accepting(sigstore, issuer=sigstore.identity.issuer(ACTIONS), identity="release@acme.example")
    assert isinstance(verify.verify(bundle, [workflows], role="decision"), verify.NotAccepted)


def test_people_waive_without_a_key(empty: World, sigstore: RealSigstore, rekor: int) -> None:
    """Approvers by identity: accepted by issuer and address, at the time that the log or the authority proves (P28)."""
    approvers = "".join(
        f'[[signers]]\nname = "{who}"\nroles = ["approver"]\nissuer = "{sigstore.identity.issuer(PEOPLE)}"\n'
        f'identity = "{who}@acme.example"\n'
        for who in ("ann", "bob")
    )
    here = keyless_world(empty, sigstore, rekor=rekor)
    empty.trust.write_text(empty.trust.read_text().replace("[[signers]]", f"{approvers}\n[[signers]]", 1))
    waive = ("waive", "release_age", "left-pad@1.3.0", "--until", "30d", "--reason", "r", "--signer", "keyless:token")
    about = ("--trust", "trust.toml", "--path", "shop")
    for who in ("ann", "bob"):
        here.token(issuer=PEOPLE, email=f"{who}@acme.example")
        made = empty.run(*waive, *about)
        assert made.code == 0, made.err
    told = json.loads(empty.run("waivers", "list", "shop", "--trust", "trust.toml", "--json").out)
    assert sorted(one["by"] for one in told["signed"]) == ["ann", "bob"]
    # A workflow is no person, and a person whom nobody named is nobody.
    for claims in ({}, {"issuer": PEOPLE, "email": "eve@acme.example"}):
        here.token(**claims)
        commandline.refused(empty, *waive, *about, says=["would not count"])


@pytest.mark.parametrize(
    "claims",
    [{"seconds": -60}, {"audience": "elsewhere"}, {"iss": "https://token.actions.githubusercontent.com"}],
    ids=["expired", "another audience", "another issuer's name"],
)
def test_a_token_that_fulcio_refuses_signs_nothing_and_is_not_shown(
    sigstore: RealSigstore, asked: Asked, claims: dict[str, Any]
) -> None:
    token = sigstore.identity.token(**claims)
    with pytest.raises(SigningError) as e:
        asked.keyless(token).sign(STATEMENT)
    said = f"{e.value} {e.value.hint}"
    assert sigstore.fulcio in said
    assert f"for {claims.get('audience', 'sigstore')!r}, by " in e.value.hint, "what the token says of itself"
    assert token not in said
    assert token.split(".")[1] not in said


@pytest.mark.parametrize("kind", ["p256", "ed25519"])
def test_P17_a_local_key_with_a_timestamp_authority(
    sigstore: RealSigstore, asked: Asked, tmp_path: Path, kind: Any
) -> None:
    local_key.generate(tmp_path / "release.key", kind=kind)
    key = local_key.load(tmp_path / "release.key", timestamps=asked.services().timestamps)
    bundle = key.sign(STATEMENT)
    root = json.dumps(sigstore.trusted_root()).encode()
    ours = Signer(name="key", roles=("decision",), public_key=key.public_key, key_id=key.key_id, trusted_root=root)
    found = verify.verify(bundle, [ours], role="decision")
    assert isinstance(found, verify.VerifiedStatement)
    assert (found.time_source, found.time is None) == (TIMESTAMPED, False)
    # The timestamp of another signature, and one by an authority that is not trusted.
    other = json.loads(key.sign(STATEMENT.replace(b"any", b"other")))
    spliced = json.loads(bundle)
    spliced["verificationMaterial"]["timestampVerificationData"] = other["verificationMaterial"][
        "timestampVerificationData"
    ]
    with pytest.raises(EvidenceError, match="step 4b"):
        verify.verify(json.dumps(spliced).encode(), [ours], role="decision")
    with pytest.raises(EvidenceError, match="step 4b"):
        verify.verify(bundle, [replace(ours, trusted_root=None)], role="decision")


# --------------------------------------------------------------------------------------------------------------------
# The command line


@dataclass(frozen=True)
class KeylessWorld:
    """A world whose trust file accepts the release workflow of a private sigstore, and no key."""

    world: World
    sigstore: RealSigstore

    def token(self, **claims: Any) -> None:
        """Put a fresh token where the command line finds it."""
        (self.world.root / "token").write_text(self.sigstore.identity.token(**claims) + "\n")

    def gate(self, *more: str) -> list[str]:
        return [
            "gate", "shop", "--subject", "file:app.tgz", "--signer", "keyless:token", "--trust", "trust.toml",
            "--store", "evidence", "--offline", *more,
        ]  # fmt: skip


def keyless_world(world: World, sigstore: RealSigstore, *, rekor: int = 2, also: str = "") -> KeylessWorld:
    named = {"trusted_root": sigstore.trusted_root(), "signing_config": sigstore.signing_config(rekor=rekor)}
    text = f"""\
schema = "sbomgate/trust/v1"
issuers = ["https://token.actions.githubusercontent.com"]
{also}

[[signers]]
name = "release workflow"
roles = ["decision", "facts"]
issuer = "{sigstore.identity.issuer()}"
identity = "{WORKFLOW}"
repository_id = "1001"

[sigstore]
"""
    for name, value in named.items():
        data = json.dumps(value).encode()
        (world.root / f"{name}.json").write_bytes(data)
        text += f'{name} = {{ path = "{name}.json", sha256 = "{hashlib.sha256(data).hexdigest()}" }}\n'
    world.trust.write_text(text)
    made = KeylessWorld(world, sigstore)
    made.token()
    return made


@pytest.fixture
def empty(tmp_path: Path, ordinary: World) -> World:
    world = commandline.copy(ordinary, tmp_path / "keyless")
    for path in sorted(world.store.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    return world


def decided(world: World) -> Path:
    (found,) = world.store.glob("*/*/decisions/*")
    return found


def test_gate_verify_replay_and_baseline_without_a_key(empty: World, sigstore: RealSigstore, rekor: int) -> None:
    here = keyless_world(empty, sigstore, rekor=rekor)
    made = empty.run(*here.gate())
    assert made.code == 0, made.err
    accepted = empty.run(*empty.verify())
    assert accepted.code == 0, accepted.out + accepted.err
    assert "PASSED by release workflow" in accepted.out
    assert TIMESTAMPED in accepted.out
    build = decided(empty)
    replayed = empty.run("replay", str(build))
    assert (replayed.code, "REPRODUCED" in replayed.out) == (0, True), replayed.out + replayed.err
    detail = json.loads((build / "decision.json").read_bytes())
    assert detail["predicate"]["timeSource"] == TIMESTAMPED
    assert (build / "vsa.json").stat().st_size <= 16 << 10
    assert not list(empty.store.glob("pending/*"))
    # The next decision is measured against this one.
    here.token()
    again = empty.run(*here.gate("--json"))
    assert again.code == 0, again.err
    assert "the build of" in again.out
    # Another identity's evidence is not accepted, and says whose it is.
    text = empty.trust.read_text().replace("1001", "1002")
    empty.trust.write_text(text)
    refused = empty.run(*empty.verify())
    assert refused.code == 1
    assert "no-decision" in refused.out
    assert "expected '1002'" in refused.out


def test_P17_altered_keyless_evidence_is_found(empty: World, sigstore: RealSigstore) -> None:
    here = keyless_world(empty, sigstore)
    assert empty.run(*here.gate()).code == 0
    bundle = decided(empty) / "vsa.sigstore.json"
    value = json.loads(bundle.read_bytes())
    del value["verificationMaterial"]["timestampVerificationData"]
    bundle.unlink()
    bundle.write_bytes(json.dumps(value).encode())
    result = empty.run(*empty.verify())
    assert result.code == 2
    assert "vsa.sigstore.json" in result.err


def test_a_denial_is_signed_and_stored_too(empty: World, sigstore: RealSigstore) -> None:
    here = keyless_world(empty, sigstore)
    lock = json.loads((empty.project / "package-lock.json").read_bytes())
    lock["packages"]["node_modules/left-pad"]["resolved"] = f"{commandline.NPM}right-pad/-/right-pad-1.3.0.tgz"
    (empty.project / "package-lock.json").write_text(json.dumps(lock))
    made = empty.run(*here.gate())
    assert made.code == 1, made.out + made.err
    refused = empty.run(*empty.verify())
    assert refused.code == 1
    assert json.loads((decided(empty) / "vsa.json").read_bytes())["predicate"]["verificationResult"] == "FAILED"


def test_an_identity_that_nobody_accepts_stores_nothing(empty: World, sigstore: RealSigstore) -> None:
    """The verdict is kept; no evidence appears under a name that the trust file does not know."""
    here = keyless_world(empty, sigstore)
    here.token(repository_id="6666")
    made = empty.run(*here.gate())
    assert (made.code, made.out) == (2, ""), made.err
    assert "does not accept" in made.err
    assert not list(empty.store.glob("??"))
    (pending,) = (empty.store / "pending").iterdir()
    assert pending.name in made.err


def test_P34_with_the_log_down_the_verdict_is_pending_and_resume_signs_it(empty: World, sigstore: RealSigstore) -> None:
    here = keyless_world(empty, sigstore)
    sigstore.stop("rekor-v2")
    try:
        made = empty.run(*here.gate())
        assert (made.code, made.out) == (2, ""), made.err
        (pending,) = (empty.store / "pending").iterdir()
        assert f"gate --resume {pending.name}" in made.hints[0]
        assert not list(empty.store.glob("??"))
        assert empty.run(*empty.verify()).code == 1, "nothing is accepted before it is signed"
        before = json.loads((pending / "decision.json").read_bytes())["predicate"]["evaluatedAt"]

        resume = ["gate", "shop", "--resume", pending.name, "--signer", "keyless:token", "--trust", "trust.toml",
                  "--store", "evidence"]  # fmt: skip
        still = empty.run(*resume)
        assert (still.code, still.out) == (2, "")
        assert pending.is_dir()

    finally:
        sigstore.start("rekor-v2")
    here.token()
    held = (pending / "sbom.cdx.json").read_bytes()
    (pending / "sbom.cdx.json").chmod(0o644)
    (pending / "sbom.cdx.json").write_bytes(held.replace(b"left-pad", b"left-bad"))
    altered = empty.run(*resume)
    assert (altered.code, altered.out) == (2, "")
    assert "altered" in altered.err
    (pending / "sbom.cdx.json").write_bytes(held)
    other = empty.run(*[*resume[:3], "0" * 64, *resume[4:]])
    assert other.code == 2

    done = empty.run(*resume)
    assert done.code == 0, done.err
    assert done.out.startswith("ALLOWED")
    assert not pending.exists()
    stored = json.loads((decided(empty) / "decision.json").read_bytes())["predicate"]["evaluatedAt"]
    assert stored == before
    assert empty.run(*empty.verify()).code == 0
    assert empty.run(*resume).code == 2, "it is not pending any more"


# --------------------------------------------------------------------------------------------------------------------
# cosign


@pytest.mark.cosign
def test_cosign_verifies_our_keyless_evidence(empty: World, sigstore: RealSigstore, rekor: int) -> None:
    here = keyless_world(empty, sigstore, rekor=rekor)
    assert empty.run(*here.gate()).code == 0
    cosign, folder = Cosign(empty.root), decided(empty)
    issuer = sigstore.identity.issuer()

    def accepts(bundle: str, kind: str, artefact: str = "app.tgz", **changes: str) -> bool:
        asked = {"certificate-identity": WORKFLOW, "certificate-oidc-issuer": issuer, **changes}
        done = cosign(
            "verify-blob-attestation", "--trusted-root", "trusted_root.json", "--bundle", folder / bundle,
            "--type", kind, "--use-signed-timestamps", *[f"--{k}={v}" for k, v in asked.items()], artefact,
        )  # fmt: skip
        return done.returncode == 0

    (empty.root / "other.tgz").write_bytes(b"other bytes")
    for bundle, kind in (
        ("vsa.sigstore.json", "https://slsa.dev/verification_summary/v1"),
        ("decision.sigstore.json", "https://sbomgate.dev/decision/v1"),
    ):
        assert accepts(bundle, kind), bundle
        assert not accepts(bundle, kind, "other.tgz")
        assert not accepts(bundle, "https://example.test/other")
        assert not accepts(bundle, kind, **{"certificate-identity": WORKFLOW.replace("main", "next")})
        assert not accepts(bundle, kind, **{"certificate-oidc-issuer": "https://example.test"})


@pytest.mark.cosign
@pytest.mark.opa
def test_an_auditor_verifies_a_keyless_pack_without_sbomgate(
    empty: World, sigstore: RealSigstore, rekor: int, tmp_path: Path
) -> None:
    """P19, P36: decision, head and revocation by identity; the README's own commands, with real cosign and opa."""
    if shutil.which("jq") is None:
        pytest.skip("needs jq")
    here = keyless_world(empty, sigstore, rekor=rekor, also="max_head_age_hours = 1")
    assert empty.run(*here.gate()).code == 0
    assert empty.run(*empty.verify()).code == 0
    audited = empty.run("audit", "evidence", "--trust", "trust.toml")
    assert audited.code == 0, audited.out
    here.token()
    revoke = ("--reason", "a mistake", "--signer", "keyless:token", "--trust", "trust.toml")
    revoked = empty.run("revoke", str(decided(empty)), *revoke)
    assert revoked.code == 0, revoked.err
    refused = empty.run(*empty.verify())
    assert (refused.code, "revoked" in refused.out) == (1, True), refused.out
    made = empty.run("evidence", "pack", "file:app.tgz", "--trust", "trust.toml", "--out", "pack.tar.gz")
    assert made.code == 0, made.err
    folder = unpacked(empty.root / "pack.tar.gz", tmp_path / "unpacked")
    done = follow(folder)
    assert done.returncode == 0, done.stderr
    for line in [one for one in commands(folder).splitlines() if one.startswith("cosign ")]:
        assert follow(folder, line.replace(WORKFLOW, WORKFLOW.replace("main", "next"))).returncode != 0
    assert commands(folder).count("cosign verify-blob-attestation") == 4


@pytest.mark.cosign
def test_we_verify_what_cosign_signs_with_the_same_services(tmp_path: Path, sigstore: RealSigstore, rekor: int) -> None:
    cosign = Cosign(tmp_path)
    (tmp_path / "statement.json").write_bytes(STATEMENT)
    (tmp_path / "root.json").write_text(json.dumps(sigstore.trusted_root()))
    (tmp_path / "services.json").write_text(json.dumps(sigstore.signing_config(rekor=rekor)))
    done = cosign(
        "attest-blob", "--statement", "statement.json", "--signing-config", "services.json",
        "--trusted-root", "root.json", "--identity-token", sigstore.identity.token(), "--bundle", "bundle.json", "-y",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    bundle = (tmp_path / "bundle.json").read_bytes()
    found = verify.verify(bundle, [accepting(sigstore)], role="decision")
    assert isinstance(found, verify.VerifiedStatement), found
    assert json.loads(found.payload) == json.loads(STATEMENT)


def test_the_command_line_asks_the_ci_system_for_its_identity(empty: World, sigstore: RealSigstore) -> None:
    """GitLab's way, a variable, and GitHub's, a request. Without an identity nothing is decided at all."""
    here = keyless_world(empty, sigstore)
    arguments = [*here.gate()]
    arguments[arguments.index("keyless:token")] = "keyless"
    none = empty.run(*arguments)
    assert (none.code, none.out) == (2, "")
    assert "no identity" in none.err
    ci = empty.environment(GITLAB_CI="true", SIGSTORE_ID_TOKEN=sigstore.identity.token())
    made = empty.run(*arguments, env=ci)
    assert made.code == 0, made.err
    lacking = empty.run(*arguments, env=empty.environment(GITHUB_ACTIONS="true"))
    assert lacking.code == 2
    assert "id-token: write" in lacking.hints[0]
    request = {"ACTIONS_ID_TOKEN_REQUEST_URL": f"{sigstore.identity.url}/job?version=1", "GITHUB_ACTIONS": "true"}
    github = empty.run(*arguments, env=empty.environment(**request, ACTIONS_ID_TOKEN_REQUEST_TOKEN=JOB))
    assert github.code == 0, github.err
    refused = empty.run(*arguments, env=empty.environment(**request, ACTIONS_ID_TOKEN_REQUEST_TOKEN=f"{JOB}2"))
    assert refused.code == 2
    assert "code=404" not in refused.err
    assert JOB not in refused.err  # P40


# --------------------------------------------------------------------------------------------------------------------
# Behind a proxy that spoils answers


def test_P34_signing_services_behind_what_spoils_their_answers(
    sigstore: RealSigstore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is signed holds, or nothing is; the token is in no message."""
    monkeypatch.setattr(services, "PAUSES", (0.0,))
    with (
        FaultyProxy(sigstore.fulcio) as fulcio,
        FaultyProxy(sigstore.rekor_v1) as rekor,
        FaultyProxy(sigstore.timestamps.partition("/api")[0]) as stamps,
        transport.open_client() as patient,
        transport.open_client(total_seconds=0.5) as hasty,
    ):
        config = services.SigningConfig(
            ca=fulcio.url, log=(rekor.url, 1), authorities=(f"{stamps.url}/api/v1/timestamp",)
        )
        token = sigstore.identity.token()
        accepted = accepting(sigstore)

        def told(message: str) -> bool:
            assert not any(part in message for part in token.split("."))
            return False

        def signed(client: httpx.Client) -> bool:
            try:
                bundle = Keyless(services.Services(config, client), lambda: token).sign(STATEMENT)
            except SigningError as e:
                return told(f"{e} {e.hint}")
            try:
                found = verify.verify(bundle, (accepted,), role="decision")
            except EvidenceError:
                return False  # whoever signs verifies it before it counts (`gate.complete`)
            assert isinstance(found, verify.VerifiedStatement)
            assert found.time_source in (TIMESTAMPED, LOGGED)
            return True

        assert signed(patient)
        for at, (case, fault) in enumerate({**FAULTS, **SLOW}.items()):
            proxy = (fulcio, rekor, stamps)[at % 3]
            proxy.spoil(fault)
            signed(hasty if case in SLOW else patient)
            assert proxy.spoilt or case in SLOW, case
            proxy.mend()
        assert not any(one.outlasted for one in (fulcio, rekor, stamps))
        for at, fault in enumerate(HARMLESS.values()):
            proxy = (fulcio, rekor, stamps)[at % 3]
            proxy.spoil(fault)
            assert signed(patient)
            proxy.mend()
