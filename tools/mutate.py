"""Mutation testing: `python tools/mutate.py MODULE [--only skips] [--sample 80] [--from 570] [--at 43,57]`.

Changes one thing of a module at a time and runs the tests that mirror it; prints what they did not notice. Two kinds:

    skips        a statement does nothing (a `raise`, a check that is called, an early `return`), or a condition lacks
                 one of its parts: what a security step looks like when somebody takes it out. Named by its step.
    replaced     by cosmic-ray (`pip install cosmic-ray`): an operator, a comparison, a number, a `not`, an exception

With --sample, every n-th change only, so that about so many are tried: the same ones each time; with --from, none of
the lines before; with --at, those on these lines alone, to try again what had no test. Not part of CI.

The tests run in a copy of the tree, for each change in a process of its own and only those that reach its line, which
a first run notes. POSIX only.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import difflib
import importlib
import inspect
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent

TESTS = {
    "sbomgate/decision.py": ["tests/unit/test_decision.py", "tests/unit/evidence/test_altered.py"],
    "sbomgate/dsse.py": ["tests/unit/test_dsse.py"],
    "sbomgate/evidence/head.py": ["tests/unit/evidence/test_head.py", "tests/unit/evidence/test_audit.py"],
    "sbomgate/evidence/registry.py": ["tests/unit/evidence/test_registry_store.py"],
    "sbomgate/evidence/verify.py": [
        "tests/unit/evidence/test_verify.py",
        "tests/unit/evidence/test_revocation.py",
        "tests/unit/evidence/test_head.py",
        "tests/unit/signing/test_certified.py",
    ],
    "sbomgate/provenance/build.py": ["tests/unit/provenance/test_build.py"],
    "sbomgate/provenance/evidence.py": ["tests/unit/signing"],
    "sbomgate/provenance/rebuild.py": ["tests/unit/provenance/test_rebuild.py"],
    "sbomgate/signing/verify.py": [
        "tests/unit/signing/test_verify.py",
        "tests/unit/signing/test_certified.py",
        "tests/unit/evidence/test_summaries.py",
    ],
}
"""What is no mirror by name; a module of provenance/ is tested by that folder's tests."""

CPU_SECONDS = 60
"""Of the tests of one change; a change that makes them run for ever is noticed."""
SLOW_SECONDS = 5
"""Of the processor: a test that takes longer is left out. It tries every call of a writer, or starts writers, which are
processes of their own and unchanged."""
NEAR_LINES = 10
SECONDS = 600
"""The same on a busy machine, where what waits takes no processor."""
NOT_TRIED = 70  # a process ends so in which a change could not be made: it proves nothing


def tests_of(module: str) -> list[str]:
    """Return the tests that mirror a module."""
    if module in TESTS:
        return TESTS[module]
    folder, _, name = module.removeprefix("sbomgate/").rpartition("/")
    mirror = f"tests/unit/{folder}/test_{name.removesuffix('.py').lstrip('_')}.py"
    return [mirror] if folder != "provenance" and (ROOT / mirror).is_file() else [f"tests/unit/{folder}"]


# --------------------------------------------------------------------------------------------------------------------
# What is changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change: the module's text with it, where it is, and by which operator, for whose n-th place in the module."""

    line: int
    column: int
    operator: str
    text: str = ""
    occurrence: int = 0


def skips(text: str) -> Iterator[Change]:
    """Yield the module without one statement of a function, or without one part of a condition."""
    data = text.encode()
    starts = [0]
    for line in data.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def cut(node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset

    def without(node: ast.expr | ast.stmt, operator: str, instead: bytes, where: ast.expr | None = None) -> Change:
        start, end = cut(node)
        at = where or node
        return Change(
            line=at.lineno, column=at.col_offset, operator=operator, text=(data[:start] + instead + data[end:]).decode()
        )

    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            for statement in _skippable(node):
                yield without(statement, f"skip {type(statement).__name__.lower()}", b"pass")
        elif isinstance(node, ast.BoolOp):
            word = b" and " if isinstance(node.op, ast.And) else b" or "
            parts = [b"(%b)" % data[slice(*cut(value))] for value in node.values]
            for index, value in enumerate(node.values):
                rest = word.join(parts[:index] + parts[index + 1 :])
                yield without(node, "skip part of condition", b"(%b)" % rest, value)
        elif isinstance(node, ast.comprehension):
            for condition in node.ifs:
                yield without(condition, "skip condition", b"True")
        elif isinstance(node, ast.match_case) and node.guard is not None:
            yield without(node.guard, "skip guard", b"True")


def _skippable(function: ast.FunctionDef) -> Iterator[ast.stmt]:
    """Yield the statements of a function that it could do without and still be one: no definition of a name."""
    bound: set[str] = {one.arg for one in ast.walk(function.args) if isinstance(one, ast.arg)}
    nested = {id(inner) for one in ast.walk(function) if one is not function and isinstance(one, ast.FunctionDef)
              for inner in ast.walk(one)}  # fmt: skip
    statements = [one for one in ast.walk(function) if isinstance(one, ast.stmt) and id(one) not in nested]
    for statement in sorted(statements, key=lambda one: (one.lineno, one.col_offset)):
        match statement:
            case ast.Expr(value=ast.Constant()):
                continue  # a docstring
            case ast.Return() if statement is function.body[-1]:
                continue  # would return None, which is a type error
            case (
                ast.Expr() | ast.Raise() | ast.Return() | ast.Continue() | ast.Break() | ast.AugAssign() | ast.Delete()
            ):
                yield statement
            case ast.Assign(targets=[ast.Name(id=name)]):
                if name in bound:
                    yield statement
                bound.add(name)
            case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
                yield statement


def replacements(text: str) -> Iterator[Change]:
    """Yield what the operators of cosmic-ray would replace one at a time: `replaced` does it.

    None of `|`, which stands in annotations that nobody runs, and none of `@dataclass(…)`.
    """
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator, operator_names

    nodes = list(ast_nodes(get_ast(text)))
    lines = text.splitlines()
    for name in sorted(operator_names()):
        operator = get_operator(name)
        if "BinaryOperator_BitOr" in name or operator.arguments():
            continue
        places = (start for node in nodes for start, _ in operator().mutation_positions(node))
        for occurrence, (line, column) in enumerate(places):
            if not lines[line - 1].lstrip().startswith("@dataclass"):
                yield Change(line=line, column=column, operator=name, occurrence=occurrence)


def replaced(text: str, change: Change) -> Change | None:
    """Return a replacement with the module's text, or None where that is no Python.

    cosmic-ray takes the `**` of an argument for a power, and cannot replace an exception that has a dot in its name.
    """
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    try:
        changed = mutate_code(text, get_operator(change.operator)(), change.occurrence)
        compile(changed, "", "exec")
    except (AttributeError, SyntaxError):
        return None
    return replace(change, text=changed, operator=change.operator.rpartition("/")[2])


def sample(changes: list[Change], wanted: int | None) -> list[Change]:
    """Return every n-th change, by its place; all of them where no number is wanted."""
    changes = sorted(changes, key=lambda one: (one.line, one.column, one.operator, one.text, one.occurrence))
    return changes[:: max(1, len(changes) // wanted) if wanted else 1]


# --------------------------------------------------------------------------------------------------------------------
# Trying


class Trials:
    """A pytest plugin: instead of running the tests once, it runs them for every change.

    What is inside a function is changed in a fork of this process, where the tests are collected already: its code is
    another then, and the tests that reach its lines run. Whatever else is changed (a constant, a decorator), or runs
    while the tests are collected, is changed on disk, and all tests run anew.
    """

    def __init__(self, root: Path, module: str, tests: Sequence[str], changes: Sequence[tuple[str, Change]]) -> None:
        """Prepare to try changes, each with the name of its kind."""
        self._root, self._module, self._tests, self._changes = root, module, tests, changes
        self._file = root / module
        self._text = self._file.read_text()
        self._now = ""
        self._watching: Any = None
        self._lines: dict[str, set[int]] = defaultdict(set)
        self._seconds: dict[str, float] = {}
        self._noticed: dict[str, int] = {}  # test → the line of the last change that it noticed

    # Which tests reach what

    def _called(self, frame: FrameType, _event: str, _argument: object) -> Any:
        if frame.f_code.co_filename != str(self._file):
            return None
        self._lines[self._now].add(frame.f_lineno)
        return self._called

    def _watch(self, called: Any) -> None:
        self._watching = called
        sys.settrace(called)
        threading.settrace(called)

    def pytest_configure(self) -> None:
        """Watch what runs while the tests are collected."""
        self._watch(self._called)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Note which test runs, and how long, with the processes that it starts."""
        self._watch(self._watching)  # again: Python stops it where a test exhausts the stack
        self._now, began = item.nodeid, sum(os.times()[:4])
        try:
            return (yield)
        finally:
            self._now, self._seconds[item.nodeid] = "", sum(os.times()[:4]) - began

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
        """What a shared fixture reaches is reached by whoever uses it."""
        before, self._now = self._now, self._now if fixturedef.scope == "function" else fixturedef.argname
        try:
            return (yield)
        finally:
            self._now = before

    # The changes

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the tests without a change, then with each."""
        noted = self._root.parent / "noted.json"

        def baseline() -> int:
            code = _run(session, session.items)
            lines = {name: sorted(held) for name, held in self._lines.items()}
            noted.write_text(json.dumps([lines, self._seconds, list(sys.modules)]))
            return code

        if _forked(baseline, self._root.parent / "log"):
            sys.exit(f"the tests fail without a change:\n{(self._root.parent / 'log').read_text()[-4000:]}")
        self._watch(None)
        self._lines, self._seconds, imported = json.loads(noted.read_text())
        for name in imported:  # what is imported late is imported once, not by each change
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        tried: Counter[str] = Counter()
        survived: Counter[str] = Counter()
        for number, (kind, change) in enumerate(self._changes):
            if number % 20 == 0:
                print(f"{number} of {len(self._changes)}, line {change.line}", file=sys.stderr, flush=True)
            tried[kind] += 1
            if not self._notices(session, change):
                survived[kind] += 1
                _show(self._module, self._text, change)
        for kind, count in tried.items():
            noticed = count - survived[kind]
            print(f"{self._module} {kind}: {count} tried, {noticed} noticed, {survived[kind]} not", flush=True)
        return True

    def _notices(self, session: pytest.Session, change: Change) -> bool:
        lines = _statement(self._text, change.line)
        function = _function(self._text, change.line)
        if function is None or lines & set(self._lines.get("", ())):
            return self._notices_anew(change)
        reached = {name for name, held in self._lines.items() if lines & set(held)}
        reaching = [
            one
            for one in session.items
            if (one.nodeid in reached or reached & set(_fixtures(one))) and self._seconds[one.nodeid] < SLOW_SECONDS
        ]
        # First who noticed a change near by, then who gets here and not much further: what is refused here ends here.
        near = {name for name, line in self._noticed.items() if abs(line - change.line) <= NEAR_LINES}
        reaching.sort(
            key=lambda one: (
                one.nodeid not in near,
                one.nodeid not in reached,
                len(self._lines.get(one.nodeid, ())),
                self._seconds[one.nodeid],
            )
        )
        log, noticed = self._root.parent / "log", self._root.parent / "noticed"
        noticed.write_text("")

        def changed() -> int:
            _replace(self._module, function, change.text, str(self._file))
            return _run(session, reaching, noticed)

        status = _forked(changed, log)
        if name := noticed.read_text():
            self._noticed[name] = change.line
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == NOT_TRIED:
            sys.exit(f"line {change.line} could not be changed:\n{log.read_text()[-4000:]}")
        return bool(status)

    def _notices_anew(self, change: Change) -> bool:
        for compiled in (self._file.parent / "__pycache__").glob(f"{self._file.stem}.*"):
            compiled.unlink()
        command = [sys.executable, "-B", "-m", "pytest", *OPTIONS, *self._tests]
        self._file.write_text(change.text)
        try:
            done = subprocess.run(command, cwd=self._root, timeout=SECONDS, capture_output=True, check=False)
        except subprocess.TimeoutExpired:
            return True
        finally:
            self._file.write_text(self._text)
        return done.returncode != 0


def _fixtures(item: pytest.Item) -> Sequence[str]:
    return item.fixturenames if isinstance(item, pytest.Function) else ()


def _run(session: pytest.Session, items: Sequence[pytest.Item], noticed: Path | None = None) -> int:
    for item, after in zip(items, [*items, None][1:], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
        if session.testsfailed:
            if noticed is not None:
                noticed.write_text(item.nodeid)
            return 1
    return 0


def _forked(call: Callable[[], int], log: Path) -> int:
    """Return what a call returns in a process of its own; not 0 where that dies or takes too long."""
    child = os.fork()
    if child == 0:
        code = NOT_TRIED
        try:
            os.setsid()
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(output, 1)
            os.dup2(output, 2)
            code = call()
            sys.stdout.flush()
        except BaseException:  # noqa: BLE001 - whatever it is, it is said, and the process ends here
            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(code)
    ends, found, status = time.monotonic() + SECONDS, 0, 0
    while not found and time.monotonic() < ends:
        found, status = os.waitpid(child, os.WNOHANG)
        time.sleep(0 if found else 0.005)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what the tests started, too
    if not found:
        os.waitpid(child, 0)
    return status if found else 71


def _statement(text: str, line: int) -> set[int]:
    """Return the lines of the innermost statement that holds a line; of one that holds others, of its head."""
    found = {line}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.stmt):
            inside = [one for one in ast.iter_child_nodes(node) if isinstance(one, ast.stmt | ast.match_case)]
            starts = [one.lineno if isinstance(one, ast.stmt) else one.pattern.lineno for one in inside]
            ends = max(starts[0] - 1 if starts else node.end_lineno or 0, node.lineno)
            if node.lineno <= line <= ends:
                found = set(range(node.lineno, ends + 1))
    return found


def _function(text: str, line: int) -> tuple[str, ...] | None:
    """Return the name of the outermost function whose body holds a line, with the class that it is in."""
    for node in ast.parse(text).body:
        inner = [(node.name, one) for one in node.body] if isinstance(node, ast.ClassDef) else []
        for names, one in [((), node), *(((name,), one) for name, one in inner)]:
            if isinstance(one, ast.FunctionDef) and one.body[0].lineno <= line <= (one.end_lineno or 0):
                return (*names, one.name)
    return None


def _replace(module: str, function: tuple[str, ...], text: str, file: str) -> None:
    """Give a function of a module that is imported the code that it has in another text."""
    code = compile(text, file, "exec")
    for name in function:
        code = next(one for one in code.co_consts if isinstance(one, CodeType) and one.co_name == name)
    held: Any = sys.modules[module.removesuffix(".py").removesuffix("/__init__").replace("/", ".")]
    for name in function:
        held = vars(held)[name]
    for wrapper in ("fget", "__func__", "func"):
        held = getattr(held, wrapper, held)
    inspect.unwrap(held).__code__ = code


# --------------------------------------------------------------------------------------------------------------------
# What is said


def _step(text: str, line: int) -> str:
    """Return the number of the security step that a line belongs to, as `(5b) `, or nothing."""
    for one in reversed(text.splitlines()[:line]):
        if found := re.search(r"# (\(\w+\))", one):
            return f"{found[1]} "
        if re.match(r"\s*def ", one):
            break
    return ""


def _show(module: str, text: str, change: Change) -> None:
    print(f"{module}:{change.line} {_step(text, change.line)}{change.operator}")
    for line in difflib.unified_diff(text.splitlines(), change.text.splitlines(), lineterm="", n=0):
        if not line.startswith(("+++", "---", "@@")):
            print(f"    {line}")
    print(flush=True)


def main() -> int:
    """Try the changes; print the survivors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("module", metavar="MODULE", help="sbomgate/decision.py")
    parser.add_argument("--only", choices=sorted(KINDS))
    parser.add_argument("--sample", type=int, metavar="COUNT")
    parser.add_argument("--from", type=int, metavar="LINE", default=1, dest="first")
    parser.add_argument("--at", type=lambda text: {int(one) for one in text.split(",")}, metavar="LINE,…")
    args = parser.parse_args()
    text = (ROOT / args.module).read_text()
    wanted = [
        (kind, change)
        for kind, operators in KINDS.items()
        if args.only in (None, kind)
        for change in sample(
            [one for one in operators(text) if (one.line in args.at if args.at else one.line >= args.first)],
            args.sample,
        )
    ]
    made = [(kind, one if one.text else replaced(text, one)) for kind, one in wanted]
    changes = [(kind, one) for kind, one in made if one is not None]
    os.nice(max(0, 5 - os.nice(0)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        ignored = shutil.ignore_patterns(".git", ".venv", ".tools", "__pycache__", "corpus", "out", "*_cache", "site")
        shutil.copytree(ROOT, folder / "tree", ignore=ignored, symlinks=True)
        if (ROOT.parent / "shared").is_dir():
            (folder / "shared").symlink_to(ROOT.parent / "shared")
        os.chdir(folder / "tree")
        sys.path[:0] = [str(folder / "tree"), str(folder / "tree" / "tests")]
        os.environ["PYTHONPATH"] = os.pathsep.join(sys.path[:2])
        tests = tests_of(args.module)
        trials = Trials(folder / "tree", args.module, tests, changes)
        return int(pytest.main([*OPTIONS, "-s", f"--basetemp={folder / 'temporary'}", *tests], plugins=[trials]))


KINDS: dict[str, Callable[[str], Iterator[Change]]] = {"skips": skips, "replaced": replacements}
OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-seed=0", "--no-header", "--tb=line")

if __name__ == "__main__":
    sys.exit(main())
