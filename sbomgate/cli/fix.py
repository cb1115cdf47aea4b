"""Find the smallest change of versions that makes the decision pass, and prove it.

It pins what is denied: to the version of the last approved build, else to the newest that the dependants' ranges allow and
that is old enough, else to an older one; in package.json, and by overrides (npm, bun, pnpm) or resolutions (yarn). The real
package manager then makes the lockfile, in a copy without scripts and without the project's own settings and manager
code, and the result is judged again. Only what is allowed is proposed; nothing is installed.

examples:
  sbomgate fix --trust ../trust.toml                    what would change, as a patch on stdout
  sbomgate fix --trust ../trust.toml -o fix.patch
  sbomgate fix --trust ../trust.toml --write            change package.json and the lockfile

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
    from sbomgate.fix import Pin, Release
    from sbomgate.model import DependencyGraph

HELP = "find the smallest change of versions that makes the decision pass"

MAX_ROUNDS = 25
"""Changes that are tried: each runs the package manager, and judges again."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("path", nargs="?", default=".", help="the project's folder, or its lockfile (default: here)")
    parser.add_argument("--write", action="store_true", help="change the project's files")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the patch to FILE instead of stdout")
    parser.add_argument(
        "--profile", choices=_decide.PROFILES, help="how strict (only stricter than the trust file)"
    )
    _decide.add_question(parser)


@dataclass(slots=True)
class Search:
    """What was tried: the pins that hold now, and the versions of each package that were no good."""

    pins: dict[str, Pin] = field(default_factory=dict)
    tried: dict[str, set[str]] = field(default_factory=dict)


def run(args: argparse.Namespace, env: Environment) -> int:
    """Search, prove, print or write."""
    import tempfile
    from pathlib import Path

    from sbomgate import fix
    from sbomgate.cli._environment import emit, say
    from sbomgate.errors import InputError, UsageError
    from sbomgate.fix import _copy
    from sbomgate.model import Verdict

    if args.offline:
        raise UsageError(
            "the package manager asks the registry for other versions", where="--offline", hint="run it without"
        )
    tree, decided = _judge(args, env, args.path)
    if decided.answer.evaluation.verdict is Verdict.ALLOWED:
        say("allowed as it is: there is nothing to fix")
        return EXIT_ALLOWED
    graph = tree.parts[0]
    manager = _manager(graph)
    program = _program(manager, graph, env)
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
        if not _next(search, decided, blamed, args, env, tree):
            say("no other version passes: have the change approved (`sbomgate review`), or remove the dependency")
            return EXIT_DENIED
        with tempfile.TemporaryDirectory(prefix="sbomgate-") as folder:
            root = Path(folder) / "project"
            edited = manager.edit(original, list(search.pins.values()), f"{base}/" if base else "")
            _copy.write(root, {**original, **edited})
            try:
                _copy.run(root / base, manager.command(_settings(graph)), program, _variables(env, Path(folder)))
                proof, judged = _judge(args, env, str(root / graph.lockfile.path))
            except InputError as error:
                say(f"tried {_said(search)}: {error}")
                continue
            _same_format(graph, proof.parts[0])
            made = {path: (root / path).read_bytes() for path in {*original, *edited}}
        if judged.answer.evaluation.verdict is Verdict.ALLOWED:
            say(f"allowed with {_said(search)}")
            return _hand_over(args, env, tree.project.root, original, made)
        say(f"tried {_said(search)}: {_counted(judged)}")
        decided = judged
    say(f"{MAX_ROUNDS} changes were tried, and none is allowed")
    return EXIT_DENIED


def _judge(args: argparse.Namespace, env: Environment, path: str) -> tuple[Tree, Decided]:
    tree = _decide.read(args, env, path, None)
    store = env.working_directory / _decide.DEFAULT_STORE
    with _decide.judging(tree, args, env, profile=args.profile, store=store) as judge:
        return tree, judge.decide(tree.parts[0])


def _denials(decided: Decided) -> list[Any]:
    from sbomgate.model import Level

    return [one for one in decided.answer.evaluation.findings if one.level is Level.DENY and not one.waived]
