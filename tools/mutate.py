"""Mutation testing: `python tools/mutate.py MODULE… [--only skips] [--sample 80]`; needs `pip install cosmic-ray`.

Changes one thing of a module at a time and runs the tests that mirror it; prints what they did not notice. Two kinds:

    skips        a statement does nothing (a `raise`, a check that is called, an early `return`), or a condition lacks
                 one of its parts: what a security step looks like when somebody takes it out. Named by its step.
    replaced     by cosmic-ray: an operator, a comparison, a number, a `not`, an exception

With --sample, every n-th change only, so that about so many are tried: the same ones each time. Not part of CI.

The tests run in a copy of the tree, each change in a process of its own, forked from one that has imported what the
tests import of other people's packages. A first run notes which tests reach which line: these come first, and the
others after them, so that nothing survives that any of the tests would notice. POSIX only.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import difflib
import importlib
import json
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent

TESTS = {
    "sbomgate/decision.py": ["tests/unit/test_decision.py", "tests/unit/evidence/test_altered.py"],
    "sbomgate/dsse.py": ["tests/unit/test_dsse.py"],
    "sbomgate/evidence/commit.py": ["tests/unit/evidence/test_layout.py", "tests/unit/evidence/test_log.py"],
    "sbomgate/evidence/verify.py": [
        "tests/unit/evidence/test_verify.py",
        "tests/unit/evidence/test_revocation.py",
        "tests/unit/evidence/test_head.py",
        "tests/unit/signing/test_certified.py",
    ],
    "sbomgate/provenance/build.py": ["tests/unit/signing/test_builder.py"],
    "sbomgate/provenance/evidence.py": ["tests/unit/signing"],
}
"""What is no mirror by name; a module of provenance/ is tested by that folder's tests."""

CPU_SECONDS = 60
"""Of the tests of one change; a change that makes them run for ever is noticed."""
SECONDS = 600
"""The same on a busy machine, where what waits takes no processor."""


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
    """One change: the module's text with it, where it is, and by which operator."""

    line: int
    column: int
    operator: str
    text: str


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
    """Yield the module with one thing replaced, by the operators of cosmic-ray.

    None of `|`, which stands in annotations that nobody runs, and none of `@dataclass(…)`.
    """
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator, operator_names

    nodes = list(ast_nodes(get_ast(text)))
    lines = text.splitlines()
    for name in sorted(operator_names()):
        operator = get_operator(name)
        if "BinaryOperator_BitOr" in name or operator.arguments():
            continue
        places = (start for node in nodes for start, _ in operator().mutation_positions(node))
        for occurrence, (line, column) in enumerate(places):
            if lines[line - 1].lstrip().startswith("@dataclass"):
                continue
            changed = mutate_code(text, operator(), occurrence)
            yield Change(line=line, column=column, operator=name.rpartition("/")[2], text=changed)


def sample(changes: list[Change], wanted: int | None) -> list[Change]:
    """Return every n-th change, by its place; all of them that are Python where no number is wanted."""
    changes = sorted(changes, key=lambda one: (one.line, one.column, one.operator, one.text))
    return changes[:: max(1, len(changes) // wanted) if wanted else 1]


# --------------------------------------------------------------------------------------------------------------------
# Which tests reach what


class Reached:
    """A pytest plugin: the lines of one file that each test reaches, and how long the test takes."""

    def __init__(self, file: Path) -> None:
        """Note nothing yet."""
        self._file = str(file)
        self._now = ""
        self.lines: dict[str, set[int]] = defaultdict(set)
        self.seconds: dict[str, float] = defaultdict(float)

    def _called(self, frame: FrameType, _event: str, _argument: object) -> Any:
        if frame.f_code.co_filename != self._file:
            return None
        self.lines[self._now].add(frame.f_lineno)
        return self._called

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Watch a test with its fixtures."""
        self._now = item.nodeid
        began = time.process_time()
        threading.settrace(self._called)
        sys.settrace(self._called)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            threading.settrace(None)  # type: ignore[arg-type]
            self.seconds[item.nodeid] = time.process_time() - began


class Chosen:
    """A pytest plugin: only these tests, in this order; or all but these."""

    def __init__(self, tests: Sequence[str], *, but: bool) -> None:
        """Choose tests by their ids."""
        self._tests = {one: place for place, one in enumerate(tests)}
        self._but = but

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Choose."""
        items[:] = [one for one in items if (one.nodeid in self._tests) is not self._but]
        items.sort(key=lambda one: self._tests.get(one.nodeid, 0))


# --------------------------------------------------------------------------------------------------------------------
# Running


class Tree:
    """A copy of the tree in which one module is changed."""

    def __init__(self, folder: Path, module: str) -> None:
        """Copy the tree."""
        self.root = folder / "tree"
        ignored = shutil.ignore_patterns(".git", ".venv", ".tools", "__pycache__", "corpus", "out", "*_cache", "site")
        shutil.copytree(ROOT, self.root, ignore=ignored, symlinks=True)
        if (ROOT.parent / "shared").is_dir():
            (folder / "shared").symlink_to(ROOT.parent / "shared")
        self.module = self.root / module
        self.text = self.module.read_text()
        self.tests = tests_of(module)
        self._noted = folder / "noted.json"
        self.log = folder / "log"
        self.lines: dict[str, list[int]] = {}
        self.seconds: dict[str, float] = {}

    def baseline(self) -> None:
        """Run the tests without a change; note what they reach, and import what they import of other packages."""

        def noted() -> int:
            reached = Reached(self.module)
            code = self._pytest(self.tests, reached)
            modules = [
                name
                for name, one in list(sys.modules.items())
                if "site-packages" in (getattr(one, "__file__", None) or "") and not name.startswith("sbomgate")
            ]
            lines = {test: sorted(found) for test, found in reached.lines.items()}
            self._noted.write_text(json.dumps({"lines": lines, "seconds": reached.seconds, "modules": modules}))
            return code

        if code := _forked(noted, self.log, seconds=SECONDS * 2):
            sys.exit(f"the tests fail without a change ({code}):\n{self.log.read_text()[-4000:]}")
        found = json.loads(self._noted.read_text())
        self.lines, self.seconds = found["lines"], found["seconds"]
        for name in found["modules"]:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        for compiled in (self.module.parent / "__pycache__").glob(f"{self.module.stem}.*"):
            compiled.unlink()

    def notices(self, change: Change) -> bool:
        """Whether a test fails with this change."""
        wanted = self._statement(change.line)
        reaching = [test for test, lines in self.lines.items() if wanted & set(lines)]
        reaching.sort(key=lambda test: self.seconds[test])
        self.module.write_text(change.text)
        try:
            sys.dont_write_bytecode = True
            files = sorted({test.partition("::")[0] for test in reaching})
            if reaching and _forked(lambda: self._pytest(files, Chosen(reaching, but=False)), self.log):
                return True
            return bool(_forked(lambda: self._pytest(self.tests, Chosen(reaching, but=True)), self.log))
        finally:
            self.module.write_text(self.text)

    def _statement(self, line: int) -> set[int]:
        """Return the lines of the innermost statement that holds a line; of one that holds others, of its head."""
        found: set[int] = {line}
        for node in ast.walk(ast.parse(self.text)):
            if isinstance(node, ast.stmt):
                inside = [one for one in ast.iter_child_nodes(node) if isinstance(one, ast.stmt | ast.match_case)]
                end = (inside[0].lineno if isinstance(inside[0], ast.stmt) else inside[0].pattern.lineno) - 1 if (
                    inside) else node.end_lineno  # fmt: skip
                if node.lineno <= line <= max(end or 0, node.lineno):
                    found = set(range(node.lineno, max(end or 0, node.lineno) + 1))
        return found

    def _pytest(self, tests: list[str], plugin: object) -> int:
        os.chdir(self.root)
        sys.path[:0] = [str(self.root), str(self.root / "tests")]
        os.environ["PYTHONPATH"] = os.pathsep.join(sys.path[:2])
        options = ("-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-seed=0")
        options += ("-W", "ignore::pytest.PytestAssertRewriteWarning", "--no-header", "--tb=line")
        code = int(pytest.main([*options, *tests], plugins=[plugin]))
        return 0 if code == pytest.ExitCode.NO_TESTS_COLLECTED else code


def _forked(call: Any, log: Path, *, seconds: float = SECONDS) -> int:
    """Return what a call returns in a process of its own; not 0 where that dies or takes too long."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            os.setsid()
            resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(output, 1)
            os.dup2(output, 2)
            code = call()
            sys.stdout.flush()
        finally:
            os._exit(code)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            break
        time.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what the tests started, too
    if not found:
        os.waitpid(child, 0)
        return 71
    return status


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


def _try(module: str, only: str | None, wanted: int | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tree = Tree(Path(folder).resolve(), module)
        tree.baseline()
        for name, operators in (("skips", skips), ("replaced", replacements)):
            if only not in (None, name):
                continue
            changes = sample(list(operators(tree.text)), wanted)
            survived = [one for one in changes if not tree.notices(one)]
            for one in survived:
                _show(module, tree.text, one)
            found = f"{len(changes)} tried, {len(changes) - len(survived)} noticed, {len(survived)} not"
            print(f"{module} {name}: {found}", flush=True)


def main() -> int:
    """Try the changes; print the survivors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", metavar="MODULE", nargs="+", help="sbomgate/decision.py")
    parser.add_argument("--only", choices=("skips", "replaced"))
    parser.add_argument("--sample", type=int)
    args = parser.parse_args()
    os.nice(15)
    for module in args.modules:
        _try(module, args.only, args.sample)
    return 0


if __name__ == "__main__":
    sys.exit(main())
