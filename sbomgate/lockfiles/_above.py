"""A workspace root above the project in its repository: package managers install from the lockfile there.

npm's `loadLocalPrefix`, yarn 1's `resolveWorkspaceRoot`, pnpm's `findWorkspaceDir`, bun's `PackageManager.init`. yarn 2
and later stops at the nearest yarn.lock, so nothing above takes its place.
"""

from __future__ import annotations

from hashlib import sha256
from posixpath import join, normpath

from sbomgate.lockfiles._npm_manifest import MAX_MANIFEST_BYTES, Patterns, matches, workspace_patterns
from sbomgate.lockfiles._told import told
from sbomgate.model import DependencyGraph, LockFinding, ProjectFiles
from sbomgate.strict_json import load_object

MAX_LEVELS = 64
"""Most directories above a project that are looked into: deeper than any path that a repository has."""


def directories(files: ProjectFiles, base: str) -> list[str]:
    """Return the directories above the project that belong to the repository, nearest first, relative (`..`, `../..`).

    Args:
        files: of the project.
        base: the lockfile's directory among them, with its slash.
    """
    found: list[str] = []
    at = normpath(base) if base else "."
    while len(found) < MAX_LEVELS:
        at = normpath(join(at, ".."))
        if not files.is_inside(at):
            break
        found.append(at)
    return found


def judge(files: ProjectFiles, graph: DependencyGraph) -> DependencyGraph:
    """Return the graph with a finding where the project is a workspace of one above, whose lockfile then counts.

    Raises:
        InputError: a file above, which the manager reads as well, has no single meaning or is over a limit.
    """
    manager = graph.manager.name
    base = graph.lockfile.path.rpartition("/")[0]
    if manager == "pnpm":
        return _judge_pnpm(files, graph, base)
    if manager not in ("npm", "bun") and not (manager == "yarn" and graph.lockfile.version == "1"):
        return graph
    root = _workspaces_root(files, base, stops=manager == "yarn")
    return graph if root is None else _elsewhere(graph, root)


def _elsewhere(graph: DependencyGraph, root: str) -> DependencyGraph:
    """Return the graph with the finding, and with the file among the settings: one that comes later is a change.

    Which lockfile it is decides how the build installs, which nobody sees here: with `--ignore-workspace` or
    `--no-workspaces`, or where the directory alone is copied into an image, it is the project's own.
    """
    name = graph.lockfile.path.rpartition("/")[2]
    message = (
        f"the project is a workspace by this file: unless it is told otherwise, {graph.manager.name} installs from the "
        f"lockfile beside that, and never looks at the {name} that was read"
    )
    finding = LockFinding(code="workspace-above", rule="lockfile_sound", package=None, place=root, message=message)
    return told(graph, [finding], {"workspace above": root})


def _workspaces_root(files: ProjectFiles, base: str, *, stops: bool) -> str | None:
    """Return the package.json whose `workspaces` hold the project; `stops`: at the first that has any, as yarn 1."""
    if stops and _patterns(files, join(base, "package.json")):
        return None
    for directory in directories(files, base):
        path = join(directory, "package.json")
        patterns = _patterns(files, path)
        if matches(patterns, normpath(join(files.seen_from(directory), base))):
            return path
        if patterns and stops:
            return None
    return None


def _patterns(files: ProjectFiles, path: str) -> Patterns:
    data = files.read(path)
    return [] if data is None else workspace_patterns(load_object(data, path, limit=MAX_MANIFEST_BYTES), path)


def _judge_pnpm(files: ProjectFiles, graph: DependencyGraph, base: str) -> DependencyGraph:
    """Judge the nearest pnpm-workspace.yaml above: one lockfile beside it for all, or settings that pnpm obeys.

    One that does not name the project counts as well: versions up to 10 run its hooks, and look for its lockfile.
    """
    from sbomgate.lockfiles import _npmrc
    from sbomgate.lockfiles._pnpm_settings import HOOKS, MAX_WORKSPACE_BYTES, WORKSPACE
    from sbomgate.lockfiles._yaml import load_documents

    if files.has(join(base, WORKSPACE)):
        return graph
    for directory in directories(files, base):
        path = join(directory, WORKSPACE)
        if (data := files.read(path)) is None:
            continue
        documents = load_documents(data, path, limit=MAX_WORKSPACE_BYTES) if data.strip() else []
        settings = documents[0] if len(documents) == 1 and type(documents[0]) is dict else {}
        npmrc = files.read(join(directory, ".npmrc"))
        switch = "shared-workspace-lockfile"
        switches = _npmrc.parse(npmrc, join(directory, ".npmrc"), fetches=frozenset({switch})).settings
        if settings.get("sharedWorkspaceLockfile") is not False and switches.get(switch) != "false":
            return _elsewhere(graph, path)
        obeyed = {
            f"{name} sha256": sha256(found).hexdigest()
            for name in (path, *(join(directory, hook) for hook in (".npmrc", *HOOKS)))
            if (found := files.read(name)) is not None
        }
        message = "pnpm obeys the settings and hooks of the workspace above, and the project has a lockfile of its own"
        finding = LockFinding(code="pnpm-runs-code", rule="manager_code", package=None, place=path, message=message)
        return told(graph, [finding], obeyed)
    return graph
