"""The story of an audit: everything in a store is verified again, each distinct attestation once.

`Auditor` does the work on a part of the builds, in this process or in several; what each returns is put together by
`cli`. Like `sbomgate.gate` it calls the steps in order, reads no clock and prints nothing.

What a package's evidence comes to does not depend on the build that it was found in: its attestations and the
registry's signature are verified once for the whole store, and compared with what each decision's rules were told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from sbomgate import decision, files, gate
from sbomgate import trust as trusts
from sbomgate.errors import EvidenceError, SbomgateError
from sbomgate.evidence import audit, layout
from sbomgate.evidence.audit import Looked, Problem
from sbomgate.evidence.head import View
from sbomgate.evidence.record import Statements
from sbomgate.evidence.revocation import SignedRevocation
from sbomgate.model import Attestation, Signer
from sbomgate.times import format_time

if TYPE_CHECKING:
    from sbomgate.provenance import Verifier

_ATTESTED = ("publish_attestation", "provenance")
_REGISTERED = ("signature",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A part of the work: builds to look at, or (with `wanted`) package evidence of one decision to verify."""

    builds: tuple[str, ...] = ()
    decision: str = ""
    wanted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What came of a task.

    Attributes:
        looked: of each build.
        claimed: id of the package evidence → what the rules were told of it (JSON) → the decisions that say so.
        verified: id of the package evidence → what its bytes come to (JSON).
    """

    looked: tuple[Looked, ...] = ()
    claimed: Mapping[str, Mapping[bytes, tuple[str, ...]]] = field(default_factory=dict)
    verified: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class Auditor:
    """Looks at builds of one store, one task after the other."""

    signers: tuple[Signer, ...] | None
    revoking: tuple[SignedRevocation, ...]
    view: View
    _known: layout.Known = field(default_factory=dict)
    _material: dict[tuple[str, ...], gate.TrustMaterial] = field(default_factory=dict)
    _verifiers: dict[tuple[str, ...], Verifier] = field(default_factory=dict)

    def __call__(self, task: Task) -> Part:
        """Do one task."""
        if task.wanted:
            return Part(verified=self._verify(Path(task.decision), frozenset(task.wanted)))
        looked: list[Looked] = []
        claimed: dict[str, dict[bytes, list[str]]] = {}
        for build in map(Path, task.builds):
            found, statements = audit.look(build, self.signers, self.revoking, self.view, self._known)
            problems = list(found.problems)
            for one in statements:
                path = build / "decisions" / one.id
                try:
                    for id_, said in self._claims(path, one):
                        claimed.setdefault(id_, {}).setdefault(said, []).append(str(path))
                except (EvidenceError, *_NO_MEANING) as e:
                    problems.append(_no_meaning(path, e))
            looked.append(Looked(decisions=found.decisions, problems=tuple(problems), notes=found.notes))
        return Part(
            looked=tuple(looked),
            claimed={id_: {said: tuple(paths) for said, paths in of.items()} for id_, of in claimed.items()},
        )

    def _claims(self, path: Path, statements: Statements) -> Iterator[tuple[str, bytes]]:
        """Yield the evidence of each package of a decision by its id, with what the rules were told that it says."""
        scope = _scope(self._trust_material(path, statements))
        asked = orjson.loads(_read(path / decision.POLICY_INPUT))
        told = {(one["name"], one["version"] or "", one["integrity"] or ""): one["facts"] for one in asked["packages"]}
        rendered: dict[tuple[int, tuple[str, ...]], bytes] = {}
        for entry in orjson.loads(_read(path / gate.FACTS))["facts"]:
            at = told.get((entry["name"], entry["version"], entry["integrity"]))
            if at is None:
                continue
            names = _evidence(entry)
            said = asked["facts"][at]
            for name in (*_ATTESTED, *_REGISTERED):
                if name not in names and said[name]["state"] == "verified":
                    raise EvidenceError(
                        f"{entry['name']} {entry['version']}: {name} is verified, and there is nothing to verify",
                        where=str(path / decision.POLICY_INPUT),
                    )
            if names:
                if (at, names) not in rendered:
                    rendered[at, names] = _canonical({name: said[name] for name in names})
                yield _id(scope, entry), rendered[at, names]

    def _verify(self, path: Path, wanted: frozenset[str]) -> dict[str, bytes]:
        """Verify the evidence of some packages of a decision from its bytes."""
        from sbomgate import facts
        from sbomgate.provenance.batch import verify_all

        statements = next(one for one in layout.read_statements(path.parent.parent) if one.id == path.name)
        root = self._trust_material(path, statements)
        document = orjson.loads(_read(path / gate.FACTS))
        entries = {id_: entry for entry in document["facts"] if (id_ := _id(_scope(root), entry)) in wanted}
        collected = facts.from_document({**document, "facts": list(entries.values())}, where=str(path / gate.FACTS))
        sha512 = {key: _sha512(key.integrity) for key in collected}
        attestations, signatures = verify_all(collected, self._verifier(root), sha512)
        found: dict[str, bytes] = {}
        for id_, key in zip(entries, collected, strict=True):
            states: dict[str, Any] = {}
            if key in attestations:
                states |= zip(_ATTESTED, map(_document, attestations[key]), strict=True)
            if key in signatures:
                states["signature"] = {"state": signatures[key].state.value}
            found[id_] = _canonical(states)
        return found

    def _trust_material(self, path: Path, statements: Statements) -> tuple[str, ...]:
        """Return the key of what a decision's provenance was verified against: two digests and the issuers."""
        digests = statements.claimed.sha256
        names = (decision.TRUST, gate.TRUSTED_ROOT, gate.REGISTRY_KEYS)
        if lacking := [name for name in names if name not in digests]:
            raise EvidenceError("the decision does not hold this file", where=str(path / lacking[0]))
        key = tuple(digests[name] for name in names)
        if key not in self._material:
            accepted = trusts.parse(
                _read(path / decision.TRUST),
                pinned=lambda _, sha256: _read(path.parent.parent / "blobs" / "sha256" / sha256),
                where=str(path / decision.TRUST),
            )
            self._material[key] = gate.material_of(
                accepted, _read(path / gate.TRUSTED_ROOT), _read(path / gate.REGISTRY_KEYS), updated=None
            )
        return key

    def _verifier(self, root: tuple[str, ...]) -> Verifier:
        from sbomgate.provenance import Verifier

        if root not in self._verifiers:
            used = self._material[root]
            self._verifiers[root] = Verifier.from_material(used.trusted_root, used.registry_keys, used.issuers)
        return self._verifiers[root]


_NO_MEANING = (KeyError, IndexError, TypeError, ValueError, SbomgateError)


def _no_meaning(path: Path, e: BaseException) -> Problem:
    if isinstance(e, EvidenceError):
        return audit.problem(e, "attestation", str(path))
    message = str(e) if isinstance(e, SbomgateError) else f"{type(e).__name__}: {e}"
    return Problem(kind="attestation", path=str(path), message=f"its facts or policy input have no meaning: {message}")


def _read(path: Path) -> bytes:
    return files.read(path, limit=layout.MAX_BLOB_BYTES, error=EvidenceError, follow=False)


def _evidence(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Return which of a package's states follow from bytes in its facts."""
    attested = _ATTESTED if "body" in entry["attestations"] else ()
    return attested + (_REGISTERED if entry["registry"].get("signatures") else ())


def _sha512(integrity: str) -> str | None:
    """Return the only sha512 (hex) of a lockfile's integrity, or None."""
    from sbomgate import facts

    found = {facts.sha512_of(one.partition("?")[0]) for one in integrity.split()} - {None}
    return found.pop() if len(found) == 1 else None


def _scope(root: tuple[str, ...]) -> bytes:
    return "\n".join(root).encode()


def _document(attestation: Attestation) -> dict[str, Any]:
    """Return an attestation's state as the policy input has it."""
    return {
        "state": attestation.state.value,
        "log_proof": attestation.log_proof,
        "log_time": None if attestation.log_time is None else format_time(attestation.log_time),
        "claims": None if attestation.claims is None else asdict(attestation.claims),
    }


def _id(scope: bytes, entry: Mapping[str, Any]) -> str:
    """Return what the evidence of a package is known by: everything that its verification depends on."""
    registry = entry["registry"]
    about = [entry["name"], entry["version"], entry["integrity"], entry["attestations"]]
    about += [registry.get(name) for name in ("signatures", "integrity", "published", "serves_evidence", "missing")]
    return hashlib.sha256(scope + b"\0" + orjson.dumps(about, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _canonical(states: Mapping[str, Any]) -> bytes:
    """Return states without the words for people: those may change between versions."""
    kept = {name: {k: v for k, v in state.items() if k != "reason"} for name, state in states.items()}
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)


# --------------------------------------------------------------------------------------------------------------------
# What the tasks are, and what their parts come to


def distinct(parts: Sequence[Part]) -> list[Task]:
    """Return the tasks that verify each distinct evidence of a package once."""
    where: dict[str, str] = {}
    for part in parts:
        for id_, said in part.claimed.items():
            where.setdefault(id_, min(path for paths in said.values() for path in paths))
    by_decision: dict[str, list[str]] = {}
    for id_, path in where.items():
        by_decision.setdefault(path, []).append(id_)
    return [
        Task(decision=path, wanted=tuple(ids[start : start + 64]))
        for path, ids in sorted(by_decision.items())
        for start in range(0, len(ids), 64)
    ]


def differing(looked: Sequence[Part], verified: Sequence[Part]) -> Iterator[Problem]:
    """Yield each decision whose rules were told something else of a package's evidence than its bytes come to."""
    states = {id_: state for part in verified for id_, state in part.verified.items()}
    for part in looked:
        for id_, said in sorted(part.claimed.items()):
            for claim, paths in sorted(said.items()):
                if id_ in states and claim != states[id_]:
                    for path in paths:
                        message = f"the rules were told {_short(claim)}, the bytes say {_short(states[id_])}"
                        yield Problem(kind="attestation", path=f"{path}/{gate.FACTS}", message=message)


def _short(states: bytes) -> str:
    return ", ".join(f"{name} {state.get('state')}" for name, state in orjson.loads(states).items())
