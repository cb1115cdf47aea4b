"""Facts travel signed: collected where there is a network, decided on where there is none (P14, P33); and in SBOMs."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from sbomgate import decision, dsse, facts
from sbomgate.evidence import layout
from sbomgate.model import AttestationDocument
from sbomgate.signing import local_key
from testkit import tarballs
from testkit.commandline import World, copy, must_be_refused, refused
from testkit.registry import Simulator
from testkit.sigstore import TestSigstore

NOW = datetime.now(UTC)
OLD = NOW - timedelta(days=100)
DATA = {
    "alpha": tarballs.package("alpha", "1.0.0"),
    "beta": tarballs.package("beta", "1.0.0", scripts={"postinstall": "node setup.js"}),
}


@dataclass
class Machines:
    """Machine A, which reaches the registry, and B, which has the same project and trust file, and nothing else."""

    a: World
    b: World


@pytest.fixture
def machines(world: World, tmp_path: Path) -> Iterator[Machines]:
    with Simulator() as registry:
        sigstore = TestSigstore(NOW)
        for name, data in DATA.items():
            sha512 = base64.b64decode(tarballs.integrity(data).removeprefix("sha512-")).hex()
            bundles = [
                sigstore.provenance(name, "1.0.0", sha512, time=OLD),
                sigstore.publish(name, "1.0.0", sha512, time=OLD),
            ]
            registry.publish(
                name,
                "1.0.0",
                data,
                published=OLD.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                signatures=[sigstore.registry_signature(name, "1.0.0", tarballs.integrity(data))],
                attestations=sigstore.attestations_document(bundles) if name == "alpha" else None,
            )
        shutil.rmtree(world.store)
        world.write_project([(name, "1.0.0", data) for name, data in DATA.items()], registry=registry.url)
        (world.project / ".npmrc").write_text(f"registry={registry.url}\n")
        (world.root / "trusted_root.json").write_bytes(sigstore.trusted_root_json())
        (world.root / "keys.json").write_bytes(sigstore.registry_keys_json())
        world.trust.write_text(
            world.trust.read_text()
            + f'\n[[registries]]\nurl = "{registry.url}"\n\n[sigstore]\nupdated = {NOW:%Y-%m-%dT%H:%M:%SZ}\n'
            + "".join(
                f'{key} = {{ path = "{name}", sha256 = "{sha256((world.root / name).read_bytes()).hexdigest()}" }}\n'
                for key, name in (("trusted_root", "trusted_root.json"), ("registry_keys", "keys.json"))
            )
        )
        elsewhere = copy(world, tmp_path / "b")
        made = world.run(*EXPORT)
        assert made.code == 0, made.err
        shutil.copy(world.root / "facts.json", elsewhere.root)
        yield Machines(world, elsewhere)


EXPORT = ("facts", "export", "shop", "--key", "release.key", "--trust", "trust.toml", "-o", "facts.json")
ONLINE = ("check", "shop", "--trust", "trust.toml", "--json")
OFFLINE = (*ONLINE, "--offline", "--facts", "facts.json")


def said(out: str) -> set[tuple[str, str, str]]:
    report = json.loads(out)
    entries = [e for part in ("denials", "warnings", "notes") for e in report[part]]
    return {(f["rule"], f["code"], f["level"]) for entry in entries for f in entry["findings"]}


def test_the_same_decision_byte_for_byte(machines: Machines) -> None:
    here = machines.a.run(*ONLINE)
    there = machines.b.run(*OFFLINE)
    assert here.code == there.code, there.err
    assert said(here.out) == said(there.out)
    assert here.out.partition('"from_cache"')[0] == there.out.partition('"from_cache"')[0]
    apart = [json.loads(one.out) for one in (here, there)]
    # Where the facts are from is the one difference: what the registry said a moment ago, or what was recorded.
    assert [report.pop("from_cache") is None for report in apart] == [False, True]
    assert apart[0] == apart[1]
    assert not any(f["unknown"] for e in json.loads(there.out)["warnings"] for f in e["findings"])
    again = machines.a.run(*OFFLINE)
    assert again.out == there.out


def test_an_export_of_what_was_recorded_is_the_same(machines: Machines) -> None:
    made = machines.b.run(*EXPORT[:-1], "again.json", "--offline", "--facts", "facts.json")
    assert made.code == 0, made.err
    (machines.b.root / "facts.json").write_bytes((machines.b.root / "again.json").read_bytes())
    assert machines.b.run(*OFFLINE).out == machines.a.run(*OFFLINE).out


def unknown(machines: Machines) -> set[str]:
    result = machines.b.run(*OFFLINE)
    assert result.code != 2, result.err
    assert "its facts count as unknown" in result.err
    return {f["code"] for e in json.loads(result.out)["warnings"] for f in e["findings"] if f["unknown"]}


def statement(machines: Machines) -> bytes:
    return dsse.read_bundle((machines.b.root / "facts.json").read_bytes(), "facts.json").payload


def test_p14_facts_by_a_foreign_key_are_unknown(machines: Machines) -> None:
    foreign = local_key.generate(machines.b.root / "foreign.key")
    (machines.b.root / "facts.json").write_bytes(foreign.sign(statement(machines)))
    assert {"publish-time", "scripts", "signature"} <= unknown(machines)


def test_p14_facts_that_were_altered_are_refused(machines: Machines) -> None:
    path = machines.b.root / "facts.json"
    bundle = json.loads(path.read_bytes())
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(b"\0" * 70).decode()
    path.write_text(json.dumps(bundle))
    refused(machines.b, *OFFLINE, says=["facts.json", "altered"], hint=False)


def test_p14_a_key_that_may_only_decide_vouches_for_no_fact(machines: Machines) -> None:
    trust = machines.b.trust
    trust.write_text(trust.read_text().replace('["decision", "facts"]', '["decision"]'))
    assert {"publish-time", "scripts"} <= unknown(machines)
    refused(machines.b, *EXPORT, "--offline", says=["does not accept facts"])


def test_p14_attestations_are_verified_again_from_their_bytes(machines: Machines) -> None:
    """The signer of the facts is believed in what nobody else signs, and in nothing more."""
    collected = facts.read_statement(statement(machines), where="facts.json")
    (key,) = [key for key in collected if key.name == "alpha"]
    attested = collected[key].attestations
    assert isinstance(attested, AttestationDocument)
    document: dict[str, Any] = json.loads(attested.body)
    envelope = document["attestations"][0]["bundle"]["dsseEnvelope"]
    envelope["payload"] = base64.b64encode(
        base64.b64decode(envelope["payload"]).replace(b"example", b"exomple")
    ).decode()
    body = json.dumps(document).encode()
    changed = replace(attested, body=body, sha256=sha256(body).hexdigest())
    collected[key] = replace(collected[key], attestations=changed)
    signer = local_key.load(machines.b.root / "release.key")
    (machines.b.root / "facts.json").write_bytes(signer.sign(facts.write_statement(collected)))
    result = machines.b.run(*OFFLINE)
    assert result.code == 1
    assert ("provenance", "attestation-invalid", "deny") in said(result.out)


def test_facts_of_other_bytes_are_not_used(machines: Machines) -> None:
    lock = machines.b.project / "package-lock.json"
    text = lock.read_text()
    lock.write_text(text.replace(tarballs.integrity(DATA["beta"]), tarballs.integrity(DATA["alpha"])))
    result = machines.b.run(*OFFLINE)
    codes = {f["code"] for e in json.loads(result.out)["warnings"] for f in e["findings"] if f["unknown"]}
    assert "scripts" in codes


def test_what_cannot_be_reached_is_said_and_stays_unknown(machines: Machines) -> None:
    (machines.a.project / ".npmrc").write_text("registry=http://127.0.0.1:1/\n")
    made = machines.a.run(*EXPORT)
    assert made.code == 0, made.err
    assert "not known: the registry's word of 2" in made.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--key", "missing.key"], ["missing.key"]),
        (["--key", "release.key.pub"], ["release.key.pub"]),
        (["--key", "release.key", "-o", "no/such/folder"], ["no/such/folder"]),
        (["--key", "release.key", "--facts", "trust.toml"], ["trust.toml"]),
        (["--key", "release.key", "--trust", "app.tgz"], ["app.tgz"]),
    ],
)
def test_what_cannot_be_exported(machines: Machines, arguments: list[str], says: list[str]) -> None:
    before = machines.b.snapshot()
    result = machines.b.run("facts", "export", "shop", "--offline", *arguments)
    must_be_refused(result, says=says, hint=False)
    assert machines.b.snapshot() == before


# --------------------------------------------------------------------------------------------------------------------
# In the SBOM of `generate`

WITH_FACTS = ("generate", "shop", "--trust", "trust.toml", "--facts")


def properties(out: str) -> dict[str, dict[str, str]]:
    return {
        component["name"]: {one["name"]: one["value"] for one in component["properties"]}
        for component in json.loads(out)["components"]
    }


def test_generate_writes_the_sbom_of_the_decision(machines: Machines) -> None:
    """The same facts by the same path: what `gate` signs is what `generate` writes, byte for byte."""
    made = machines.a.run(*WITH_FACTS, "network")
    assert made.code == 0, made.err
    known = properties(made.out)
    assert known["alpha"]["sbomgate:attestation:provenance:state"] == "verified"
    assert known["alpha"]["sbomgate:publish:source"] == "attestation"
    assert known["alpha"]["sbomgate:signature:state"] == "verified"
    assert known["beta"]["sbomgate:scripts:script"] == '["postinstall","node setup.js"]'
    assert known["beta"]["sbomgate:publish:source"] == "registry"
    decided = machines.a.run(*[one for one in machines.a.gate() if one != "--offline"])
    assert decided.code != 2, decided.err
    (folder,) = machines.a.store.glob("*/*/decisions/*")
    assert layout.read(folder).blobs[decision.SBOM] == made.out.encode()


def test_generate_from_recorded_facts_asks_nobody(machines: Machines) -> None:
    (machines.b.project / ".npmrc").write_text("registry=http://127.0.0.1:1/\n")  # whoever asks waits in vain
    made = machines.b.run(*WITH_FACTS, "facts.json")
    assert made.code == 0, made.err
    known = properties(made.out)
    assert known["alpha"]["sbomgate:attestation:provenance:state"] == "verified"
    assert known["beta"]["sbomgate:publish:source"] == "recorded"
    both = machines.b.run(*WITH_FACTS, "network", "--facts", "facts.json")
    assert both.out == made.out


def test_p14_generate_believes_no_stranger(machines: Machines) -> None:
    made = machines.b.run("generate", "shop", "--facts", "facts.json")
    assert made.code == 0
    assert "its facts count as unknown" in made.err
    known = properties(made.out)
    assert known["beta"]["sbomgate:scripts:state"] == "unknown"
    assert known["alpha"]["sbomgate:publish:source"] == "unknown"
    assert "not known: the registry's word of 2" in made.err


def test_generate_without_facts_is_as_before(machines: Machines) -> None:
    made = machines.b.run("generate", "shop")
    assert made.code == 0
    assert not any(name.startswith("sbomgate:publish") for of in properties(made.out).values() for name in of)


def test_generate_in_every_form(machines: Machines) -> None:
    """The facts are in XML, in other versions and in the report on conformance as well."""
    for version in ("1.5", "1.7"):
        made = machines.b.run(*WITH_FACTS, "facts.json", "--spec-version", version)
        assert properties(made.out)["beta"]["sbomgate:scripts:state"] == "present", made.err
    made = machines.b.run(*WITH_FACTS, "facts.json", "--format", "xml")
    assert "sbomgate:scripts:script" in made.out
    bare, full = (
        json.loads(machines.b.run(*command, "--conform", "ntia", "--json").out)["fields"][0]
        for command in (("generate", "shop"), (*WITH_FACTS, "facts.json"))
    )
    assert (full["id"], full["present"]) == ("supplier", bare["present"] + 2), (bare, full)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--facts", "missing.json"], ["missing.json"]),
        (["--facts", "facts.json", "--facts", "trust.toml"], ["--facts", "one file"]),
        (["--facts", "trust.toml"], ["trust.toml"]),
        (["--trust", "trust.toml"], ["--trust", "no facts"]),
        (["--facts", "network", "--trust", "app.tgz"], ["app.tgz"]),
    ],
)
def test_what_generate_refuses(machines: Machines, arguments: list[str], says: list[str]) -> None:
    refused(machines.b, "generate", "shop", *arguments, says=says, hint=False)
