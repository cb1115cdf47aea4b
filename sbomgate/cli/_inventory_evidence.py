"""Where `inventory add` reads evidence: a store on disk, one build or decision in it, a registry."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from sbomgate.cli._environment import Environment
    from sbomgate.evidence.head import View
    from sbomgate.evidence.record import Record, Statements
    from sbomgate.evidence.registry_client import Client
    from sbomgate.evidence.revocation import SignedRevocation
    from sbomgate.inventory.amendments import Amendment
    from sbomgate.model import Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The evidence on one artefact.

    Attributes:
        statements: its decisions, without what they name.
        whole: reads what one of them names.
        overrides: file name → bytes of what was signed to override one; a registry holds none.
    """

    statements: tuple[Statements, ...]
    whole: Callable[[Statements], Record]
    overrides: Callable[[Statements], Mapping[str, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A place with evidence: what it says of revocations, and its builds, each read when it is asked for."""

    view: View
    builds: tuple[Callable[[], Held], ...]


@contextmanager
def of_registry(spec: str, env: Environment) -> Iterator[Source]:
    """Open `oci:HOST/REPO`, with every build in it, or `oci:HOST/REPO@sha256:DIGEST` with one.

    What it raises:
        UsageError: it names none.
        FetchError, EvidenceError: it cannot be read, or something in it was altered.
    """
    import re

    from sbomgate.cli import _store
    from sbomgate.errors import UsageError
    from sbomgate.evidence import registry
    from sbomgate.evidence.head import View
    from sbomgate.evidence.registry_client import DIGEST

    name, at, digest = spec.partition("@sha256:")
    about = f"sha256:{digest}"
    if at and not DIGEST.fullmatch(about):
        raise UsageError("no digest", where=re.sub(r"//[^@]*@", "//", spec)[:300], hint="oci:HOST/REPO@sha256:DIGEST")
    with _store.opening(env) as client_of:
        client = client_of(_store.repository(name))
        view = View(bundle=None, where=spec, entries=(), revocations=registry.revocations(client))
        listed = (about,) if at else registry.listed(client)
        yield Source(view=view, builds=tuple(_attached(client, one) for one in listed))


def _attached(client: Client, about: str) -> Callable[[], Held]:
    from sbomgate.evidence import registry

    def held() -> Held:
        return Held(
            statements=registry.statements(client, about),
            whole=lambda one: registry.whole(client, one),
            overrides=lambda _: {},
        )

    return held


def of_folder(path: Path) -> Source:
    """Return what lies at a path: a store, a build or a decision in it.

    Raises:
        EvidenceError: it cannot be listed; a revocation or the log was altered.
    """
    from sbomgate.evidence import layout, log

    inside = layout.is_build(path)
    store = layout.store_of(path) if inside else path
    only = path.name if path.parent.name == "decisions" else None
    builds = (path.parent.parent if only else path,) if inside else layout.scan(path).builds
    return Source(view=log.view(store), builds=tuple(_stored(store, one, only) for one in builds))


def _stored(store: Path, build: Path, only: str | None) -> Callable[[], Held]:
    from sbomgate.evidence import layout, overrides

    def held() -> Held:
        found = layout.read_statements(build)
        return Held(
            statements=tuple(one for one in found if only in (None, one.id)),
            whole=lambda one: layout.read(build / "decisions" / one.id),
            overrides=lambda one: overrides.read(store, one.id),
        )

    return held


def amendments(
    held: Held, view: View, revoking: tuple[SignedRevocation, ...], trust: Trust, env: Environment
) -> Iterator[Amendment]:
    """Yield what was signed about these decisions after them, as far as `verify` would honour it.

    Raises:
        EvidenceError: a statement carries an accepted signer's name on other bytes.
    """
    from sbomgate.evidence.verify import Signed, counted_by, hits
    from sbomgate.inventory.amendments import REVOKED, Amendment
    from sbomgate.model import Verdict

    for one in held.statements:
        failed = one.claimed.verdict is Verdict.DENIED
        bundles = held.overrides(one) if failed and trust.break_glass_hours is not None else {}
        if not revoking and not bundles:
            continue
        signed = counted_by(one, trust.signers)
        if not isinstance(signed, Signed):
            continue
        for revocation in revoking:
            if hits(revocation, signed, view):
                yield Amendment(
                    decision=one.id,
                    word=REVOKED,
                    statement=revocation.id,
                    by=revocation.by.name,
                    at=revocation.said.issued_at,
                    until=None,
                    reason=revocation.said.reason,
                )
        if bundles:
            yield from _overridden(held, one, bundles, view, trust, env)


def _overridden(
    held: Held, one: Statements, bundles: Mapping[str, bytes], view: View, trust: Trust, env: Environment
) -> Iterator[Amendment]:
    from sbomgate import override
    from sbomgate.evidence import overrides
    from sbomgate.inventory.amendments import OVERRIDDEN, Amendment

    revoked = overrides.refusing(one, view.revocations, trust)
    found = override.accepted(
        bundles, trust, decision=one.id, subject=one.claimed.subject, now=env.now, revoked=revoked
    )
    if found.until is None or overrides.never(held.whole(one)):
        return
    last = max(found.signed, key=lambda signed: (signed.said.issued_at, signed.file))
    yield Amendment(
        decision=one.id,
        word=OVERRIDDEN,
        statement=last.file.removesuffix(overrides.SUFFIX),
        by=", ".join(signed.by for signed in found.signed),
        at=last.said.issued_at,
        until=found.until,
        reason=last.said.reason,
    )
