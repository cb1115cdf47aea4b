"""Deciding again from stored bytes: the same comes out, and what does not is named with its place (P22, P25)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sbomgate import gate, replay, resources, trust
from sbomgate.decision import TIES, write_detail, write_summary
from sbomgate.errors import EvidenceError
from sbomgate.evidence.record import Record
from sbomgate.link import dumps
from sbomgate.model import Authors, BaselineBuild, Trust
from sbomgate.model.link import INSTALLED, Inventory, Ties
from sbomgate.policy import parameters
from sbomgate.provenance import shipped
from testkit.evidence import NOW, key
from testkit.inputs import PARAMETERS
from testkit.questions import GRAPH, LIST, Says, answered, question

SIGNER = f"""
[[signers]]
name = "release key"
roles = ["decision"]
public_key = '''
{key().public_key}'''
"""
OURS = f'schema = "sbomgate/trust/v1"\n{SIGNER}'


def accepting(text: str = "", files: Mapping[str, bytes] | None = None) -> Trust:
    """What a trust file says, with the files that it names."""
    held = files or {}
    return trust.parse(f'schema = "sbomgate/trust/v1"\n{text}{SIGNER}'.encode(), pinned=lambda name, _: held[name])


def decided(asked: gate.Question) -> Record:
    asked = gate.tie(GRAPH, asked)
    return gate.sign(answered(asked), asked, signer=key())


def again(record: Record, engine: Says | None = None, **changes: Any) -> replay.Replay:
    return replay.replay(record, engine=engine or Says(), **changes)


ROOT = shipped.load()
HERE = gate.TrustMaterial(trusted_root=ROOT.trusted_root, registry_keys=ROOT.registry_keys, issuers=(), updated=NOW)
ASKED = question(trust=accepting())
PLAIN = decided(ASKED)


def baseline() -> BaselineBuild:
    return BaselineBuild(sbom=answered(ASKED).sbom, evidence="ab" * 32, decided_at=NOW - timedelta(days=1))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="as little as there is"),
        pytest.param({"baseline": baseline()}, id="measured against an approved build"),
        pytest.param({"ties": {TIES[INSTALLED]: dumps(Inventory(link=INSTALLED, layouts=(), packages=()))}}, id="P13"),
        pytest.param({"ledger": b'{"registries":{},"schema":"sbomgate/ledger/v1"}'}, id="with a ledger"),
        pytest.param({"approvals": {"x.sigstore.json": b"{}"}}, id="with what nobody accepts"),
        pytest.param(
            {"project_files": {"package-lock.json": ("00" * 32, 1), "package.json": ("11" * 32, 2)}}, id="files"
        ),
        pytest.param({"lockfile_path": "apps/shop/package-lock.json"}, id="in a folder"),
        pytest.param({"trust": accepting('environments = ["production"]\n')}, id="another trust file"),
    ],
)
def test_P22_the_same_comes_out(changes: dict[str, Any]) -> None:
    found = again(decided(replace_question(changes)), shipped=HERE)
    assert found.differences == ()
    assert all(same for _, same in found.steps)


def replace_question(changes: dict[str, Any]) -> gate.Question:
    return question(**{"trust": accepting(), **changes})


def altered(record: Record, edit: Any = None, **blobs: bytes) -> Record:
    """The record as an accepted signer could sign it, with other bytes of some files or another claim."""
    held = {**record.blobs, **blobs}
    materials = tuple(
        replace(one, sha256=hashlib.sha256(held[one.name]).hexdigest(), size=len(held[one.name]))
        if one.name in held
        else one
        for one in record.claimed.materials
    )
    claimed = replace(record.claimed, materials=materials)
    claimed = claimed if edit is None else edit(claimed)
    detail = key().sign(write_detail(claimed))
    summary = write_summary(claimed, detail)
    assert summary is not None
    return Record(detail=detail, summary=key().sign(summary), blobs=held)


def names(found: replay.Replay) -> list[str]:
    assert [name for name, same in found.steps if not same] == [one.name for one in found.differences]
    return [one.name for one in found.differences]


def test_P22_an_engine_that_says_something_else() -> None:
    (found,) = again(PLAIN, Says(instead={"unused_waivers": ["00" * 32]})).differences
    assert (found.name, found.stored, found.now) == (
        "evaluation", PLAIN.claimed.sha256["evaluation.json"], found.now,
    )  # fmt: skip
    assert found.place == f'unused_waivers[0]: stored nothing, now "{"00" * 32}"'


def test_P22_what_the_rules_were_told_is_not_what_the_bytes_say() -> None:
    told = json.loads(PLAIN.blobs["policy-input.json"])
    told["project"]["name"] = "x" * 200
    data = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
    found = again(altered(PLAIN, **{"policy-input.json": data}))
    assert names(found) == ["policy input"]
    (one,) = found.differences
    assert one.place.startswith('project.name: stored "xxx')
    assert one.place.endswith('…, now "root"'), "what is long is cut"


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        pytest.param(lambda d: replace(d, project="another"), ["project files"], id="the project's name"),
        pytest.param(lambda d: replace(d, counts=replace(d.counts, packages=1)), ["counts and rules"], id="a count"),
        pytest.param(
            lambda d: replace(d, valid_until=NOW + timedelta(days=1)), ["end of what it rests on"], id="P29 an end"
        ),
    ],
)
def test_P22_what_was_signed_does_not_follow(edit: Any, expected: list[str]) -> None:
    assert names(again(altered(PLAIN, edit))) == expected


def test_P13_what_was_compared_comes_to_something_else() -> None:
    """The inventory is stored, and the comparison is made again: a tree that does not hold is none that does."""
    tree = dumps(Inventory(link=INSTALLED, layouts=(), packages=()))
    tied = decided(replace_question({"ties": {TIES[INSTALLED]: tree}}))
    assert tied.claimed.ties is not None
    assert tied.claimed.ties.installed is not None
    lie = Ties(installed=replace(tied.claimed.ties.installed, holds=True, packages=2))
    (found,) = again(altered(tied, lambda d: replace(d, ties=lie, link=INSTALLED))).differences
    assert (found.name, found.stored) == ("link of artefact and lockfile", INSTALLED)
    assert found.now.startswith("asserted, from Ties(installed=TreeLink(")


def test_P25_another_trust_root_than_this_version_s() -> None:
    assert names(again(PLAIN, shipped=replace(HERE, registry_keys=b"{}"))) == ["trust root"]
    older = altered(PLAIN, lambda d: replace(d, sbomgate="0.0.1"))
    assert "trust root" not in names(again(older, shipped=replace(HERE, registry_keys=b"{}"))), "it shipped another"
    assert "trust root" not in names(again(PLAIN)), "where nobody says which one"


def test_P25_how_old_the_trust_root_is_this_version_knows_of_its_own_alone() -> None:
    later = replace(HERE, updated=NOW + timedelta(days=1))
    older = altered(PLAIN, lambda d: replace(d, sbomgate="0.0.1"))
    assert replay.stored(PLAIN, shipped=later)[1].material.updated == later.updated
    assert replay.stored(PLAIN, shipped=replace(HERE, updated=None))[1].material.updated is None
    assert replay.stored(older, shipped=later)[1].material.updated == NOW
    assert replay.stored(PLAIN)[1].material.updated == NOW


@pytest.mark.parametrize("key_of", ["trusted_root", "registry_keys"])
def test_P25_a_trust_root_that_the_trust_file_names(key_of: str) -> None:
    data = getattr(ROOT, key_of) + b"\n"
    sha256 = hashlib.sha256(data).hexdigest()
    accepted = accepting(f'[sigstore]\n{key_of} = {{ path = "file", sha256 = "{sha256}" }}\n', {"file": data})
    found = decided(replace_question({"trust": accepted}))
    assert again(found, shipped=HERE).differences == ()


def test_a_project_without_a_name() -> None:
    about = replace(GRAPH, packages=(replace(GRAPH.packages[0], name=""), *GRAPH.packages[1:]))
    asked = gate.tie(about, ASKED)
    record = gate.sign(answered(asked, about=about), asked, signer=key())
    assert record.claimed.project == "(unnamed project)"
    assert again(record).differences == ()


def test_lists_of_malicious_packages_are_those_of_the_trust_file() -> None:
    held = {"ours.csv": LIST}
    sha256 = hashlib.sha256(LIST).hexdigest()
    text = f'malicious_lists = [{{ path = "ours.csv", sha256 = "{sha256}" }}]\n'
    accepted = accepting(text, held)
    good = decided(replace_question({"trust": accepted, "lists": {"trust/ours.csv": LIST}}))
    assert again(good).differences == ()
    lacking = decided(replace_question({"trust": accepted, "lists": {"shipped.csv": LIST}}))
    assert names(again(lacking)) == ["malicious lists"]
    none = decided(replace_question({"lists": {}}))
    assert names(again(none)) == ["malicious lists"]


def test_a_file_that_the_trust_file_names_is_not_there() -> None:
    held = {"ours.csv": LIST}
    text = f'malicious_lists = [{{ path = "ours.csv", sha256 = "{hashlib.sha256(LIST).hexdigest()}" }}]\n'
    accepted = replace(accepting(text, held), pinned={})
    lacking = decided(replace_question({"trust": accepted, "lists": {}}))
    with pytest.raises(EvidenceError, match="the evidence does not hold it"):
        again(lacking)


def test_parameters_are_as_strict_as_the_trust_file_and_the_rules() -> None:
    """Of another policy's rules nobody here knows the defaults: then what the trust file sets is compared."""
    accepted = accepting("[parameters.release_age]\nminimum_age_hours = 100\n")
    assert names(again(decided(replace_question({"trust": accepted})))) == ["parameters"]
    declared = parameters.declared(resources.path(*parameters.CATALOGUE).read_bytes())
    used: Any = parameters.effective(declared, {}, {}, trust_where="")
    policy = PLAIN.claimed.policy
    strict = decided(replace_question({"parameters": used}))
    assert again(strict, declared=declared, shipped_policy=policy).differences == ()
    age = {**used["release_age"], "minimum_age_hours": 1}
    loose = decided(replace_question({"parameters": {**used, "release_age": age}}))
    assert names(again(loose, declared=declared, shipped_policy=policy)) == ["parameters"]
    assert again(loose, declared=declared, shipped_policy="00" * 32).differences == ()
    assert again(loose, shipped_policy=policy).differences == (), "where nobody gives them"


def test_what_another_policy_would_have_said() -> None:
    engine = Says()
    declared: Any = {"new_rule": {"days": {"default": 3}}, "release_age": {"minimum_age_hours": {"default": 1}}}
    replay.reevaluate(
        PLAIN.blobs["policy-input.json"], ASKED.bundle, engine=engine, declared=declared, profile="strict"
    )
    replay.reevaluate(PLAIN.blobs["policy-input.json"], ASKED.bundle, engine=engine, declared={})
    strict, same = map(json.loads, engine.asked)
    assert (strict["profile"], same["profile"]) == ("strict", "default")
    assert strict["parameters"] == {**PARAMETERS, "new_rule": {"days": 3}}
    assert same == json.loads(PLAIN.blobs["policy-input.json"])


@pytest.mark.parametrize("path", ["package-lock.json", "apps/shop/package-lock.json"])
def test_the_question_is_what_it_was(path: str) -> None:
    asked = replace_question(
        {
            "lockfile_path": path,
            "approvals": {"x.sigstore.json": b"{}"},
            "authors": Authors(people=("ann",), known=True, reason=""),
            "baseline": baseline(),
        }
    )
    _, found = replay.stored(decided(asked))
    for name in ("project_files", "lists", "approvals", "authors", "parameters", "material", "bundle", "sbomgate"):
        assert getattr(found, name) == getattr(asked, name), name
    assert isinstance(found.baseline, BaselineBuild)
    assert (found.baseline.evidence, found.baseline.decided_at) == ("ab" * 32, NOW - timedelta(days=1))


def test_deciding_again_with_a_newer_time() -> None:
    _, asked = replay.stored(PLAIN)
    later = replace(asked, context=replace(asked.context, evaluated_at=NOW + timedelta(days=1)))
    found = replay.decide_again(PLAIN, gate.tie(GRAPH, later), engine=Says())
    assert json.loads(found.policy_input)["evaluated_at"] == "2026-11-21T12:00:00Z"
    assert found.collected == answered(ASKED).collected
