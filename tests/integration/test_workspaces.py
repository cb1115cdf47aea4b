"""A pnpm monorepo of forty services and one lockfile, as its release job gates it: P12, one run, one decision each."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from testkit import commandline, tarballs
from testkit.commandline import World, refused
from testkit.registry import Simulator

SERVICES = Path(__file__).resolve().parents[1] / "fixtures" / "pnpm" / "services"
NUMBERS = [f"s{number:02}" for number in range(1, 41)]
SHARED = {"@acme/log", "debug", "ms", "semver", "lru-cache"}


@pytest.fixture
def registry() -> Iterator[Simulator]:
    with Simulator() as found:
        yield found


@pytest.fixture(scope="module")
def pristine(ordinary: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A monorepo with an artefact of each service, where nothing was decided yet."""
    world = commandline.copy(ordinary, tmp_path_factory.mktemp("monorepo") / "world")
    shutil.rmtree(world.store)
    shutil.rmtree(world.project)
    shutil.copytree(SERVICES, world.project)
    (world.project / ".git").mkdir()
    for name in NUMBERS:
        (world.root / f"{name}.tgz").write_bytes(tarballs.package(f"@acme/{name}", "1.0.0"))
    return world


@pytest.fixture
def mono(pristine: World, tmp_path: Path) -> World:
    """A copy of it, for this test."""
    return commandline.copy(pristine, tmp_path / "world")


def release(world: World, names: list[str]) -> list[str]:
    """Write the file of subjects; return the arguments of `gate` with it."""
    lines = [f'"services/{name}" = "file:{name}.tgz"\n' for name in names]
    (world.root / "release.toml").write_text("".join(lines))
    return ["gate", "shop", "--subjects", "release.toml", *world.gate()[4:]]


def verify(world: World, name: str, workspace: str) -> list[str]:
    return ["verify", f"file:{name}.tgz", *world.verify()[2:], "--workspace", workspace]


def own(report: dict[str, Any], world: World) -> set[str]:
    """Return the names of the packages in the stored SBOM of a decision."""
    folder = world.root / report["evidence"] / "decisions" / report["decision_sha256"]
    bom = json.loads((folder / "sbom.cdx.json").read_bytes())
    return {"/".join(filter(None, (c.get("group"), c["name"]))) for c in bom["components"]}


def test_forty_subjects_in_one_run(mono: World, registry: Simulator, repository: Path) -> None:
    """Facts are gathered once, each decision holds its own packages alone, and none can be used for another service."""
    (mono.project / ".npmrc").write_text(f"registry={registry.url}\n")
    arguments = [one for one in release(mono, NUMBERS) if one != "--offline"]
    mono.trust.write_text(
        mono.trust.read_text() + f'\n[[registries]]\nurl = "{registry.url}"\nserves_evidence = false\n'
    )
    (mono.project / "sbomgate.toml").write_text('[malicious]\nlists = ["malicious.csv"]\n')
    (mono.project / "malicious.csv").write_text("name,versions,osv_id,wave,sources\netag,1.8.1,TEST-1,test,test\n")
    made = mono.run(*arguments, "--json")
    told = json.loads(made.out)
    schema = json.loads((repository / "schemas" / "reports.schema.json").read_bytes())
    jsonschema_rs.validator_for(schema).validate(told)
    # one denial, of the one service that holds the listed package, stopped none of the others
    assert made.code == 1, made.err
    verdicts = {report["workspace"]: report["verdict"] for report in told["reports"]}
    assert [workspace for workspace, verdict in verdicts.items() if verdict == "denied"] == ["services/s10"]
    assert list(verdicts) == [f"services/{name}" for name in NUMBERS]
    assert told["undecided"] == []
    # facts once
    asked = [request.path for request in registry.requests]
    assert len(asked) == len(set(asked)), "the registry was asked twice for the same"
    assert any("debug" in path for path in asked)
    # its own packages alone
    follows = {"is-odd": {"is-number"}, "once": {"wrappy"}, "strip-ansi": {"ansi-regex"}, "which": {"isexe"}}
    for name, report in zip(NUMBERS, told["reports"], strict=True):
        manifest = json.loads((mono.project / "services" / name / "package.json").read_bytes())
        declared = set(manifest["dependencies"])
        assert own(report, mono) == SHARED.union(declared, *(follows.get(one, set()) for one in declared))
    # each decision is for its own artefact and workspace
    for index, name in enumerate(NUMBERS):
        following = NUMBERS[(index + 1) % len(NUMBERS)]
        denied = name == "s10"
        assert mono.run(*verify(mono, name, f"services/{name}")).code == denied
        wrong = mono.run(*verify(mono, name, f"services/{following}"))
        assert wrong.code == 1
        assert "workspace" in wrong.out
    for report in (told["reports"][0], told["reports"][9]):
        replayed = mono.run("replay", f"{report['evidence']}/decisions/{report['decision_sha256']}")
        assert replayed.code == 0, replayed.out
        assert f"workspace {report['workspace']}" in replayed.out


def test_each_is_compared_with_its_own_last_build(mono: World) -> None:
    first = mono.run(*release(mono, ["s01", "s02"]), "--json")
    assert first.code == 0, first.err
    again = json.loads(mono.run(*release(mono, ["s01", "s02", "s03"]), "--json").out)
    decided = {r["workspace"]: r["decision_sha256"][:12] for r in json.loads(first.out)["reports"]}
    said = {r["workspace"]: r["baseline"] for r in again["reports"]}
    for workspace, decision in decided.items():
        assert decision in said[workspace]
    assert "bootstrap" in said["services/s03"]
    whole = mono.run("check", "shop", "--offline", "--trust", "trust.toml")
    assert "bootstrap" in whole.out, "one service's approval is not the repository's"


def test_one_that_cannot_be_decided_stops_no_other(mono: World) -> None:
    arguments = release(mono, ["s01", "s02"])
    (mono.root / "s01.tgz").unlink()
    made = mono.run(*arguments)
    assert made.code == 2
    assert "1 allowed, 1 undecided" in made.out
    assert "error: services/s01: " in made.err
    assert "s01.tgz" in made.err
    assert mono.run(*verify(mono, "s02", "services/s02")).code == 0
    told = json.loads(mono.run(*arguments, "--json").out)
    assert told["verdict"] is None
    assert [one["place"] for one in told["undecided"]] == ["services/s01"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param([], ["--subject", "nothing says what ships"], id="no subject"),
        pytest.param(["--subject", "file:s01.tgz", "--subject", "file:s02.tgz"], ["names no workspace"], id="no names"),
        pytest.param(["--subject", "services/s99=file:s01.tgz"], ["no such workspace"], id="unknown"),
        pytest.param(["--subject", "services/s01=s01.tgz"], ["not a subject"], id="no subject after the name"),
        pytest.param(
            ["--subject", "services/s01=file:s01.tgz", "--subject", "@acme/s01=file:s02.tgz"],
            ["named twice"],
            id="twice",
        ),
        pytest.param(["--subject", "a=file:s01.tgz", "--workspace", "services/s01"], ["--workspace"], id="both"),
        pytest.param(
            ["--workspace", "", "--subject", "file:s01.tgz"],
            ["--workspace", "is followed by nothing"],
            id="an unset variable",
        ),
        pytest.param(["--subjects", "none.toml"], ["none.toml"], id="no such file"),
        pytest.param(["--subjects", "s01.tgz"], ["s01.tgz"], id="not text"),
        pytest.param(["--subjects", "trust.toml"], ["trust.toml"], id="another file"),
    ],
)
def test_what_is_not_clear_is_refused(mono: World, arguments: list[str], says: list[str]) -> None:
    refused(mono, "gate", "shop", *mono.gate()[4:], *arguments, says=says)


def test_one_workspace(mono: World) -> None:
    made = mono.run("gate", "shop", "--workspace", "@acme/s02", "--subject", "file:s02.tgz", *mono.gate()[4:])
    assert made.code == 0, made.err
    assert "workspace services/s02 · 6 packages" in made.out
    assert mono.run(*verify(mono, "s02", "services/s02")).code == 0
    checked = mono.run("check", "shop", "--workspace", "services/s02", "--offline", "--trust", "trust.toml")
    assert checked.code == 0
    assert "Compared with: the build of" in checked.out


def test_check_split(mono: World) -> None:
    """Every workspace and the root: nothing is judged by nobody. Three are enough to see it."""
    for name in NUMBERS[2:]:
        shutil.rmtree(mono.project / "services" / name)
    lock = mono.project / "pnpm-lock.yaml"
    head, _, rest = lock.read_text().partition("  services/s03:\n")
    lock.write_text(head + rest[rest.index("packages:\n") :])
    made = mono.run("check", "shop", "--split", "--offline")
    assert made.code == 0, made.err
    lines = [line.split()[:3] for line in made.out[made.out.index("4 decisions: ") :].splitlines()[1:]]
    # what no workspace needs any more is the root's to answer for
    assert lines == [
        ["ALLOWED", ".", "41"],
        ["ALLOWED", "packages/log", "4"],
        ["ALLOWED", "services/s01", "6"],
        ["ALLOWED", "services/s02", "6"],
    ]


def test_generate_split(mono: World) -> None:
    made = mono.run("generate", "shop", "--split", "boms")
    assert made.code == 0, made.err
    files = sorted(path.name for path in (mono.root / "boms").iterdir())
    assert len(files) == 42
    assert {"root.cdx.json", "packages+log.cdx.json", "services+s01.cdx.json"} <= set(files)
    one = mono.run("generate", "shop", "--workspace", "services/s01")
    assert (mono.root / "boms" / "services+s01.cdx.json").read_text() == one.out
    (mono.root / "boms" / "gone.cdx.json").write_text("{}")
    again = mono.run("generate", "shop", "--split", "boms", "--workspace", "services/s01")
    assert again.code == 0
    assert "boms/gone.cdx.json" in again.err
    refused(mono, "generate", "shop", "--split", "release.key", says=["release.key"])
    refused(mono, "generate", "shop", "--workspace", "a", "--workspace", "b", says=["--workspace"])


# --------------------------------------------------------------------------------------------------------------------
# Other lockfiles in the tree


def test_other_lockfiles_of_the_tree_are_named(mono: World) -> None:
    """L32: what nobody judges is said, and where it must not be, it is denied."""
    for path in ("tools/site/yarn.lock", "node_modules/x/yarn.lock", "tests/fixture/package-lock.json"):
        (mono.project / path).parent.mkdir(parents=True)
        (mono.project / path).write_text("not read")
    (mono.project / "linked").symlink_to(mono.root)
    made = mono.run("check", "shop", "--offline", "--verbose")
    assert made.code == 0, made.out
    assert "tools/site/yarn.lock: a lockfile of its own" in made.out
    assert "tests/fixture/package-lock.json" in made.out
    assert "node_modules" not in made.out
    assert "linked" not in made.out
    (mono.project / "sbomgate.toml").write_text('[rules.lockfile_sound]\nunjudged_lockfiles = "deny"\n')
    assert mono.run("check", "shop", "--offline").code == 1
    mono.trust.write_text(
        mono.trust.read_text()
        + '\n[parameters.lockfile_sound]\njudged_elsewhere = ["tests/", "tools/site/yarn.lock"]\n'
    )
    assert mono.run("check", "shop", "--offline", "--trust", "trust.toml").code == 0


def test_several_paths(world: World) -> None:
    shutil.copytree(world.project, world.project / "site", ignore=shutil.ignore_patterns(".git"))
    made = world.run("check", "shop", "shop/site", "--offline")
    assert made.code == 0, made.err
    assert "2 decisions: 2 allowed" in made.out
    assert "ALLOWED    site/package-lock.json" in made.out
