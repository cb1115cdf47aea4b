"""Find the smallest change of versions that makes the decision pass, and prove it.

It pins what is denied: to the version of the last approved build, else to the newest that the dependants' ranges
allow and that is old enough, else to an older one; in package.json, and by overrides (npm, bun, pnpm) or resolutions
(yarn). The real package manager then makes the lockfile, in a copy without scripts and without the project's own
settings and manager code, and the result is judged again. Only what is allowed is proposed; nothing is installed.
What is denied for more than a debt may have been installed before: stderr says what is left to do then, builds to
redeploy, caches to purge, machines whose credentials to rotate.

examples:
  sbomgate fix --trust ../trust.toml                    what would change, as a patch on stdout
  sbomgate fix --trust ../trust.toml -o fix.patch
  sbomgate fix --trust ../trust.toml --write            change package.json and the lockfile
  sbomgate fix --trust ../trust.toml --inventory /srv/inventory --checklist rollback.md

exit codes: 0 allowed, or a change that is, 1 no such change was found, 2 no decision could be made
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sbomgate.cli import _decide
from sbomgate.errors import EXIT_ALLOWED, EXIT_DENIED

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
    from types import ModuleType

    from sbomgate.cli._decide import Decided, Tree
    from sbomgate.cli._environment import Environment
    from sbomgate.fix import Pin, Settings
    from sbomgate.model import DependencyGraph, PolicyFinding
    from sbomgate.npm.packument import Release
    from sbomgate.policy.lists import MaliciousList

HELP = "find the smallest change of versions that makes the decision pass"

MAX_ROUNDS = 25
"""Changes that are tried: each runs the package manager, and judges again."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("path", nargs="?", default=".", help="the project's folder, or its lockfile (default: here)")
    parser.add_argument("--write", action="store_true", help="change the project's files")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the patch to FILE instead of stdout")
    parser.add_argument(
        "--inventory", metavar="DIR", help="for the rollback checklist: which builds hold what is denied"
    )
    parser.add_argument("--checklist", metavar="FILE", help="write the rollback checklist: .md, .json, else text")
    parser.add_argument("--profile", choices=_decide.PROFILES, help="how strict (only stricter than the trust file)")
    _decide.add_arguments(parser)


@dataclass(slots=True)
class Search:
    """What was tried, by name and the version in the project: the pins that hold now, and the versions."""

    pins: dict[tuple[str, str], Pin] = field(default_factory=dict)
    tried: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    releases: dict[tuple[str, str], Sequence[Release]] = field(default_factory=dict)  # by registry and name: asked once
    lists: Sequence[MaliciousList] | None = None


def run(args: argparse.Namespace, env: Environment) -> int:
    """Search, prove, print or write; then say what is left to do."""
    from sbomgate.cli._environment import say
    from sbomgate.errors import UsageError
    from sbomgate.model import Verdict

    if args.offline:
        raise UsageError(
            "the package manager asks the registry for other versions", where="--offline", hint="run it without"
        )
    tree, decided = _judge(args, env, args.path)
    if decided.answer.evaluation.verdict is Verdict.ALLOWED:
        say("allowed as it is: there is nothing to fix")
        return EXIT_ALLOWED
    code = _search(args, env, tree, decided)
    _checklist(args, env, decided)
    return code


def _search(args: argparse.Namespace, env: Environment, tree: Tree, decided: Decided) -> int:
    """Try other versions until nothing denies, and hand over what was found."""
    import tempfile
    from pathlib import Path

    from sbomgate import fix
    from sbomgate.cli._environment import say
    from sbomgate.errors import InputError
    from sbomgate.fix import _copy
    from sbomgate.model import Verdict

    graph = tree.parts[0]
    manager = _manager(graph)
    command = manager.command(_settings(graph))
    program = _program(command.arguments[0], env)
    files = tree.project.files
    base = graph.lockfile.path.rpartition("/")[0]
    paths = [path for path in (graph.lockfile.path, *graph.manager.files) if _copy.belongs(path, graph.lockfile.path)]
    original = {path: data for path in paths if (data := files.read(path)) is not None}
    search = Search()
    say(f"{_counted(decided)}: looking for other versions")
    for _ in range(MAX_ROUNDS):
        blamed, stuck = fix.to_blame(decided.answer.graph, _denials(decided))
        if stuck:
            for finding in stuck:
                say(f"no version changes this: {finding.rule}: {finding.message}")
            return EXIT_DENIED
        if not _next(search, decided, blamed, env, tree):
            say("no other version passes: have the change approved (`sbomgate review`), or remove the dependency")
            return EXIT_DENIED
        with tempfile.TemporaryDirectory(prefix="sbomgate-") as folder:
            # As deep in a repository as the project is: its path is part of what a build is compared by.
            repository = Path(folder) / "repository"
            root = repository / tree.project.root.resolve().relative_to(files.repository)
            (repository / ".git").mkdir(parents=True)
            edited = manager.edit(original, list(search.pins.values()), f"{base}/" if base else "")
            _copy.write(root, {**original, **edited})
            try:
                _copy.run(root / base, command, program, _variables(env))
                proof, judged = _judge(args, env, str(root / graph.lockfile.path))
            except InputError as error:
                say(f"tried {_said(search)}: {error}")
                continue
            _must_be_alike(graph, proof.parts[0])
            made = {path: (root / path).read_bytes() for path in {*original, *edited}}
        if judged.answer.evaluation.verdict is Verdict.ALLOWED:
            say(f"allowed with {_said(search)}")
            return _hand_over(args, env, tree.project.root, original, made)
        say(f"tried {_said(search)}: {_counted(judged)}")
        decided = judged
    say(f"{MAX_ROUNDS} changes were tried, and none is allowed")
    return EXIT_DENIED


def _checklist(args: argparse.Namespace, env: Environment, decided: Decided) -> None:
    """Say what is left to do where the packages that are denied were installed, whatever becomes of the fix."""
    from sbomgate import fix
    from sbomgate.cli import _checklist as checklists
    from sbomgate.cli._environment import say
    from sbomgate.report import checklist_text

    bad = fix.suspects(decided.answer.graph, _denials(decided))
    if not bad:
        return
    made = checklists.of_packages(bad, args, env)
    for line in checklist_text.render(made).splitlines():
        say(line)
    if args.checklist is not None:
        checklists.write(made, args.checklist, env)


def _judge(args: argparse.Namespace, env: Environment, path: str) -> tuple[Tree, Decided]:
    tree = _decide.read(args, env, path, None)
    store = env.working_directory / _decide.DEFAULT_STORE
    with _decide.judging(tree, args, env, profile=args.profile, store=store) as judge:
        return tree, judge.decide(tree.parts[0])


def _denials(decided: Decided) -> list[PolicyFinding]:
    from sbomgate.model import Level

    return [one for one in decided.answer.evaluation.findings if one.level is Level.DENY and not one.waived]


def _counted(decided: Decided) -> str:
    packages = len({one.package for one in _denials(decided) if one.package})
    return f"{len(_denials(decided))} findings deny, about {packages} packages"


def _said(search: Search) -> str:
    return ", ".join(f"{one.name} {one.version}" for one in search.pins.values())


def _next(search: Search, decided: Decided, blamed: Iterable[str], env: Environment, tree: Tree) -> bool:
    """Pin each blamed package to the next version that was not tried; return whether there was any."""
    from datetime import timedelta

    from sbomgate import fix
    from sbomgate.cli import _facts
    from sbomgate.facts import key_of
    from sbomgate.model import BaselineBuild, RegistryWord
    from sbomgate.policy import lists

    answer, question, first = decided.answer, decided.question, tree.parts[0]
    held = {package.id: package for package in answer.graph.packages}
    approved: dict[str, set[str]] = {}
    if isinstance(question.baseline, BaselineBuild):
        for one in question.baseline.sbom.graph.packages:
            approved.setdefault(one.name, set()).add(one.version or "")
    if search.lists is None:
        search.lists = [lists.load(data, name=where, where=where) for where, data in question.lists.items()]
    hours = question.parameters.get("release_age", {}).get("minimum_age_hours", 0)
    changed = False
    for package in {(held[id_].name, held[id_].version): held[id_] for id_ in blamed}.values():
        name, now = package.name, package.version or ""
        # The version that it had in the project itself, where this one is already a proposal.
        origin = next((v for (n, v), pin in search.pins.items() if n == name and pin.version == now), now)
        graph = first if any((one.name, one.version) == (name, origin) for one in first.packages) else answer.graph
        word = answer.collected[key_of(package)].registry if key_of(package) in answer.collected else None
        registry = word.registry if isinstance(word, RegistryWord) else _registry(answer.graph, name)
        if (registry, name) not in search.releases:
            search.releases[registry, name] = _facts.releases(name, registry, env, tree.project, tree.trust)
        releases = search.releases[registry, name]
        tried = search.tried.setdefault((name, origin), {origin, now})
        for version in fix.candidates(
            origin,
            fix.ranges_of(graph, name, origin),
            releases,
            now=env.now,
            minimum_age=timedelta(hours=float(str(hours))),
            approved=approved.get(name, ()),
            malicious={one.version for one in releases if lists.ids(name, one.version, search.lists)},
        ):
            if version not in tried:
                tried.add(version)
                search.pins[name, origin] = fix.pin([graph, answer.graph], name, origin, version)
                changed = True
                break
    return changed


def _registry(graph: DependencyGraph, name: str) -> str:
    return graph.manager.scopes.get(name.partition("/")[0], graph.manager.registry)


def _settings(graph: DependencyGraph) -> Settings:
    from sbomgate.fix import Settings

    return Settings(
        registry=graph.manager.registry,
        scopes=graph.manager.scopes,
        kind=graph.lockfile.kind,
        version=graph.lockfile.version,
    )


def _manager(graph: DependencyGraph) -> ModuleType:
    """Return the module of the package manager that writes this lockfile.

    Raises:
        InputError: it is an SBOM, or of a manager for which there is none.
    """
    import pkgutil
    from importlib import import_module

    from sbomgate import fix
    from sbomgate.errors import InputError

    names = [one.name for one in pkgutil.iter_modules(fix.__path__) if not one.name.startswith("_")]
    if graph.lockfile.kind not in names:
        raise InputError(
            f"{graph.lockfile.kind} is nothing that a package manager could change",
            where=graph.lockfile.path,
            hint=f"name a project: {', '.join(sorted(names))}",
        )
    return import_module(f"sbomgate.fix.{graph.lockfile.kind}")


def _program(name: str, env: Environment) -> str:
    """Return the path of the package manager.

    Raises:
        InputError: it is not there.
    """
    import shutil

    from sbomgate.errors import InputError

    found = shutil.which(name, path=env.variables.get("PATH"))
    if found is None:
        raise InputError("is not on PATH", where=name, hint="install the one that the project uses, and try again")
    return found


def _variables(env: Environment) -> dict[str, str]:
    """Return what a package manager gets of the environment: where programs, caches and the user's own settings are."""
    kept = ("PATH", "HOME", "XDG_CACHE_HOME", "HTTPS_PROXY", "https_proxy", "NODE_EXTRA_CA_CERTS", "npm_config_cache")
    return {name: env.variables[name] for name in kept if name in env.variables}


def _must_be_alike(before: DependencyGraph, after: DependencyGraph) -> None:
    """Refuse a lockfile of another format.

    Raises:
        InputError: the package manager that is installed writes another one than the project has.
    """
    from sbomgate.errors import InputError

    old, new = before.lockfile, after.lockfile
    if (old.kind, old.version) != (new.kind, new.version):
        raise InputError(
            f"the {before.manager.name} that is installed writes version {new.version}, the project has {old.version}",
            where=old.path,
            hint="install the version of the package manager that the project uses, and try again",
        )


def _hand_over(
    args: argparse.Namespace, env: Environment, root: Path, original: Mapping[str, bytes], made: Mapping[str, bytes]
) -> int:
    """Write the files, or print the patch."""
    import difflib

    from sbomgate.cli._environment import emit, say

    changed = {path: data for path, data in sorted(made.items()) if data != original.get(path)}
    if args.write:
        for path, data in changed.items():
            emit(data, str(root / path), env)
            say(f"written: {path}")
        return EXIT_ALLOWED
    lines: list[str] = []
    for path, data in changed.items():
        old = original.get(path)
        lines += difflib.unified_diff(
            (old or b"").decode("utf-8").splitlines(keepends=True),
            data.decode("utf-8").splitlines(keepends=True),
            f"a/{path}" if old is not None else "/dev/null",
            f"b/{path}",
        )
    text = "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
    emit(text.encode("utf-8"), args.output, env)
    return EXIT_ALLOWED
