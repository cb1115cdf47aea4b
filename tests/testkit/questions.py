"""A small question for `gate.decide`, with an engine that answers as it is told. Not shipped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sbomgate import gate
from sbomgate.model import (
    Bootstrap,
    CollectedFacts,
    Context,
    DependencyGraph,
    Engine,
    FactKey,
    PolicyBundle,
    Signer,
    Trust,
)
from sbomgate.model.facts import Absence, Missing, Origin, RegistryWord
from sbomgate.policy import bundle
from sbomgate.provenance import shipped
from testkit.evidence import NOW, TARBALL, trusting
from testkit.graphs import REGISTRY, graph, package
from testkit.inputs import PARAMETERS

GRAPH = graph(package("a", "1.0.0", sha512="ab" * 64), package("b", "2.0.0", sha512="cd" * 64))
LIST = b"name,versions,osv_id,wave,sources\n"


@dataclass(kw_only=True)
class Says:
    """An engine that gives a whole answer, but for what it is told to say instead; `asked` keeps the policy inputs."""

    name: str = "embedded"
    version: str = "1.22.0"
    ours: bool = True
    instead: Mapping[str, Any] = field(default_factory=dict)
    asked: list[bytes] = field(default_factory=list)
    prepared: list[str] = field(default_factory=list)

    def prepare(self, bundle: PolicyBundle, query: str) -> None:
        self.prepared.append(query)

    def evaluate(self, bundle: PolicyBundle, policy_input: bytes, query: str) -> bytes:
        self.asked.append(policy_input)
        asked = json.loads(policy_input)
        answer = {
            "schema": "sbomgate/evaluation/v1",
            "verdict": "allowed",
            "profile": asked["profile"],
            "findings": [],
            "rules": list(bundle.rules),
            "packages": len(asked["packages"]),
            "waived_by": {},
            "unused_waivers": [],
        }
        return json.dumps({**answer, **self.instead}, sort_keys=True, separators=(",", ":")).encode()


def accepting(*signers: Signer, **changes: Any) -> Trust:
    """Return what a trust file with these signers says, as `trusting` does: one that can be stored."""
    data = b'schema = "sbomgate/trust/v1"\n'
    return replace(trusting(*signers, **changes), data=data, sha256=hashlib.sha256(data).hexdigest())


def question(*, trust: Trust | None = None, **changes: Any) -> gate.Question:
    """Return a question about an artefact that nothing but the release job's word ties to the lockfile."""
    root = shipped.load()
    accepted = trust or accepting()
    context = {name: changes.pop(name) for name in list(changes) if name in Context.__slots__ and name != "ties"}
    asked = gate.Question(
        context=Context(
            **{
                "evaluated_at": NOW,
                "profile": "default",
                "lockfile_path": "package-lock.json",
                "subject": TARBALL,
                "time_source": "self-declared",
                **context,
            }
        ),
        trust=accepted,
        material=gate.material_of(accepted, root.trusted_root, root.registry_keys, updated=NOW),
        parameters=PARAMETERS,
        lists={"shipped.csv": LIST},
        bundle=bundle.shipped(),
        baseline=Bootstrap(reason="the store holds none"),
        project_files={"package-lock.json": ("00" * 32, 1)},
    )
    return replace(asked, **changes)


def nothing(key: FactKey) -> CollectedFacts:
    """What is known of a package where no registry answered."""
    gone = Missing(absence=Absence.UNREACHABLE, reason="no answer")
    return CollectedFacts(key=key, registry=gone, tarball=gone, attestations=gone)


def seen(key: FactKey) -> CollectedFacts:
    """What is known of a package whose registry was asked for its versions, and has no more."""
    word = RegistryWord(
        registry=REGISTRY, asked_at=NOW, origin=Origin.NETWORK, published=None, first_published=None, integrity=None,
        tarball=None, scripts={}, has_install_script=None, signatures=(), serves_evidence=False, attestations_url=None,
        publisher=None, trusted_publisher=None, maintainers=(), licence=None, deprecated=None, versions=key.version,
    )  # fmt: skip
    return replace(nothing(key), registry=word)


def answered(
    asked: gate.Question,
    *,
    about: DependencyGraph = GRAPH,
    known: Mapping[FactKey, CollectedFacts] | None = None,
    engine: Engine | None = None,
    second: Engine | None = None,
) -> gate.Answer:
    """Return what is decided, from these facts alone."""
    gathered = gate.gather(about, asked, collect=lambda _: known or {})
    return gate.decide(about, gathered, asked, engine=engine or Says(), second=second)
