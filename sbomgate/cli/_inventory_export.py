"""`inventory export`: packages with their builds as one file, or the SBOMs themselves as one archive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sbomgate.cli import _inventory
from sbomgate.errors import EXIT_ALLOWED, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sbomgate.cli._environment import Environment
    from sbomgate.inventory.answers import Artefact, Found

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a zip can hold: the same SBOMs are the same bytes


def export(args: argparse.Namespace, env: Environment) -> int:
    """Write what the terms ask for to the file."""
    from sbomgate.cli._environment import emit, say
    from sbomgate.inventory import answers, terms

    asked = terms.parse(args.terms)
    writers = {".csv": _csv, ".json": _json, ".parquet": _parquet, ".zip": None}
    suffix = next((suffix for suffix in writers if args.output.endswith(suffix)), None)
    if suffix is None:
        raise UsageError("nothing says how to write it", where=args.output, hint=f"end it in {', '.join(writers)}")
    if suffix == ".zip" and not args.sources:
        raise UsageError(
            "the inventory holds rows and no SBOMs",
            where=args.output,
            hint="add --from STORE, or their folder",
        )
    with _inventory.opened(args, env) as (inventory, engine):
        if suffix == ".zip":
            found = inventory.ask(engine, lambda e: answers.artefacts(e, asked, _inventory.satisfies()))
            data = _zip(found, args.sources, env)
            say(f"{len(found):,} SBOMs")
        else:
            answer = inventory.ask(engine, lambda e: answers.find(e, asked, _inventory.satisfies()))
            write = writers[suffix]
            assert write is not None  # noqa: S101 - the archive was written above
            data = write(answer)
            say(f"{len(answer.hits):,} rows")
    emit(data, args.output, env)
    return EXIT_ALLOWED


def _rows(found: Found) -> Iterator[dict[str, Any]]:
    for hit in found.hits:
        package = _inventory.columns(hit.package, list(hit.package))
        yield package | _inventory.columns(hit.artefact.build, list(hit.artefact.build))


def _csv(found: Found) -> bytes:
    import csv
    import io

    from sbomgate.cli._inventory_find import cell
    from sbomgate.inventory.rows import COLUMNS

    names = [name for name in COLUMNS if name != "build"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for row in _rows(found):
        values = (" ".join(value) if isinstance(value := row[name], list) else value for name in names)
        writer.writerow([cell(value) if isinstance(value, str) else value for value in values])
    return text.getvalue().encode()


def _json(found: Found) -> bytes:
    from sbomgate.report.escape import document

    value = {"schema": "sbomgate/inventory-export/v1", "rows": list(_rows(found)), "notes": list(found.notes)}
    return document(value).encode() + b"\n"


def _parquet(found: Found) -> bytes:
    import tempfile
    from pathlib import Path

    import orjson

    from sbomgate.inventory.engines.duck import Writer

    with tempfile.TemporaryDirectory() as folder:
        lines, target = Path(folder, "rows.json"), Path(folder, "rows.parquet")
        lines.write_bytes(orjson.dumps(list(_rows(found))))
        writer = Writer(Path(folder))
        writer.write(lines, target)
        writer.close()
        return target.read_bytes()


def _zip(found: Sequence[Artefact], sources: Sequence[str], env: Environment) -> bytes:
    """Return an archive of the SBOMs, each with the digest that the inventory knows it by.

    Raises:
        UsageError: one is in none of the sources, or nothing is asked for.
    """
    import io
    import re
    import zipfile

    if not found:
        raise UsageError("no build is asked for", hint="`inventory find` shows what a term finds")
    wanted = {artefact.build["sbom"]: artefact for artefact in found}
    held = dict(_sboms(sources, wanted, env))
    if missing := sorted(set(wanted) - set(held)):
        raise UsageError(
            f"{len(missing):,} of {len(wanted):,} SBOMs are not there: {wanted[missing[0]].build['project']}, "
            f"sha256:{missing[0]}",
            where="--from",
            hint="name every store and folder that was added",
        )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for sha256 in sorted(held):
            build = wanted[sha256].build
            name = "-".join(filter(None, (build["project"], build["project_version"], build["workspace"])))
            name = re.sub(r"[^A-Za-z0-9._-]+", "_", name)[:100].lstrip("._-") or "sbom"
            suffix = "xml" if held[sha256].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else "json"
            archive.writestr(zipfile.ZipInfo(f"{name}-{sha256[:12]}.cdx.{suffix}", _EPOCH), held[sha256])
    return file.getvalue()


def _sboms(sources: Sequence[str], wanted: Any, env: Environment) -> Iterator[tuple[str, bytes]]:
    """Yield digest and bytes of the wanted SBOMs; the bytes were hashed."""
    import hashlib

    from sbomgate import files
    from sbomgate.cli import _inventory_add
    from sbomgate.decision import SBOM
    from sbomgate.errors import InputError
    from sbomgate.evidence import layout

    def of(path: Path) -> Iterator[bytes]:
        if not _inventory_add.is_evidence(path):
            for file in _inventory_add.files_of(path):
                yield files.read(file, limit=_inventory_add.MAX_SBOM_BYTES, error=InputError)
            return
        for build in _inventory_add.builds_of(path):
            for statements in layout.read_statements(build):
                if (sha256 := statements.claimed.sha256[SBOM]) in wanted:
                    at = build / "blobs" / "sha256" / sha256
                    yield files.read(at, limit=_inventory_add.MAX_SBOM_BYTES, error=InputError)

    for source in sources:
        for data in of(env.working_directory / source):
            sha256 = hashlib.sha256(data).hexdigest()
            if sha256 in wanted:
                yield sha256, data
