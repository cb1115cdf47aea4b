"""Tell people and programs what was decided, from stored evidence alone: no project, no clock, no network.

`report controls EVIDENCE` says what the evidence supports of SSDF, S2C2F, the Cyber Resilience Act, BSI TR-03183-2,
PCI DSS and SOC 2, requirement by requirement, with the digests: evidence, not certification.

EVIDENCE is one build's folder, one decision's folder, oci:HOST/REPO@sha256:DIGEST (an image, or a build manifest, in a
registry, which is asked for it), or a whole store: then it is told over time. With --trust it is
verified first, as of the time at which it was decided; without, every page says that it was not. Every stored byte is
compared with its digest in any case.

examples:
  sbomgate report evidence/3f/3fa9… --trust trust.toml -o report.html        one build, for a browser or a printer
  sbomgate report evidence --trust trust.toml -o store.html                  all builds: trends, waivers that end
  sbomgate report oci:registry.example/web@sha256:… --trust trust.toml -o report.html
  sbomgate report evidence/3f/3fa9… --trust trust.toml --format markdown     for a job's summary
  sbomgate report evidence/3f/3fa9… --format sarif --lockfile package-lock.json    for code scanning, with lines
  sbomgate report controls evidence/3f/3fa9… --trust trust.toml --format html -o controls.html

exit codes: 0 it was written, whatever the decisions were; 2 it was not, or some of a store cannot be read
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbomgate.cli import _results, _store
from sbomgate.errors import EXIT_ALLOWED, EXIT_NO_DECISION

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from sbomgate.cli._environment import Environment
    from sbomgate.errors import SbomgateError
    from sbomgate.evidence.head import View
    from sbomgate.evidence.record import Record
    from sbomgate.model import Trust
    from sbomgate.report import Report, Standing
    from sbomgate.report._store import StoreReport

HELP = "show what was decided, from stored evidence"
MAX_LOCKFILE_BYTES = 256 << 20  # as `project` reads them


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "evidence",
        nargs="+",
        metavar="[controls] EVIDENCE",
        help="a store, one build's or decision's folder in it, or oci:HOST/REPO@sha256:DIGEST; after `controls` no "
        "store",
    )
    parser.add_argument("--trust", metavar="FILE", help="who and what is accepted: without it nothing is verified")
    parser.add_argument(
        "--format", choices=_results.formats(), help="how it is written (default: html; of controls: text)"
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="write to FILE instead of stdout")
    parser.add_argument("--lockfile", metavar="FILE", help="the lockfile that was decided on, for the lines in it")


def run(args: argparse.Namespace, env: Environment) -> int:
    """Write the report."""
    from sbomgate import files, trust
    from sbomgate.cli import _colour
    from sbomgate.cli._environment import emit, say
    from sbomgate.errors import InputError, UsageError
    from sbomgate.evidence import layout

    about_controls = len(args.evidence) == 2 and args.evidence[0] == "controls"
    if len(args.evidence) > 1 and not about_controls:
        raise UsageError(
            f"got {len(args.evidence)} paths, expected one", where="EVIDENCE", hint="name a store for many"
        )
    accepted = None if args.trust is None else trust.load(args.trust, project_root=None)
    evidence = args.evidence[-1]
    if evidence.startswith(_store.REGISTRY) and "@" in evidence:
        path = _store.pulled_build(evidence, env)
    else:
        _store.must_be_on_disk(evidence, "report")
        path = env.working_directory / evidence
    if about_controls:
        rendered = _controls(layout.read_all(path), path, accepted, args.format or "text")
        emit(rendered.encode("utf-8"), args.output, env)
        return EXIT_ALLOWED
    name = args.format or "html"
    if layout.is_build(path):
        lockfile = None
        if args.lockfile is not None:
            at = env.working_directory / args.lockfile
            lockfile = files.read(at, limit=MAX_LOCKFILE_BYTES, error=InputError)
        rendered = _render(name, [_of(layout.read_all(path), path, accepted, lockfile)])
        _colour.emit(rendered, args.output, env, plain=name != "text")
        return EXIT_ALLOWED
    if args.lockfile is not None:
        raise UsageError(
            "a store is about many lockfiles", where="--lockfile", hint="name one build's folder in the store"
        )
    store = _of_store(path, accepted)
    rendered = _render_store(name, store, path, accepted)
    emit(rendered.encode("utf-8"), args.output, env)
    for build, why in store.broken:
        say(f"error: {build}: {why}")
    return EXIT_NO_DECISION if store.broken else EXIT_ALLOWED


def _render(name: str, reports: list[Report]) -> str:
    from importlib import import_module

    module = import_module(f"sbomgate.report.{name}")
    if name in _results.PLAIN:
        return "\n".join(module.render(report, stored=True) for report in reports)
    rendered: str = module.render(reports)
    return rendered


def _render_store(name: str, store: StoreReport, path: Path, trust: Trust | None) -> str:
    """Return the store's own report, where the format has one; else the newest decision on each project."""
    from importlib import import_module
    from importlib.util import find_spec

    from sbomgate.evidence import layout

    if find_spec(f"sbomgate.report.store_{name}") is not None:
        rendered: str = import_module(f"sbomgate.report.store_{name}").render(store)
        return rendered
    newest = [line.newest for line in store.lines]
    folders = [layout.folder(path, one.build) / "decisions" / one.decision for one in newest]
    return _render(name, [_of(layout.read_all(folder), folder, trust, None) for folder in folders])


def _controls(records: Sequence[Record], path: Path, trust: Trust | None, name: str) -> str:
    """Return what the evidence supports, requirement by requirement."""
    from importlib import import_module
    from importlib.resources import files
    from importlib.util import find_spec

    from sbomgate import conform, decision
    from sbomgate.errors import UsageError
    from sbomgate.report import _controls
    from sbomgate.strict_json import load_object

    if find_spec(f"sbomgate.report.controls_{name}") is None:
        raise UsageError(f"controls are not written as {name}", where="--format", hint="text, markdown or html")
    frameworks = _controls.load(files("sbomgate.report").joinpath(_controls.DATA).read_bytes())
    document = load_object(records[0].blobs[decision.SBOM], decision.SBOM)
    profiles = {}
    for profile in {one.profile for one in frameworks if one.profile}:
        found = conform.judge(document, profile)
        fields = tuple(
            _controls.Field(
                id=one.field.id,
                title=one.field.title,
                level=one.field.level.value,
                applicable=one.applicable,
                present=one.present,
                unknown=one.unknown,
                withheld=one.withheld,
                note=one.field.note,
            )
            for one in found.answers
        )
        profiles[profile] = _controls.Profile(title=found.title, fields=fields, never=found.never)
    made = _controls.controls(_of(records, path, trust, None), frameworks, profiles)
    rendered: str = import_module(f"sbomgate.report.controls_{name}").render(made)
    return rendered


def _of(records: Sequence[Record], path: Path, trust: Trust | None, lockfile: bytes | None) -> Report:
    """Return the report of the first of the decisions at a path; the others on the same artefact may be newer."""
    from sbomgate.cli import _report
    from sbomgate.evidence import layout, log

    build = path.parent.parent if path.parent.name == "decisions" else path
    beside, view = records, None
    if trust is not None:
        if build != path:
            beside = layout.read_all(build)
        if records[0].build.sha256 == build.name and build.parent.name == build.name[:2]:  # it lies in a store
            view = log.view(build.parent.parent)
    return _report.of_record(records[0], _standing(records[0], trust, beside, view), lockfile=lockfile)


def _standing(record: Record, trust: Trust | None, beside: Sequence[Record], view: View | None) -> Standing:
    from sbomgate.cli import _report
    from sbomgate.policy import bundle

    return _report.standing(record, trust, shipped_policy=bundle.shipped().sha256, beside=beside, view=view)


def _of_store(path: Path, trust: Trust | None) -> StoreReport:
    """Read every decision of a store, one build at a time; what cannot be read stops no other.

    Raises:
        EvidenceError: no build lies there: a page about nothing would look like a good one.
    """
    from sbomgate.cli import _report
    from sbomgate.errors import EvidenceError, SbomgateError
    from sbomgate.evidence import layout, log
    from sbomgate.report import _store as reports

    scan = layout.scan(path)
    if not scan.builds:
        raise EvidenceError(
            "no build's evidence lies here",
            where=path.name,
            hint="name the store that `gate` wrote to, or one build's folder in it: the line `Evidence:` has it",
        )
    moments = []
    broken = []
    view = None
    try:
        view = log.view(path)
    except SbomgateError as error:
        broken.append(("log", _below(error, path)))
    for build in scan.builds:
        try:
            records = layout.read_build(build)
            moments += [_report.moment(record, _standing(record, trust, (), view)) for record in records]
        except SbomgateError as error:
            broken.append((f"{build.parent.name}/{build.name}", _below(error, path)))
    return reports.build(moments, broken, [str(one.relative_to(path)) for one in scan.strange])


def _below(error: SbomgateError, store: Path) -> str:
    """Return a message with paths below the store: where that lies is nobody's business (P40)."""
    return str(error).replace(f"{store}/", "")
