"""Imports run one way, and the steps stay free of clock, environment and printing: docs/architecture.md is held to."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "sbomgate"

LEAVES = {
    "addresses",
    "tls",
    "transport",
    "model",
    "errors",
    "resources",
    "strict_json",
    "purl",
    "subject",
    "dsse",
    "times",
    "files",
    "canonical",
    "spdx",
    "schema_errors",
    "version_set",
    "sshsig",
    "id_token",
    "tar_header",
}
# What each step may use of the others: only what its own docstring names as shared ground.
MAY_USE = {
    "npm": {"facts"},  # collected facts ⇄ JSON, for its cache
    "evidence": {"decision", "signing", "override"},  # evidence is what those two wrote
    "policy": set(),
    "provenance": set(),
    "lockfiles": set(),
    "facts": set(),
    "signing": {"provenance"},  # our own certified evidence is verified by the same numbered steps
    "report": set(),
    "sbom": set(),
    "approvals": {"signing"},  # who signed them
    "override": {"signing"},  # who signed it
    "authors": set(),
    "conform": set(),
    "fix": {"lockfiles"},  # whether a version satisfies a range
    "inventory": {"decision"},  # what a build's evidence says of it
    "watch": {"lockfiles", "npm"},  # ranges and integrities; what a packument says
    "hunt": {"lockfiles", "project"},  # what a lockfile locks is said by its reader
    "decision": set(),
    "trust": set(),
    "tuf": set(),
    "ledger": set(),
    "config": set(),
    "link": set(),
    "installed": {"link", "npm"},  # what the lockfile says of a tree; reading tarballs and npm's cache
    "project": set(),
    "forges": set(),
    "adoption": {"lockfiles"},  # what a package manager's own settings say is read by the readers
}
MAY_DO_IO = {
    "installed",
    "fix",
    "hunt",
    "npm",
    "evidence",
    "signing",
    "cli",
    "project",
    "files",
    "resources",
    "trust",
    "tuf",
    "policy",
    "inventory",
    "watch",
}


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(SOURCE.rglob("*.py")):
        if "_data" not in path.parts:
            yield path.relative_to(SOURCE).with_suffix("").as_posix(), path


def step(module: str) -> str:
    return module.split("/")[0]


def imported(path: Path) -> set[str]:
    """Return the top names below `sbomgate` that a module imports, wherever in it; TYPE_CHECKING counts too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            parts = node.module.split(".")
            if parts[0] == "sbomgate":
                found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("sbomgate.")}
    return found


ALL = dict(modules())


@pytest.mark.parametrize("module", ALL, ids=str)
def test_imports_run_one_way(module: str) -> None:
    own = step(module)
    used = imported(ALL[module]) - {own, "__version__"}
    if own in ("cli", "__main__", "wire", "wire_trust", "library", "__init__"):  # the library tells the verbs' story
        return
    if own in ("gate", "replay", "audit"):  # the stories
        assert "cli" not in used
        return
    allowed = LEAVES | MAY_USE.get(own, set())
    assert used <= allowed, f"{module} imports {sorted(used - allowed)}"


FORBIDDEN = {
    ("datetime", "now"): "reads the clock",
    ("datetime", "utcnow"): "reads the clock",
    ("time", "time"): "reads the clock",
    ("os", "environ"): "reads the environment",
    ("os", "getenv"): "reads the environment",
    ("sys", "exit"): "exits",
    ("random", "random"): "is random",
    ("uuid", "uuid4"): "is random",
}


@pytest.mark.parametrize("module", [m for m in ALL if step(m) not in ("cli", "__main__")], ids=str)
def test_no_clock_no_environment_no_printing(module: str) -> None:
    for node in ast.walk(ast.parse(ALL[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            what = FORBIDDEN.get((node.value.id, node.attr))
            assert what is None, f"{module}:{node.lineno} {what}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("print", "input"), f"{module}:{node.lineno} prints"
            if node.func.id == "open":
                assert step(module) in MAY_DO_IO, f"{module}:{node.lineno} opens a file"


@pytest.mark.parametrize("module", ALL, ids=str)
def test_what_a_run_does_not_need_is_not_imported(module: str) -> None:
    """pydantic belongs to the wire types alone, and sigstore-python to the tests."""
    for node in ast.walk(ast.parse(ALL[module].read_text(encoding="utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        for name in names:
            top = name.split(".")[0]
            assert top != "sigstore", f"{module} imports {name}"
            assert top != "pydantic" or module in ("wire", "wire_trust"), f"{module} imports {name}"


# The guard itself, and the engine's thread and the processes that look at builds, which hand whatever they caught to
# the one that waits for them.
GUARDS = {"cli/__init__", "cli/_processes", "policy/engines/embedded"}


@pytest.mark.parametrize("module", [m for m in ALL if not m.startswith("wire")], ids=str)
def test_only_the_guard_catches_everything(module: str) -> None:
    for node in ast.walk(ast.parse(ALL[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ExceptHandler) and isinstance(node.type, ast.Name):
            wide = node.type.id in ("Exception", "BaseException")
            reraises = any(isinstance(inner, ast.Raise) and inner.exc is None for inner in ast.walk(node))
            assert not wide or reraises or module in GUARDS, f"{module}:{node.lineno} catches {node.type.id}"


def test_the_modules_of_npm_do_not_go_in_circles() -> None:
    """What a module imports, wherever in it, does not import it."""
    uses = {
        module: {
            f"npm/{rest}"
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ImportFrom) and node.module
            for rest in (
                [node.module.split(".")[2]]
                if node.module.startswith("sbomgate.npm.")
                else [alias.name for alias in node.names]
                if node.module == "sbomgate.npm"
                else []
            )
        }
        for module, path in ALL.items()
        if step(module) == "npm"
    }
    while leaves := {module for module, used in uses.items() if not used & uses.keys()}:
        for module in leaves:
            del uses[module]
    assert not uses, f"in a circle: {sorted(uses)}"
