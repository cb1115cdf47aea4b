"""`init`: a project that takes sbomgate in, of each package manager, with files that are there already, twice."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from sbomgate import config, resources, trust
from sbomgate.adoption import hardening, proposal
from sbomgate.adoption.found import SYSTEMS, Manager, parse_version
from sbomgate.cli.init import TEMPLATES
from sbomgate.project import DiskFiles
from testkit.commandline import World, refused

GITHUB = '[remote "origin"]\n\turl = git@github.com:acme/shop.git\n'
POSIX = pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")


@pytest.fixture
def fresh(world: World) -> World:
    """A world whose project nobody has gated yet."""
    shutil.rmtree(world.store)
    (world.project / ".git" / "config").write_text(GITHUB)
    manifest = json.loads(
        (world.project / "package.json").read_bytes()
    )  # else the npm on PATH is asked, which takes long
    (world.project / "package.json").write_text(json.dumps(manifest | {"packageManager": "npm@11.19.1"}))
    return world


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_first_time(fresh: World) -> None:
    """Everything is there afterwards, and `check` compares with the baseline."""
    made = fresh.run("init", "shop", "--offline")
    assert made.code == 0, made.err
    schema = resources.path(*config.SCHEMA).read_bytes()
    assert config.parse((fresh.project / "sbomgate.toml").read_bytes(), schema=schema) == config.EMPTY
    assert (fresh.project / ".sbomgate" / "config.schema.json").read_bytes() == schema
    written = (fresh.project / ".github" / "workflows" / "sbomgate.yml").read_bytes()
    template = resources.path("ci-templates", "github", "sbomgate.yml").read_bytes()
    assert written == template.replace(b"default: npm #", b"default: npm@11.19.1 #")
    beside = fresh.root / "shop-trust"
    accepted = trust.load(str(beside / "trust.toml"), project_root=fresh.project)
    assert accepted.repository == "https://github.com/acme/shop"
    assert "ALLOWED" in made.out
    checked = fresh.run("check", "shop", "--offline", "--trust", "shop-trust/trust.toml")
    assert checked.code == 0, checked.err
    assert "bootstrap" not in checked.out
    observed = fresh.run("check", "shop", "--offline", "--profile", "observe")  # adopt.md begins with it
    assert observed.code == 0, observed.err
    # (P20) what signed the baseline decides for nothing that is deployed
    shutil.copy(fresh.project / "package-lock.json", fresh.root / "deployed")
    refused_ = fresh.run("verify", "file:deployed", "--trust", "shop-trust/trust.toml", "--environment", "production")
    assert refused_.code == 1, refused_.out
    assert "environment" in refused_.out


@POSIX
def test_the_key_is_for_its_owner_alone(fresh: World) -> None:
    assert fresh.run("init", "shop", "--offline", "--no-baseline").code == 0
    key = fresh.root / "shop-trust" / "baseline.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700


def test_the_systems_are_those_that_are_looked_for() -> None:
    assert tuple(SYSTEMS) == TEMPLATES


def test_twice_is_as_once(fresh: World) -> None:
    assert fresh.run("init", "shop", "--offline", "--harden").code == 0
    before = fresh.snapshot()
    again = fresh.run("init", "shop", "--offline", "--harden")
    assert again.code == 0, again.err
    assert fresh.snapshot() == before
    assert "Wrote" not in again.out
    assert "Added" not in again.out
    assert again.out.count("Kept ") >= 6


def test_a_baseline_that_was_lost_is_made_again(fresh: World) -> None:
    assert fresh.run("init", "shop", "--offline").code == 0
    shutil.rmtree(fresh.store)
    again = fresh.run("init", "shop", "--offline")
    assert again.code == 0, again.err
    checked = fresh.run("check", "shop", "--offline", "--trust", "shop-trust/trust.toml")
    assert "Compared with: the build of" in checked.out


def test_a_dry_run_writes_nothing_and_decides_nothing(fresh: World) -> None:
    before = fresh.snapshot()
    made = fresh.run("init", "shop", "--dry-run", "--harden", "--offline")
    assert made.code == 0, made.err
    assert fresh.snapshot() == before
    assert "Would write sbomgate.toml" in made.out
    assert "ALLOWED" not in made.out


def test_what_is_there_is_kept_and_what_differs_is_shown(fresh: World) -> None:
    mine = b'profile = "strict"\n# \x1b[31mred\n'
    (fresh.project / "sbomgate.toml").write_bytes(mine)
    workflow = fresh.project / ".github" / "workflows" / "sbomgate.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_bytes(b"on: push\n")
    made = fresh.run("init", "shop", "--offline", "--no-baseline")
    assert made.code == 0, made.err
    assert (fresh.project / "sbomgate.toml").read_bytes() == mine
    assert workflow.read_bytes() == b"on: push\n"
    assert '-profile = "strict"' in made.out
    assert "-on: push" in made.out
    assert "\x1b" not in made.out


def test_the_organisations_trust_file_is_taken_as_it_is(fresh: World) -> None:
    """Without a key nobody signs; with one that it accepts there is a baseline."""
    before = fresh.trust.read_bytes()
    made = fresh.run("init", "shop", "--offline", "--trust", "trust.toml")
    assert made.code == 0, made.err
    assert "--key FILE" in made.out
    assert not fresh.store.exists()
    signed = fresh.run("init", "shop", "--offline", "--trust", "trust.toml", "--key", "release.key")
    assert signed.code == 0, signed.err
    assert fresh.store.is_dir()
    assert fresh.trust.read_bytes() == before
    assert not (fresh.root / "shop-trust").exists()


def test_a_denied_project_is_told_so(fresh: World) -> None:
    """The files are there, the baseline is not: exit code 1."""
    (fresh.project / "sbomgate.toml").write_text('profile = "release"\n')
    made = fresh.run("init", "shop", "--offline")
    assert made.code == 1, made.err
    assert "DENIED" in made.out
    assert "run `sbomgate init` again" in made.out
    assert (fresh.root / "shop-trust" / "trust.toml").is_file()
    (fresh.project / "sbomgate.toml").write_text("")
    again = fresh.run("init", "shop", "--offline")  # what was denied is no baseline, and what is put right becomes one
    assert again.code == 0, again.err
    assert "ALLOWED" in again.out
    assert "run `sbomgate init` again" not in again.out


def test_no_template_where_none_is_asked_for(fresh: World) -> None:
    made = fresh.run("init", "shop", "--offline", "--no-baseline", "--ci", "none")
    assert "no template asked for (also there: GitHub Actions)" in made.out


def test_a_project_without_git_and_ci(fresh: World) -> None:
    shutil.rmtree(fresh.project / ".git")
    made = fresh.run("init", "shop", "--offline", "--no-baseline")
    assert made.code == 0, made.err
    assert "no CI system with a template" in made.out
    assert not (fresh.project / ".github").exists()
    text = (fresh.root / "shop-trust" / "trust.toml").read_text()
    assert "release.key" not in text
    assert (fresh.root / "shop-trust" / "release.key").is_file()


def test_a_project_below_the_root_is_told_what_the_template_needs(fresh: World) -> None:
    web = fresh.project / "web"
    web.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(fresh.project / name, web)
    told = fresh.run("init", "shop/web", "--ci", "github", "--no-baseline")
    assert told.code == 0, told.err
    assert "tell the template the project's folder: web" in told.out
    assert "move evidence/ to the repository's root" in told.out, "it was run outside of the root"
    assert "tell the template" not in fresh.run("init", "shop", "--ci", "github", "--no-baseline").out


@pytest.mark.parametrize("system", TEMPLATES)
def test_the_templates_of_each_system(fresh: World, system: str) -> None:
    made = fresh.run("init", "shop", "--offline", "--no-baseline", "--ci", system)
    assert made.code == 0, made.err
    manager = Manager(name="npm", version=(11, 19, 1), source="packageManager in package.json")
    there = set(tree(fresh.project).values())
    assert {
        proposal.template(path.read_bytes(), manager)
        for path in resources.path("ci-templates", system).rglob("*")
        if path.is_file()
    } <= there


@POSIX
@pytest.mark.parametrize("name", ["sbomgate.toml", ".sbomgate", ".github", ".npmrc"])
def test_nothing_is_written_through_a_link(fresh: World, name: str) -> None:
    """A repository from elsewhere cannot make `init` write outside of it."""
    outside = fresh.root / "outside"
    outside.mkdir()
    target = outside / "npmrc"
    target.write_bytes(b"")
    is_folder = name in (".sbomgate", ".github")
    (fresh.project / name).symlink_to(outside if is_folder else target)
    refused(fresh, "init", "shop", "--offline", "--harden", says=[name])


REFUSED = {
    "an SBOM": (["init", "bom.json"], "SBOM"),
    "no lockfile": (["init", "empty"], "no lockfile"),
    "a trust file inside": (["init", "shop", "--trust", "shop/ci/trust.toml"], "repository under test"),
    "a trust file that is none": (["init", "shop", "--trust", "app.tgz"], "app.tgz"),
    "a key without a trust file": (["init", "shop", "--key", "release.key"], "--key"),
    "a wrong digest": (["init", "shop", "--trust", f"trust.toml@sha256:{'0' * 64}"], "expected"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(fresh: World, case: str) -> None:
    """P1, P21: nothing is written."""
    arguments, says = REFUSED[case]
    (fresh.root / "empty").mkdir()
    bom = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": []}
    (fresh.root / "bom.json").write_text(json.dumps(bom))
    refused(fresh, *arguments, "--offline", says=[says], hint="is none" not in case)


@POSIX
@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_place_that_cannot_be_written(fresh: World) -> None:
    fresh.project.chmod(0o500)
    try:
        made = fresh.run("init", "shop", "--offline")
        assert made.code == 2
        assert "cannot be written" in made.err
    finally:
        fresh.project.chmod(0o700)


def test_hostile_names(fresh: World) -> None:
    """P39: what a project calls itself moves no cursor and is no command to a CI system."""
    for name in ("package.json", "package-lock.json"):
        text = (fresh.project / name).read_text().replace('"3.2.0"', '"1.0.0\\u001b[31m"')
        (fresh.project / name).write_text(text)
    (fresh.project / ".git" / "config").write_text('[remote "origin"]\n\turl = https://a/b"\\nsigners=[]\n')
    (fresh.project / ".npmrc").write_text("@acme:registry=https://x.example/\x1b[2J\n##vso[task.x]\n")
    made = fresh.run("init", "shop", "--offline", "--no-baseline")
    assert made.code == 0, made.err
    assert "\x1b" not in made.out + made.err
    assert "##vso[" not in made.out
    trust.load(str(fresh.root / "shop-trust" / "trust.toml"), project_root=fresh.project)


# --------------------------------------------------------------------------------------------------------------------
# The package managers themselves read what was written

NODE_MODULES = Path(__file__).resolve().parents[2] / ".tools" / "managers" / "node_modules"
# Package manager → its package, its program there, how it is asked, and what it says then.
ASKED = {
    "npm": (
        "npm",
        "npm/bin/npm-cli.js",
        "config get ignore-scripts min-release-age save-exact",
        ["ignore-scripts=true", "min-release-age=3", "save-exact=true"],
    ),
    "pnpm": ("pnpm", "@pnpm/exe.*/pnpm", "config get minimumReleaseAge", ["4320"]),
    "yarn": (
        "@yarnpkg/cli-dist",
        "@yarnpkg/cli-dist/bin/yarn.js",
        "config --json enableScripts npmMinimalAgeGate defaultSemverRangePrefix",
        ['"defaultSemverRangePrefix","effective":""', '"enableScripts","effective":false', '"effective":4320'],
    ),
    "yarn-classic": ("yarn", "yarn/bin/yarn.js", "config get ignore-scripts", ["true"]),
}


def hardened(project: Path, name: str, package: str) -> Path:
    """Write hardened settings for the package manager as it is installed, and return the file."""
    text = json.loads((NODE_MODULES / package / "package.json").read_bytes())["version"]
    manager = Manager(name=name, version=parse_version(text), source="a test")
    made = hardening.plan(manager, DiskFiles(project), minimum_age_hours=72)
    assert made.after is not None
    assert not made.notes
    (project / made.path).write_bytes(made.after)
    return project / made.path


@pytest.mark.managers
@pytest.mark.parametrize("name", ASKED)
def test_the_package_manager_obeys(tmp_path: Path, name: str) -> None:
    package, entry, arguments, expected = ASKED[name]
    (tmp_path / "package.json").write_text('{"name": "shop", "version": "1.0.0"}')
    (tmp_path / "yarn.lock").write_text("")
    hardened(tmp_path, name, package)
    (program,) = NODE_MODULES.glob(entry)
    command = [str(program)] if program.suffix != ".js" else ["node", str(program)]
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "YARN_ENABLE_TELEMETRY": "0", "YARN_IGNORE_PATH": "1"}
    said = subprocess.run(
        [*command, *arguments.split()], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=True
    )
    for text in expected:
        assert text in said.stdout


@pytest.mark.managers
def test_bun_obeys(tmp_path: Path) -> None:
    """bun tells no setting: it runs the project's own script where scripts are on, and not where they are off."""
    bun = next((NODE_MODULES / "@oven").glob("bun-linux-x64*/bin/bun"))
    (tmp_path / "package.json").write_text(
        '{"name": "shop", "version": "1.0.0", "scripts": {"postinstall": "echo > ran"}}'
    )
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}

    def install() -> bool:
        subprocess.run([bun, "install"], cwd=tmp_path, env=env, capture_output=True, timeout=120, check=True)
        return (tmp_path / "ran").is_file()

    settings = hardened(tmp_path, "bun", "bun")
    assert not install()
    settings.unlink()
    assert install()
