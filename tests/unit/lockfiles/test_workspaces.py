"""One workspace as a graph of its own: exactly what belongs to it, in every format that has workspaces."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbomgate import lockfiles, sbom
from sbomgate.errors import UsageError
from sbomgate.lockfiles._workspaces import Workspace, sub_graph
from sbomgate.model import DependencyGraph, Edge, EdgeKind, Kind, LockFinding, Package
from sbomgate.project import DiskFiles, MemoryFiles
from testkit import graphs
from testkit.projects import Project, entry

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
# Every project of the fixtures that has workspaces, in every format.
MONOREPOS = sorted(
    f"{path.parent.parent.name}/{path.parent.name}"
    for name in lockfiles.READERS
    for path in FIXTURES.glob(f"*/*/{name}")
    if len(lockfiles.workspaces(lockfiles.read(DiskFiles(path.parent, path.parent)))) > 1
)


def parts(name: str) -> tuple[DependencyGraph, dict[str, DependencyGraph]]:
    """Return the whole graph of a fixture, and that of each workspace by its path."""
    files = DiskFiles(FIXTURES / name, FIXTURES / name)
    graph = lockfiles.read(files)
    known = lockfiles.workspaces(graph)
    found = lockfiles.sub_graphs(files, graph, known)
    return graph, {one.path: part for one, part in zip(known, found, strict=True)}


def names(graph: DependencyGraph) -> set[str]:
    """Return name@version of everything but the root and links."""
    return {f"{p.name}@{p.version}" for p in graph.packages if p.id and not (p.target and p.kind is Kind.WORKSPACE)}


def test_every_format_is_here() -> None:
    kinds = {name.partition("/")[0] for name in MONOREPOS}
    assert kinds >= {"npm", "pnpm", "yarn-classic", "yarn-berry", "bun"}


def check(graph: DependencyGraph, known: tuple[Workspace, ...], found: list[DependencyGraph]) -> None:
    """Assert what holds for the parts of every lockfile."""
    together: set[str] = set()
    for one, part in zip(known, found, strict=True):
        held = {package.id for package in part.packages}
        assert len(held) == len(part.packages)
        assert [package.id for package in part.packages] == sorted(held)
        assert part.packages[0].id == ""
        assert part.packages[0].kind is Kind.ROOT
        assert [package.kind for package in part.packages].count(Kind.ROOT) == 1
        assert part.workspace == one.path
        assert (part.lockfile, part.manager) == (graph.lockfile, graph.manager)
        # closed
        for edge in part.edges:
            assert edge.source in held
            assert edge.target is None or edge.target in held
        for package in part.packages:
            assert package.target is None or package.target in held
            assert package.bundled_in is None or package.bundled_in in held
        for finding in part.findings:
            assert finding.package is None or finding.package in held
        # reached from the root, but for what only shares a tarball with something that is
        if one.path != "." and not any(package.bundled_in for package in part.packages):
            assert {package.id for package in part.packages if not package.reachable} == set()
        back = {"": one.id} | ({".": ""} if one.id else {})
        together |= {back.get(id_, id_) for id_ in held}
    # The parts together are the whole, but for links that only lead to a workspace and that nothing in it follows.
    left = [package for package in graph.packages if package.id not in together]
    assert all(package.target is not None and package.kind is Kind.WORKSPACE for package in left)
    assert together <= {package.id for package in graph.packages}


@pytest.mark.parametrize("name", MONOREPOS)
def test_the_parts_are_the_whole(name: str) -> None:
    """P4: nothing is judged by nobody."""
    files = DiskFiles(FIXTURES / name, FIXTURES / name)
    graph = lockfiles.read(files)
    known = lockfiles.workspaces(graph)
    check(graph, known, list(lockfiles.sub_graphs(files, graph, known)))


@pytest.mark.parametrize("name", MONOREPOS)
def test_a_part_survives_its_sbom(name: str) -> None:
    for part in parts(name)[1].values():
        data = sbom.write(part, {}, timestamp=None, tool_version="1")
        again = sbom.read(data).graph
        assert again.workspace == part.workspace
        assert sbom.write(again, {}, timestamp=None, tool_version="1") == data


@pytest.mark.shared
@pytest.mark.parametrize("name", ["payload", "babel", "sigstore-js", "apollo-client", "create-react-app", "vue-core"])
def test_real_monorepos(name: str, real_locks: Path) -> None:
    files = DiskFiles(real_locks / "lockfiles" / name, real_locks / "lockfiles" / name)
    graph = lockfiles.read(files)
    known = lockfiles.workspaces(graph)
    assert len(known) == {"payload": 53, "babel": 163, "sigstore-js": 15}.get(name, len(known))
    check(graph, known, list(lockfiles.sub_graphs(files, graph, known)))


# --------------------------------------------------------------------------------------------------------------------
# What belongs to a workspace


def test_forty_services() -> None:
    graph, found = parts("pnpm/services")
    assert len(found) == 42
    shared = {"@acme/log@1.0.0", "debug@4.3.4", "ms@2.1.2", "semver@7.6.3", "lru-cache@7.18.3"}
    own = {path: names(part) - shared for path, part in found.items() if path.startswith("services/")}
    assert own["services/s10"] == {"etag@1.8.1"}
    assert own["services/s15"] == {"is-odd@3.0.1", "is-number@6.0.0"}
    # A peer of a linked workspace that is among its devDependencies as well is what it uses; the other one is not.
    assert all("lru-cache@7.18.3" in names(found[path]) for path in own)
    assert not any("array-flatten@1.1.1" in names(found[path]) for path in own)
    assert "array-flatten@1.1.1" in names(found["packages/log"])
    assert names(found["."]) == {"mkdirp@3.0.1"}
    assert len(graph.packages) > 50


def monorepo(**more: dict[str, Any]) -> Project:
    """Return an npm project with the workspaces `web` and `lib`; `more` is merged into their package.json."""
    project = Project(**more.pop("root", {}))
    manifests = {"web": {"name": "@acme/web", "version": "1.0.0"}, "lib": {"name": "lib", "version": "1.0.0"}}
    project.manifest["workspaces"] = project.packages[""]["workspaces"] = ["web", "lib"]
    for name, manifest in manifests.items():
        manifest |= more.get(name, {})
        project.packages[name] = dict(manifest)
        project.packages[f"node_modules/{manifest['name']}"] = {"resolved": name, "link": True}
        project.files[f"{name}/package.json"] = json.dumps(manifest).encode()
    return project


def of(project: Project, name: str, *packages: str) -> DependencyGraph:
    """Return the graph of one workspace, with these packages in the lockfile."""
    for package in packages:
        project.packages[f"node_modules/{package}"] = entry(package)
    files = MemoryFiles(
        {
            "package.json": json.dumps(project.manifest).encode(),
            "package-lock.json": json.dumps({**project.lock, "packages": project.packages}).encode(),
            **project.files,
        }
    )
    graph = lockfiles.read(files)
    return next(lockfiles.sub_graphs(files, graph, [lockfiles.choose(lockfiles.workspaces(graph), name)]))


USES_LIB = {"dependencies": {"lib": "^1.0.0"}}


@pytest.mark.parametrize(
    ("manifests", "workspace", "expected"),
    [
        pytest.param({"web": {"devDependencies": {"a": "1.0.0"}}}, "web", {"a"}, id="its own devDependencies"),
        pytest.param({"web": {"optionalDependencies": {"a": "1.0.0"}}}, "web", {"a"}, id="its optional ones"),
        pytest.param({"root": {"a": "1.0.0"}}, "web", set(), id="not what the root declares"),
        pytest.param({"root": {"a": "1.0.0"}}, ".", {"a"}, id="the root: what it declares"),
        pytest.param({"lib": {"dependencies": {"a": "1.0.0"}}}, "web", set(), id="not another workspace's"),
        pytest.param({"lib": {"dependencies": {"a": "1.0.0"}}}, ".", set(), id="the root: not a workspace's"),
        pytest.param({"web": USES_LIB, "lib": {"dependencies": {"a": "1.0.0"}}}, "web", {"lib", "a"}, id="linked"),
        pytest.param(
            {"web": USES_LIB, "lib": {"devDependencies": {"a": "1.0.0"}}}, "web", {"lib"}, id="linked: no dev"
        ),
        pytest.param(
            {"web": USES_LIB, "lib": {"devDependencies": {"a": "1.0.0"}, "peerDependencies": {"a": "1"}}},
            "web",
            {"lib", "a"},
            id="linked: its peers, though they are dev",
        ),
        pytest.param(
            {"web": {"devDependencies": {"lib": "^1.0.0"}}, "lib": {"dependencies": {"a": "1.0.0"}}},
            "web",
            {"lib", "a"},
            id="linked for development",
        ),
        pytest.param(
            {"web": USES_LIB, "lib": {"dependencies": {"@acme/web": "^1.0.0", "a": "1.0.0"}}},
            "web",
            {"lib", "a"},
            id="a circle",
        ),
        pytest.param(
            {"root": {"lib": "^1.0.0"}, "lib": {"dependencies": {"a": "1.0.0"}}}, ".", {"lib", "a"}, id="root uses"
        ),
    ],
)
def test_what_belongs_to_it(manifests: dict[str, Any], workspace: str, expected: set[str]) -> None:
    project = monorepo(**manifests)
    if "lib" in manifests.get("root", {}):
        project.packages["node_modules/lib"] = {"resolved": "lib", "link": True}
    part = of(project, workspace, "a")
    assert {p.name for p in part.packages if p.id and p.target is None} == expected
    assert part.packages[0].name == {"web": "@acme/web", ".": "shop"}[workspace]


def test_what_nothing_reaches_belongs_to_the_root() -> None:
    """L15: an entry that no workspace explains is judged somewhere all the same."""
    project = monorepo(web={"dependencies": {"a": "1.0.0"}})
    assert {p.name for p in of(project, ".", "a", "hidden").packages if p.target is None} == {"shop", "hidden"}
    assert {p.name for p in of(project, "web").packages if p.target is None} == {"@acme/web", "a"}


def test_flags_are_computed_for_the_new_root() -> None:
    project = monorepo(
        web={"devDependencies": {"lib": "^1.0.0"}, "optionalDependencies": {"b": "1.0.0"}},
        lib={"dependencies": {"a": "1.0.0"}},
    )
    found = {p.name: p for p in of(project, "web", "a", "b").packages if p.target is None}
    assert (found["a"].dev, found["a"].direct, found["a"].optional) == (True, True, False)
    assert (found["b"].dev, found["b"].direct, found["b"].optional) == (False, True, True)
    assert found["lib"].dev
    whole = {p.name: p for p in project.read().packages if p.target is None}
    assert not whole["a"].dev


def test_the_root_as_a_dependency() -> None:
    project = monorepo(web={"dependencies": {"shop": "*"}}, root={"a": "1.0.0"})
    project.packages["node_modules/shop"] = {"resolved": "", "link": True}
    part = of(project, "web")
    assert {p.id: p.kind for p in part.packages if p.target is None} == {
        "": Kind.ROOT,
        ".": Kind.WORKSPACE,
        "node_modules/a": Kind.REGISTRY,
    }


def test_an_sbom_has_no_workspaces() -> None:
    graph, _ = small()
    with pytest.raises(UsageError, match="says nothing of workspaces"):
        lockfiles.workspaces(replace(graph, lockfile=replace(graph.lockfile, kind="cyclonedx")))


def finding(package: str | None, rule: str = "lockfile_sound") -> LockFinding:
    return LockFinding(code="c", rule=rule, package=package, place="p", message="m")


@pytest.mark.parametrize(
    ("made", "kept"),
    [
        pytest.param(finding(None), finding(None), id="of the whole lockfile"),
        pytest.param(finding("web"), finding(""), id="of the workspace itself"),
        pytest.param(finding("node_modules/a"), finding("node_modules/a"), id="of a package"),
        pytest.param(finding("node_modules/b"), None, id="of another's package"),
        pytest.param(finding("lib"), None, id="of another workspace"),
        pytest.param(finding(""), finding(None), id="of the root's entry"),
        pytest.param(finding("", "pinned"), None, id="how loosely the root declares"),
    ],
)
def test_findings(made: LockFinding, kept: LockFinding | None) -> None:
    graph, known = small()
    part = sub_graph(replace(graph, findings=(made,)), known[1], known, {})
    assert part.findings == (() if kept is None else (kept,))


def test_what_the_manager_runs_belongs_to_every_workspace() -> None:
    graph, known = small()
    graph = replace(graph, findings=(finding("node_modules/b", "manager_code"),))
    held = [{p.id for p in sub_graph(graph, one, known, {}).packages} for one in known]
    assert "node_modules/b" in held[1]
    assert "node_modules/b" in held[2]


def small() -> tuple[DependencyGraph, list[Workspace]]:
    """The root needs b, web needs a, lib needs nothing."""
    packages = [Package(id=id_, name=id_, version="1.0.0", kind=Kind.WORKSPACE) for id_ in ("lib", "web")]
    graph = graphs.graph(*packages, graphs.package("a", "1.0.0"), graphs.package("b", "1.0.0"))
    edges = (
        Edge(source="", target="node_modules/b", name="b", kind=EdgeKind.DEV, range="1"),
        Edge(source="web", target="node_modules/a", name="a", kind=EdgeKind.PROD, range="1"),
    )
    known = [Workspace(path=id_ or ".", id=id_, name=id_) for id_ in ("", "web", "lib")]
    return replace(graph, edges=edges), known


# --------------------------------------------------------------------------------------------------------------------
# Any graph

IDS = ["", "w1", "w2", "w3", *(f"node_modules/p{n}" for n in range(8))]


@st.composite
def any_graph(draw: st.DrawFn) -> tuple[DependencyGraph, tuple[Workspace, ...]]:
    """A graph with three workspaces and edges of every kind between anything, links, bundles and dangling edges."""
    packages = []
    for id_ in IDS[1:]:
        if id_.startswith("w"):
            packages.append(Package(id=id_, name=id_, version="1.0.0", kind=Kind.WORKSPACE))
            if draw(st.booleans()):
                link = f"node_modules/{id_}"
                packages.append(Package(id=link, name=id_, version="1.0.0", kind=Kind.WORKSPACE, target=id_))
        else:
            holder = draw(st.sampled_from([None, None, None, *IDS[4:]]))
            bundled = holder if holder != id_ else None
            kind = Kind.BUNDLED if bundled else Kind.REGISTRY
            packages.append(graphs.package(id_.rpartition("/")[2], "1.0.0", id=id_, kind=kind, bundled_in=bundled))
    kinds = st.sampled_from([EdgeKind.PROD, EdgeKind.DEV, EdgeKind.OPTIONAL, EdgeKind.PEER, EdgeKind.PEER_OPTIONAL])
    pairs = draw(
        st.lists(
            st.tuples(st.sampled_from(IDS), st.sampled_from([None, *IDS]), kinds),
            max_size=24,
            unique_by=lambda e: e[:2],
        )
    )
    edges = [
        Edge(source=source, target=target, name=str(target), kind=kind, range="*") for source, target, kind in pairs
    ]
    edges += [Edge(source="", target=w, name=w, kind=EdgeKind.WORKSPACE, range=w) for w in IDS[1:4]]
    known = tuple(Workspace(path=id_ or ".", id=id_, name=id_) for id_ in IDS[:4])
    return replace(graphs.graph(*packages), edges=tuple(edges)), known


@given(any_graph())
def test_the_parts_of_any_graph(made: tuple[DependencyGraph, tuple[Workspace, ...]]) -> None:
    """P4: together they are the whole; each is closed, and holds only what its root leads to."""
    graph, known = made
    check(graph, known, [sub_graph(graph, one, known, {}) for one in known])


# --------------------------------------------------------------------------------------------------------------------
# Names

KNOWN = [
    Workspace(path=".", id="", name="acme"),
    Workspace(path="a", id="a", name="b"),
    Workspace(path="b", id="b", name="@acme/b"),
    Workspace(path="services/web", id="services/web", name="web"),
    Workspace(path="tools/web", id="tools/web", name="web"),
]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (".", "."),
        ("./", "."),
        ("acme", "."),
        ("services/web", "services/web"),
        ("./services/web/", "services/web"),
        ("@acme/b", "b"),
        ("./b", "b"),
        ("a", "a"),
    ],
)
def test_choosing(name: str, path: str) -> None:
    assert lockfiles.choose(KNOWN, name).path == path


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("web", "services/web, tools/web"),
        ("b", "a (b), b"),
        ("services/wep", "there are services/web"),
        ("", "there are"),
        ("../services/web", "there are services/web"),
        ("x" * 100_000, "there are"),
    ],
)
def test_what_is_not_clear_is_refused_with_what_there_is(name: str, says: str) -> None:
    with pytest.raises(UsageError) as raised:
        lockfiles.choose(KNOWN, name)
    assert says in f"{raised.value} {raised.value.hint}"
