"""`gate` binds a decision to a commit only where the checkout does not say otherwise (P12)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import jsonschema_rs
import pytest

from testkit.commandline import World, refused

IDENTITY = ("-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "commit.gpgsign=false")


def git(folder: Path, *arguments: str) -> str:
    command = ["git", *IDENTITY, "-c", "init.defaultBranch=main", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(world: World) -> str:
    """Make the project a repository with two commits; return the id of the one that is checked out."""
    (world.project / ".git").rmdir()
    git(world.project, "init", "--quiet")
    git(world.project, "add", ".")
    git(world.project, "commit", "--quiet", "--message", "one")
    (world.project / "README").write_text("two")
    git(world.project, "add", ".")
    git(world.project, "commit", "--quiet", "--message", "two")
    return git(world.project, "rev-parse", "HEAD")


def by_commit(world: World, commit: str) -> list[str]:
    return [{"file:app.tgz": f"git:{commit}"}.get(a, a) for a in world.gate()]


@pytest.mark.parametrize("how", ["branch", "detached", "packed", "tag", "worktree", "index v4", "untracked beside"])
def test_the_commit_that_is_checked_out(world: World, checkout: str, how: str) -> None:
    project = world.project
    match how:
        case "detached":
            git(project, "checkout", "--quiet", "--detach")
        case "packed":
            git(project, "pack-refs", "--all")
        case "tag":
            git(project, "tag", "-a", "v1", "--message", "v1")
            git(project, "checkout", "--quiet", "v1")
        case "worktree":
            project.rename(world.root / "main")
            git(world.root / "main", "worktree", "add", "--quiet", "-b", "other", "../shop")
        case "index v4":
            git(project, "update-index", "--index-version", "4")
        case "untracked beside":
            (project / "notes").write_text("x")
    assert world.run(*world.gate("--commit", checkout)).code == 0
    assert world.run(*by_commit(world, checkout)).code == 0
    refused(world, *world.gate("--commit", "3f" * 20), says=["--commit", checkout])
    refused(world, *by_commit(world, "3f" * 20), says=["--subject", checkout])


@pytest.mark.parametrize("path", ["package-lock.json", "package.json"])
def test_changes_that_are_in_no_commit(world: World, checkout: str, path: str) -> None:
    at = world.project / path
    at.write_text(at.read_text() + "\n")
    refused(world, *world.gate("--commit", checkout), says=[path, "not as it was committed"])
    assert world.run(*world.gate()).code == 0, "a decision that names no commit binds none"
    at.write_text(at.read_text()[:-1].replace("\n", "\r\n"))
    assert world.run(*world.gate("--commit", checkout)).code == 0, "line ends that the checkout converted"


def test_a_lockfile_that_git_does_not_track(world: World, checkout: str) -> None:
    git(world.project, "rm", "--cached", "--quiet", "package-lock.json")
    refused(world, *world.gate("--commit", checkout), says=["package-lock.json"])


def test_an_npmrc_of_the_ci_system_is_only_a_warning(world: World, checkout: str) -> None:
    (world.project / ".npmrc").write_text("fund=false\n")
    made = world.run(*world.gate("--commit", checkout))
    assert made.code == 0, made.err
    assert "warning: .npmrc" in made.err


@pytest.mark.parametrize("damage", ["HEAD", "index"])
@pytest.mark.parametrize(
    "data", [b"", b"ref: ../../../etc/passwd\n", b"DIRC\x00\x00\x00\x02\xff\xff\xff\xff", b"\xff" * 99]
)
def test_a_checkout_that_cannot_be_read_is_not_known(world: World, checkout: str, damage: str, data: bytes) -> None:
    """Whoever exports a tree without git, or uses a format that is not known here, can still release."""
    (world.project / ".git" / damage).write_bytes(data)
    assert world.run(*world.gate("--commit", checkout)).code == 0


def test_p12_what_a_deployment_will_refuse_is_said_when_it_is_gated(world: World) -> None:
    """The trust file demands what this run did not say: nobody has to find that out at the deployment."""
    said = "`verify` by this trust file will refuse it"
    demands = 'repository = "https://github.com/acme/shop"\nenvironments = ["production"]\n'
    schema = 'schema = "sbomgate/trust/v1"\n'
    world.trust.write_text(world.trust.read_text().replace(schema, schema + demands))
    made = world.run(*world.gate("--format", "markdown=summary.md"))
    assert made.code == 0, made.err
    assert said in made.err
    assert "expected 'production'; it names no repository, expected 'https://github.com/acme/shop'" in made.err
    assert "expected 'production'" in (world.root / "summary.md").read_text()
    shown = world.run(*world.verify())
    assert shown.code == 1
    assert "  Next: gate the artefact for this environment (--environment)" in shown.out
    assert "        gate the artefact with this repository (--repository)" in shown.out
    made = world.run(*world.gate("--environment", "production", "--repository", "https://github.com/acme/shop"))
    assert made.code == 0, made.err
    assert said not in made.err
    assert world.run(*world.verify()).code == 0


# --------------------------------------------------------------------------------------------------------------------
# What programs read


def test_json_is_what_the_schemas_say(world: World, repository: Path) -> None:
    schemas = repository / "schemas"
    report = jsonschema_rs.validator_for(json.loads((schemas / "report.schema.json").read_bytes()))
    verification = jsonschema_rs.validator_for(json.loads((schemas / "verification.schema.json").read_bytes()))
    for arguments in (
        ["check", "shop", "--offline", "--json"],
        ["check", "shop", "--offline", "--json", "--profile", "strict"],
        world.gate("--json"),
    ):
        report.validate(json.loads(world.run(*arguments).out))
    for arguments in (
        world.verify("--json"),
        world.verify("--json", "--environment", "nowhere"),
        ["verify", "file:release.key.pub", "--trust", "trust.toml", "--json"],
    ):
        verification.validate(json.loads(world.run(*arguments).out))


# --------------------------------------------------------------------------------------------------------------------
# Help

VERBS = ("check", "gate", "generate", "key", "replay", "trust", "verify")


@pytest.mark.parametrize("verb", VERBS)
def test_help_begins_with_examples(world: World, verb: str) -> None:
    made = world.run(verb, "--help")
    assert made.code == 0
    assert "examples:\n  sbomgate" in made.out
    assert all(len(line) <= 120 for line in made.out.splitlines())


def test_no_flag_turns_a_check_off(world: World) -> None:
    """P8: nothing is skipped, forced or ignored by a flag."""
    for verb in VERBS:
        shown = world.run(verb, "--help").out
        for word in ("--skip", "--no-", "--force", "--ignore", "--insecure", "--allow", "--time"):
            assert word not in shown, (verb, word)


def test_the_default_store_is_one_place(world: World) -> None:
    """`check shop` compares with what `gate shop` stored, from the same working directory."""
    gate = [a for a in world.gate() if a not in ("--store", "evidence")]
    assert world.run(*gate).code == 0
    made = world.run("check", "shop", "--offline", "--trust", "trust.toml")
    assert "Compared with: the build of" in made.out
