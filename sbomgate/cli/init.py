"""Take sbomgate into a project: its settings, a trust file outside of it, the CI template, and a first baseline.

Nothing that exists is overwritten: it is kept, and what would differ is shown. Twice is as once. The trust file and the
key that signs the first baseline lie beside the repository, in FOLDER-trust: what is trusted must not be what whoever
changes the project can change. `--trust FILE` names your organisation's own; then only `--key` signs a baseline.

The baseline is the first decision about what the lockfile holds today, signed: later ones deny what is new since. It
asks the registries as `check` does.

examples:
  sbomgate init --dry-run                     what it finds, and what it would write
  sbomgate init                               settings, trust file, CI template, first baseline
  sbomgate init --harden                      also: no install scripts, a minimum release age, exact saves
  sbomgate init web --ci gitlab               a project in web/, with the template for GitLab
  sbomgate init --trust /etc/sbomgate/trust.toml --key ../release.key
  sbomgate init --offline                     the baseline from caches alone: what is not known there is unknown

exit codes: 0 done, and the first decision allows; 1 done, and it denies: there is no baseline yet; 2 not done
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sbomgate.errors import EXIT_ALLOWED, EXIT_DENIED, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from sbomgate.adoption.found import Found, Manager
    from sbomgate.adoption.hardening import Hardening
    from sbomgate.cli._environment import Environment
    from sbomgate.cli._project import Project
    from sbomgate.model import DependencyGraph, Trust
    from sbomgate.project import DiskFiles

HELP = "take sbomgate into a project"
TEMPLATES = ("github", "gitlab", "azure", "jenkins")  # as in adoption.found, which `--help` need not import
NONE = "none"
BASELINE_KEY = "baseline.key"  # decides for the environment `proposal.BOOTSTRAP` alone
RELEASE_KEY = "release.key"
MAX_DIFF = 16  # lines of a difference that are shown for each file
MAX_KEPT_BYTES = 4 << 20  # of a file that is there already


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("path", nargs="?", default=".", help="the project's folder, or its lockfile (default: here)")
    parser.add_argument("--dry-run", action="store_true", help="say what would be written, and write nothing")
    parser.add_argument(
        "--harden", action="store_true", help="write hardened settings into the package manager's own file"
    )
    parser.add_argument("--ci", choices=(*TEMPLATES, NONE), help="the CI system (default: the one that is found)")
    parser.add_argument(
        "--trust",
        metavar="FILE",
        help="the trust file, outside the repository (default: FOLDER-trust/trust.toml beside it); made if absent",
    )
    parser.add_argument("--key", metavar="FILE", help="what signs the baseline, where the trust file is there already")
    parser.add_argument("--no-baseline", action="store_true", help="decide nothing now")
    parser.add_argument("--offline", action="store_true", help="no network for the baseline's facts")


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A file that there shall be: `before` is what there is, `why` what it is for."""

    path: Path
    shown: str
    before: bytes | None
    after: bytes
    why: str
    edits: bool = False
    mode: int = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trust:
    """Where the trust file lies, whether it is there, and the private key that signs the baseline."""

    path: Path
    exists: bool
    key: Path | None


def run(args: argparse.Namespace, env: Environment) -> int:
    """Look, say, write, decide."""
    from sbomgate import lockfiles
    from sbomgate.adoption import found as looking
    from sbomgate.adoption import hardening
    from sbomgate.cli import _worktree
    from sbomgate.cli._project import open_project
    from sbomgate.model import SBOM_KIND
    from sbomgate.project import DiskFiles

    opened = open_project(args.path, env)
    graph = lockfiles.read(opened.files, opened.lockfile)
    if graph.lockfile.kind == SBOM_KIND:
        raise UsageError("an SBOM, expected a project", where=args.path, hint="name the project's folder")
    repository = DiskFiles(opened.files.repository)
    config = _worktree.config(opened.files.repository)
    found = looking.look(
        graph,
        opened.files,
        repository,
        manager=_manager(looking.manager(graph, opened.files), env, opened),
        origin=None if config is None else looking.origin(config),
    )
    system = None if args.ci == NONE else args.ci or next(iter(found.systems), None)
    trust = _where(args, env, opened, found, system)
    hard = hardening.plan(found.manager, opened.files, minimum_age_hours=_minimum_age())
    written = [*_project_files(opened), *_templates(repository, system, found.manager)]
    if args.harden and hard.after is not None:
        written.append(_hardened(opened, hard))
    for line in _told(found, system, asked=args.ci):
        print(line)
    print()
    for file in written:
        for line in _apply(file, dry_run=args.dry_run):
            print(line)
    for line in _hardening(hard, asked=args.harden, found=found):
        print(line)
    _trust_file(args, env, trust, found, system)
    code = EXIT_ALLOWED
    if not args.no_baseline:
        code = _baseline(args, env, opened, graph, trust, found)
    print()
    for line in _next(env, opened, trust, found, system, dry_run=args.dry_run, denied=code == EXIT_DENIED):
        print(line)
    return code


# --------------------------------------------------------------------------------------------------------------------
# What is there


def _manager(found: Manager, env: Environment, opened: Project) -> Manager:
    """Return the manager with the version of the program on PATH, where the project names none."""
    from dataclasses import replace

    from sbomgate.adoption.found import parse_version
    from sbomgate.cli import _programs

    if found.version is not None:
        return found
    program = _programs.on_path(found.name.partition("-")[0], env, opened.files.repository)
    said = None if program is None else _programs.version(program, env=env)
    version = None if said is None else parse_version(said)
    if (
        version is None
        or (found.name == "yarn" and version[0] < 2)
        or (found.name == "yarn-classic" and version[0] > 1)
    ):
        return found  # another program under the same name
    return replace(found, version=version, source="the one on PATH")


def _told(found: Found, system: str | None, *, asked: str | None) -> Iterator[str]:
    from sbomgate.adoption.found import SYSTEMS
    from sbomgate.report.escape import plain

    title = " ".join(
        filter(None, (plain(found.name or "(unnamed project)", 80), plain(found.project_version or "", 40)))
    )
    version = "" if found.manager.version is None else " " + ".".join(map(str, found.manager.version))
    by = f"{found.manager.name}{version}" + (
        f", by {found.manager.source}" if found.manager.source else ", version unknown"
    )
    spaces = f" · {found.workspaces} of them {'a workspace' if found.workspaces == 1 else 'workspaces'}"
    packages = "1 package" if found.packages == 1 else f"{found.packages} packages"
    yield f"Found    {title} · {plain(found.lockfile)} · {packages}{spaces if found.workspaces else ''} · {plain(by)}"
    if found.others:
        yield f"         beside it {', '.join(found.others)}: whoever installs from there installs something else"
    for scope, url in found.registries.items():
        yield f"         registry {plain(url)}" + (f" for {plain(scope)}" if scope else " for everything")
    if found.first_party:
        yield f"         your own scopes, it seems: {plain(', '.join(found.first_party))}"
    where = f"repository {found.repository}" if found.repository else "no remote `origin` with an address"
    ci = SYSTEMS[system] if system else "no template asked for" if asked == NONE else "no CI system with a template"
    more = [SYSTEMS[name] for name in found.systems if name != system] + list(found.strangers)
    yield f"         {where} · {ci}" + (f" (also there: {', '.join(more)})" if more else "")


def _minimum_age() -> float:
    """Return the hours that the rule release_age waits for, as shipped."""
    from sbomgate.policy import parameters
    from sbomgate.resources import path as resource

    catalogue = parameters.declared(resource(*parameters.CATALOGUE).read_bytes())
    return float(catalogue["release_age"]["minimum_age_hours"]["default"])


# --------------------------------------------------------------------------------------------------------------------
# What is written


def _project_files(opened: Project) -> Iterator[_File]:
    from sbomgate import config
    from sbomgate.adoption import proposal
    from sbomgate.cli._decide import CONFIG
    from sbomgate.resources import path as resource

    yield _file(opened.files, CONFIG, proposal.config().encode(), "what this project demands of itself")
    schema = resource(*config.SCHEMA).read_bytes()
    yield _file(opened.files, proposal.SCHEMA_COPY, schema, "its schema, for editors")


def _templates(repository: DiskFiles, system: str | None, manager: Manager) -> Iterator[_File]:
    from sbomgate import files
    from sbomgate.adoption import proposal
    from sbomgate.adoption.found import SYSTEMS
    from sbomgate.resources import path as resource

    if system is None:
        return
    folder = resource("ci-templates", system)
    for path in files.below(folder, error=UsageError):
        name = proposal.destination(system, path.relative_to(folder).as_posix())
        data = proposal.template(path.read_bytes(), manager)
        yield _file(repository, name, data, f"template for {SYSTEMS[system]}")


def _file(files: DiskFiles, name: str, data: bytes, why: str) -> _File:
    """Return a file that there shall be.

    Raises:
        UsageError: a link lies on the way to it: what it leads to may be anything.
    """
    if files.is_link(name):
        raise UsageError(
            "is a symbolic link, or lies behind one", where=name, hint="replace the link by what it leads to"
        )
    return _File(path=files.root / name, shown=name, before=files.read(name), after=data, why=why)


def _hardened(opened: Project, hard: Hardening) -> _File:
    from dataclasses import replace

    why = ", ".join(one.line for one in hard.added)
    return replace(_file(opened.files, hard.path, hard.after or b"", why), edits=True)


def _apply(file: _File, *, dry_run: bool) -> Iterator[str]:
    """Write a file that is not there, or that may be edited; yield what became of it."""
    from sbomgate.report.escape import plain

    shown = plain(file.shown)
    if file.before == file.after:
        yield f"Kept     {shown}: is as it would be written"
    elif file.before is not None and not file.edits:
        yield f"Kept     {shown}: is there; what would be written differs (- there, + proposed):"
        yield from _difference(file.before, file.after)
    else:
        verb = (
            ("Would add to" if file.edits and file.before is not None else "Would write")
            if dry_run
            else ("Added to" if file.edits and file.before is not None else "Wrote")
        )
        if not dry_run:
            _write(file)
        yield f"{verb:<8} {shown}: {file.why}"


def _write(file: _File) -> None:
    from sbomgate.cli._environment import write_atomically

    try:
        file.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file.path, file.after)
    except OSError as error:
        raise UsageError(
            f"cannot be written: {(error.strerror or str(error)).lower()}",
            where=file.shown,
            hint="give this user the right to write there, and run it again: what is written already stays",
        ) from error


def _difference(before: bytes, after: bytes) -> Iterator[str]:
    import difflib

    from sbomgate.report.escape import plain

    if len(before) > MAX_KEPT_BYTES:
        yield f"           {len(before):,} bytes: too large to be compared"
        return
    old, new = (text.decode("utf-8", "replace").splitlines() for text in (before, after))
    lines = [
        line for line in difflib.unified_diff(old, new, lineterm="", n=0) if not line.startswith(("---", "+++", "@@"))
    ]
    for line in lines[:MAX_DIFF]:
        yield f"           {plain(line, 110)}"
    if len(lines) > MAX_DIFF:
        yield f"           … and {len(lines) - MAX_DIFF} more lines"


def _hardening(hard: Hardening, *, asked: bool, found: Found) -> Iterator[str]:
    """Yield what is offered for the package manager's own file, and what is not."""
    from sbomgate.report.escape import plain

    for key, value in hard.kept.items():
        yield f"Kept     {hard.path}: {key} is {plain(value, 80)!r} there, which is not what would be proposed"
    if not asked and hard.added:
        yield f"Offered  {hard.path}, by `sbomgate init --harden`:"
        for one in hard.added:
            yield f"           {one.line:<28} {one.why}"
    elif not hard.added and not hard.kept and not hard.notes:
        yield f"Kept     {hard.path}: {found.manager.name} is hardened already"
    for note in hard.notes:
        yield f"Not      {plain(note)}"


# --------------------------------------------------------------------------------------------------------------------
# Trust and the baseline


def _where(args: argparse.Namespace, env: Environment, opened: Project, found: Found, system: str | None) -> _Trust:
    """Return where the trust file lies: outside the repository under test (P21).

    Raises:
        UsageError: it would lie inside; or two keys are meant.
        TrustError: the one that is there cannot be used.
    """
    import os

    from sbomgate import trust as trust_file
    from sbomgate.adoption import proposal

    root = opened.files.repository
    default = root.parent / f"{root.name}-trust" / "trust.toml"
    path = default if args.trust is None else env.working_directory / args.trust.partition("@sha256:")[0]
    exists = os.path.lexists(path)
    if not exists and (path.parent.resolve() == root or root in path.parent.resolve().parents):
        raise UsageError(
            "lies in the repository under test, where whoever changes the project could accept himself",
            where=str(args.trust),
            hint="give a place outside of it, or leave --trust out",
        )
    if exists:
        trust_file.load(args.trust if args.trust is not None else str(path), project_root=root)
    key = None if args.key is None else env.working_directory / args.key
    if key is None:
        name = BASELINE_KEY if proposal.identity(found, system) else RELEASE_KEY
        beside = [path.parent / other for other in (BASELINE_KEY, RELEASE_KEY)]
        # Only a key that `init` made is taken without being asked for: beside the trust file that it made.
        key = next((other for other in beside if other.is_file()), None) if exists else path.parent / name
        key = key if args.trust is None or not exists else None
    elif not exists:
        raise UsageError(
            "names a key for a trust file that is not there", where="--key", hint="leave it out: one is made"
        )
    return _Trust(path=path, exists=exists, key=key)


def _trust_file(args: argparse.Namespace, env: Environment, trust: _Trust, found: Found, system: str | None) -> bool:
    """Make the trust file and the key that it accepts, where there is none; return whether there is one now."""
    import os

    from sbomgate.adoption import proposal
    from sbomgate.cli._environment import discreet
    from sbomgate.signing import local_key

    shown = discreet(_relative(trust.path, env))
    if trust.exists:
        print(f"Kept     {shown}: the trust file, outside the repository")
        return True
    assert trust.key is not None  # noqa: S101  `_where` names one where there is no trust file
    key = discreet(_relative(trust.key, env))
    if args.dry_run:
        print(f"Would write {shown}: who and what is accepted, outside the repository")
        print(f"Would write {key}: a key that signs, and its public half {key}.pub")
        return False
    try:
        trust.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.path.lexists(trust.key):
            made = local_key.load(trust.key, password=env.variables.get(local_key.PASSWORD))
            if not os.path.lexists(local_key.public_path(trust.key)):  # killed between the two
                local_key.write_public(made, trust.key)
        else:
            made = local_key.generate(trust.key, password=env.variables.get(local_key.PASSWORD))
    except OSError as error:
        raise UsageError(
            f"cannot be made: {(error.strerror or str(error)).lower()}",
            where=discreet(str(trust.path.parent)),
            hint="name a place outside the repository that this user can write to: --trust FILE",
        ) from error
    text = proposal.trust(found, system, public_key=made.public_key)
    _write(_File(path=trust.path, shown=shown, before=None, after=text.encode(), why=""))
    print(f"Wrote    {shown}: who and what is accepted, outside the repository: no change of the project changes it")
    print(f"Wrote    {key}: the key that signs, readable by you alone, and its public half")
    return True


def _baseline(
    args: argparse.Namespace,
    env: Environment,
    opened: Project,
    graph: DependencyGraph,
    trust: _Trust,
    found: Found,
) -> int:
    """Sign the first decision, where there is none that the trust file accepts; return its exit code."""
    from sbomgate import cli
    from sbomgate.adoption import proposal
    from sbomgate.cli import _decide

    store = env.working_directory / _decide.DEFAULT_STORE
    if trust.exists and _has_baseline(args, env, opened, graph, trust, store):
        print(f"Kept     {_decide.DEFAULT_STORE}/: holds an accepted decision on this project, the baseline")
        return EXIT_ALLOWED
    if args.dry_run:
        print(f"Would write {_decide.DEFAULT_STORE}/: the first decision, signed: the baseline")
        return EXIT_ALLOWED
    if trust.key is None:
        print("Not      the baseline: whoever signs by this trust file gates the project once, or give --key FILE")
        return EXIT_ALLOWED
    lockfile = opened.root / graph.lockfile.path
    given = [
        "gate", args.path, "--subject", f"file:{_relative(lockfile, env)}",
        "--trust", args.trust or str(trust.path), "--key", str(trust.key),
    ]  # fmt: skip
    if found.repository and not trust.exists:
        given += ["--repository", found.repository]
    elif (accepted := _accepted(args, opened, trust).repository) is not None:
        given += ["--repository", accepted]
    if trust.key.name == BASELINE_KEY:  # made here, for this alone
        given += ["--environment", proposal.BOOTSTRAP]
    if args.offline:
        given.append("--offline")
    asked = cli.parser("gate").parse_args(given)
    print(f"\nThe first decision, on what {graph.lockfile.path} holds today:")
    if trust.key.name == BASELINE_KEY:
        print(
            "(later ones are compared with it; it is no release, so `verify` will refuse it, which a warning repeats)"
        )
    print(flush=True)
    return int(asked.run(asked, env))


def _accepted(args: argparse.Namespace, opened: Project, trust: _Trust) -> Trust:
    from sbomgate import trust as trust_file

    return trust_file.load(args.trust or str(trust.path), project_root=opened.files.repository)


def _has_baseline(
    args: argparse.Namespace, env: Environment, opened: Project, graph: DependencyGraph, trust: _Trust, store: Path
) -> bool:
    from sbomgate import project
    from sbomgate.evidence import baseline as baselines
    from sbomgate.model import Claimed, Context

    accepted = _accepted(args, opened, trust)
    if not store.exists() or not accepted.signers:
        return False
    context = Context(
        evaluated_at=env.now,
        profile="default",
        lockfile_path=project.path_in_repository(opened.files, graph.lockfile.path),
        repository=None if accepted.repository is None else Claimed(value=accepted.repository, source="flag"),
    )
    candidates = baselines.read(store)
    found = baselines.baseline(candidates, context, graph.packages[0].name, signers=accepted.signers, now=env.now)
    return found.evidence is not None


def _next(
    env: Environment,
    opened: Project,
    trust: _Trust,
    found: Found,
    system: str | None,
    *,
    dry_run: bool,
    denied: bool,
) -> Iterator[str]:
    """Yield what a person does now, in order."""
    from sbomgate.adoption import proposal
    from sbomgate.cli import _decide
    from sbomgate.cli._environment import discreet
    from sbomgate.report.escape import plain

    if dry_run:
        yield "Next     run it again without --dry-run"
        return
    shown = discreet(_relative(trust.path, env))
    steps = [
        f"read {shown}, and uncomment what is yours; it belongs where only those who answer for releases can change it",
        f"sbomgate check --trust {shown} --verbose    what warns, and the lines that approve an install script",
        "commit sbomgate.toml, .sbomgate/ and evidence/: the next build is compared with that decision",
    ]
    if denied:  # such a decision is nobody's baseline
        steps[1:] = [
            "put right what is denied above, and run `sbomgate init` again: it then signs the baseline",
            "commit sbomgate.toml and .sbomgate/, and evidence/ once there is a baseline",
        ]
    if trust.path.is_file():
        import hashlib

        digest = hashlib.sha256(trust.path.read_bytes()).hexdigest()
        steps.append(
            f"for CI commit a copy as .sbomgate/trust.toml, and note outside the repository what it has to be:\n"
            f"           SBOMGATE_TRUST=.sbomgate/trust.toml@sha256:{digest}"
        )
    steps += proposal.ci_steps(system, found)
    root = opened.files.repository.resolve()
    if system is not None and opened.root.resolve() != root:
        steps.append(
            f"tell the template the project's folder: {plain(opened.root.resolve().relative_to(root).as_posix())}"
        )
    if system is not None and env.working_directory.resolve() != root:
        steps.append(
            f"move {_decide.DEFAULT_STORE}/ to the repository's root: the template runs there, and compares with it"
        )
    number = 0
    for step in steps:
        number += not step.startswith("  ")
        mark = "  " if step.startswith("  ") else f"{number}."
        yield f"{'Next' if step is steps[0] else '':<8} {mark} {step.strip()}"


def _relative(path: Path, env: Environment) -> str:
    """Return a path as a person in the working directory would write it."""
    import os

    try:
        shown = os.path.relpath(path.resolve(), env.working_directory.resolve())
    except ValueError:  # another drive
        return str(path)
    return shown if not shown.startswith(str(Path("..", "..", ".."))) else str(path)
