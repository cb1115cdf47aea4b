"""`inventory add`, `rebuild`, `compact`; and what `gate --inventory` does after each decision."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sbomgate.cli import _inventory
from sbomgate.errors import EXIT_ALLOWED, EXIT_NO_DECISION

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from sbomgate.cli._environment import Environment
    from sbomgate.cli._inventory_evidence import Held
    from sbomgate.evidence.record import Record, Statements
    from sbomgate.inventory.amendments import Amendment, Look
    from sbomgate.inventory.folder import Folder
    from sbomgate.model import DependencyGraph, PackageFacts, Trust

    Rows = list[dict[str, Any]]

BATCH = 100  # builds that are written before the folder is synced: what a kill may lose was not yet reported
MAX_SBOM_BYTES = 1 << 28  # 100,000 components; `lockfiles` has the same limit
MAX_FILES = 1_000_000  # files of a folder of SBOMs


def add(args: argparse.Namespace, env: Environment) -> int:
    """Add builds; all that can be, whatever cannot."""
    inventory = _inventory.folder(args, env)
    inventory.create()
    return _fill(inventory, args, env)


def rebuild(args: argparse.Namespace, env: Environment) -> int:
    """Make it again of what is given; deployments stay, and what `gate` adds meanwhile."""
    from sbomgate.errors import EvidenceError

    inventory = _inventory.folder(args, env)
    inventory.create()
    with inventory.rebuilding() as fresh:
        if _fill(fresh, args, env) != EXIT_ALLOWED:
            raise EvidenceError("not rebuilt, something could not be read: it is as it was", where=args.inventory)
    return EXIT_ALLOWED


def compact(args: argparse.Namespace, env: Environment) -> int:
    """Make one segment of everything."""
    from sbomgate.cli._environment import say

    inventory = _inventory.folder(args, env)
    _must_exist(inventory, args)
    rows = inventory.compact(everything=True)
    say(f"{rows:,} rows rewritten" if rows else "nothing to do")
    return EXIT_ALLOWED


def push(args: argparse.Namespace, env: Environment) -> int:
    """Copy what counts now into object storage."""
    from sbomgate.cli._environment import discreet

    inventory = _inventory.folder(args, env)
    _must_exist(inventory, args)
    pushed = _inventory.bucket(args.target).push(inventory)
    print(
        discreet(
            f"{pushed.builds:,} builds in {args.target}: {pushed.sent:,} files sent, {pushed.there:,} there already"
        )
    )
    return EXIT_ALLOWED


def _must_exist(inventory: Folder, args: argparse.Namespace) -> None:
    from sbomgate.errors import UsageError

    if not inventory.exists():
        raise UsageError("no inventory here", where=args.inventory, hint="make one with `sbomgate inventory add`")


def after_gate(inventory: Folder, record: Record, trust: Trust) -> None:
    """Add the decision that was just stored. It is stored and printed whatever becomes of this.

    A line on stderr says what went wrong: the inventory is derived, and `inventory add` makes up for it.
    """
    from sbomgate.cli._environment import say
    from sbomgate.errors import SbomgateError

    try:
        inventory.create()
        inventory.add([_of_record(record, trust)])
        inventory.compact_if_due()
    except SbomgateError as e:
        say(f"warning: not in the inventory: {e}")
        say("  hint: the evidence is stored; `sbomgate inventory add STORE` adds it")


def _fill(inventory: Folder, args: argparse.Namespace, env: Environment) -> int:
    from sbomgate import trust as trust_file
    from sbomgate.cli._environment import say
    from sbomgate.inventory import rows as inventory_rows

    trust = trust_file.NOBODY if args.trust is None else trust_file.load(args.trust, project_root=None)
    engine = inventory.reader()
    standing: dict[int, str] = dict(inventory.ask(engine, lambda e: e.query("SELECT build, standing FROM build")))
    engine.close()
    reading = _Reading(env=env, trust=trust, known=set(standing))
    unverified = added = there = amended = 0
    batch: list[tuple[int, Rows]] = []

    def keep() -> None:
        nonlocal added, amended, batch
        # First what is revoked: no reader sees it as PASSED.
        amended += inventory.amend(reading.amended)
        reading.amended.clear()
        inventory.add(batch)
        added += len(batch)
        batch = []
        inventory.compact_if_due()

    for key, rows in _additions(args.sources, reading):
        if key in reading.known:
            there += 1
            unverified += standing.get(key) == inventory_rows.UNVERIFIED
            continue
        reading.known.add(key)
        batch.append((key, rows))
        if len(batch) == BATCH:
            keep()
    keep()
    if unverified and trust.signers:
        say(f"note: {unverified:,} of them are labelled unverified from before: `inventory rebuild` labels them anew")
    for note in reading.notes:
        say(f"note: {note}")
    for problem in reading.failed:
        say(f"error: {problem}")
    more = f", {amended:,} revocations and overrides" if amended else ""
    failed = f", {len(reading.failed):,} not read" if reading.failed else ""
    print(f"{added:,} builds added, {there:,} there already{more}{failed}")
    return EXIT_NO_DECISION if reading.failed else EXIT_ALLOWED


@dataclass(slots=True, kw_only=True)
class _Reading:
    """What is known while sources are read: the builds' keys, what cannot be read, what is told, what is amended."""

    env: Environment
    trust: Trust
    known: set[int]
    failed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    amended: list[Amendment | Look] = field(default_factory=list)


def _additions(sources: Iterable[str], reading: _Reading) -> Iterator[tuple[int, Rows]]:
    """Yield what the sources hold: rows, or none where the key is known. What cannot be read is told in `failed`."""
    from sbomgate.cli._environment import discreet, say
    from sbomgate.errors import SbomgateError, UsageError
    from sbomgate.inventory.amendments import Look

    if not reading.trust.signers:
        say("note: without --trust nobody is accepted: evidence is labelled unverified, and no revocation counts")
    for source in sources:
        is_registry = source.startswith("oci:")
        path = reading.env.working_directory / source
        if not is_registry and not path.exists():
            raise UsageError(
                "no such file or folder",
                where=source,
                hint="give a store, oci:HOST/REPO, a folder of SBOMs, or an SBOM",
            )
        before, found, holds_evidence = len(reading.failed), 0, False
        try:
            holds_evidence = is_registry or is_evidence(path)
            for addition in _of_source(source, path, reading) if holds_evidence else _of_files(path, reading):
                found += 1
                yield addition
        except SbomgateError as e:
            reading.failed.append(str(e))
        if not found and len(reading.failed) == before:
            reading.failed.append(f"{source}: holds neither evidence nor an SBOM")
        is_one = "@" in source if is_registry else path.parent.name == "decisions" or (path / "oci-layout").exists()
        if holds_evidence and not is_one and reading.trust.signers and len(reading.failed) == before:
            reading.amended.append(Look(source=discreet(source), at=reading.env.now))


def _of_source(source: str, path: Path, reading: _Reading) -> Iterator[tuple[int, Rows]]:
    """Yield what a store or a registry holds; one build that cannot be read stops none of the others."""
    from sbomgate.cli import _inventory_evidence
    from sbomgate.errors import SbomgateError
    from sbomgate.evidence.revocation import accepted_of

    with ExitStack() as stack:
        if source.startswith("oci:"):
            held = stack.enter_context(_inventory_evidence.of_registry(source, reading.env))
        else:
            held = _inventory_evidence.of_folder(path)
        revoking, refused = accepted_of(held.view.revocations, reading.trust.signers)
        reading.notes += refused
        for open_build in held.builds:
            try:
                one = open_build()
                reading.amended += _inventory_evidence.amendments(one, held.view, revoking, reading.trust, reading.env)
                yield from _of_build(one, reading)
            except SbomgateError as e:
                reading.failed.append(str(e))


def _of_files(path: Path, reading: _Reading) -> Iterator[tuple[int, Rows]]:
    from sbomgate.errors import SbomgateError

    for file in files_of(path):
        try:
            yield from _of_file(file, path, reading.notes, reading.known)
        except SbomgateError as e:
            reading.failed.append(str(e))


def is_evidence(path: Path) -> bool:
    """Whether a path is a store, one build in it or one decision, rather than SBOMs."""
    from sbomgate.evidence import layout

    if path.parent.name == "decisions" or (path / "oci-layout").exists():  # an index.json may be anybody's
        return True
    return path.is_dir() and bool(layout.scan(path).builds)


def builds_of(path: Path) -> tuple[Path, ...]:
    """Return the folders of the builds, or of the one decision, at such a path."""
    from sbomgate.evidence import layout

    return (path,) if layout.is_build(path) else layout.scan(path).builds


def _of_build(held: Held, reading: _Reading) -> Iterator[tuple[int, Rows]]:
    from sbomgate.inventory import rows as inventory_rows

    statements = held.statements
    if len({one.id for one in statements}) < len(statements):
        statements = tuple(sorted(statements, key=lambda one: not _is_signed(one, reading.trust)))
    for one in statements:
        key = inventory_rows.key_of(one.id)
        yield (key, []) if key in reading.known else _of_record(held.whole(one), reading.trust, reading.notes)


def _is_signed(one: Statements, trust: Trust) -> bool:
    """Whether an accepted signer signed it: in a registry anybody can attach another summary to a decision."""
    from sbomgate.evidence.verify import Signed, signed_by

    return isinstance(signed_by(one, trust.signers), Signed)


def _of_record(record: Record, trust: Trust, notes: list[str] | None = None) -> tuple[int, Rows]:
    """Return key and rows of a decision, read from the very bytes that are its evidence."""
    from sbomgate import decision, sbom
    from sbomgate.evidence.verify import Reason, counted_by
    from sbomgate.inventory import rows as inventory_rows
    from sbomgate.policy import lists

    signer = None
    if trust.signers:
        found = counted_by(record, trust.signers)
        if isinstance(found, Reason):
            if notes is not None:
                notes.append(f"decision {record.id[:12]} is unverified: {found.message}")
        else:
            signer = found.signer.name
    bom = sbom.read(record.blobs[decision.SBOM])
    build = inventory_rows.of_decision(record.claimed, record.id, bom, signer=signer)
    return build.key, inventory_rows.rows(build, bom.graph, bom.facts, lists.addressed)


# --------------------------------------------------------------------------------------------------------------------
# SBOMs on their own


def files_of(path: Path) -> Iterator[Path]:
    """Yield the files that may be SBOMs, sorted; links are not followed out of the folder."""
    from pathlib import Path as PathOf

    from sbomgate.errors import UsageError

    if not path.is_dir():
        yield path
        return
    count = 0
    for parent, folders, names in os.walk(path, onerror=_raise):
        folders.sort()
        for name in sorted(names):
            if name.lower().endswith((".json", ".xml")):
                count += 1
                if count > MAX_FILES:
                    raise UsageError(f"more than {MAX_FILES:,} files", where=str(path), hint="give smaller folders")
                yield PathOf(parent, name)


def _raise(e: OSError) -> None:
    from sbomgate.errors import UsageError

    raise UsageError(f"cannot be read: {(e.strerror or str(e)).lower()}", where=str(e.filename)) from e


def _of_file(file: Path, root: Path, notes: list[str], known: set[int]) -> Iterator[tuple[int, Rows]]:
    import hashlib

    from sbomgate import files
    from sbomgate.errors import InputError
    from sbomgate.inventory import rows as inventory_rows
    from sbomgate.policy import lists

    data = files.read(file, limit=MAX_SBOM_BYTES, error=InputError)
    # Without its zeros: one in UTF-16 is an SBOM that cannot be read, and not something else.
    if root != file and b"cyclonedx" not in data.replace(b"\0", b"").lower():
        notes.append(f"{file.relative_to(root)} is no CycloneDX SBOM")
        return
    sha256 = hashlib.sha256(data).hexdigest()
    key = inventory_rows.key_of(sha256)
    if key in known:
        yield key, []
        return
    graph, facts = read_sbom(file.name, data)
    build = inventory_rows.of_sbom(graph, sha256, made=_made(data))
    yield key, inventory_rows.rows(build, graph, facts, lists.addressed)


def read_sbom(name: str, data: bytes) -> tuple[DependencyGraph, Mapping[str, PackageFacts]]:
    """Return the graph of an SBOM, and the facts in it where it is one of ours."""
    from sbomgate import lockfiles, sbom
    from sbomgate.project import MemoryFiles

    if sbom.is_ours(data):
        read = sbom.read(data)
        return read.graph, read.facts
    return lockfiles.read_sbom(MemoryFiles({name: data}), name), {}


def _made(data: bytes) -> datetime | None:
    """Return the timestamp of an SBOM in JSON, where it has a good one."""
    import orjson

    from sbomgate.times import parse_time

    try:
        return parse_time(orjson.loads(data)["metadata"]["timestamp"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
