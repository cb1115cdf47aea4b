from __future__ import annotations

import tomllib
from dataclasses import replace

import pytest

from sbomgate import config, resources, trust
from sbomgate.adoption import proposal
from sbomgate.adoption.found import SYSTEMS, Found, Manager
from sbomgate.errors import TrustError
from sbomgate.model import Trust
from sbomgate.signing import local_key

FOUND = Found(
    name="shop",
    project_version="1.0.0",
    lockfile="package-lock.json",
    others=(),
    manager=Manager(name="npm", version=(11, 19, 1), source="a test"),
    packages=3,
    workspaces=0,
    registries={"": "https://mirror.example/", "@acme": 'https://npm.acme.example/"\n'},
    first_party=("@acme",),
    systems=("github",),
    strangers=(),
    repository="https://github.com/acme/shop",
)


@pytest.fixture(scope="module")
def public_key(tmp_path_factory: pytest.TempPathFactory) -> str:
    return local_key.generate(tmp_path_factory.mktemp("key") / "a.key").public_key


def parsed(found: Found, system: str | None, public_key: str) -> Trust:
    text = proposal.trust(found, system, public_key=public_key)

    def pinned(name: str, _: str) -> bytes:
        raise TrustError("names a file", where=name)

    return trust.parse(text.encode(), pinned=pinned)


def test_the_settings_hold_and_say_nothing_yet() -> None:
    """A profile that stood there would refuse the pipeline's `--profile observe`, the first step of docs/adopt.md."""
    schema = resources.path(*config.SCHEMA).read_bytes()
    assert config.parse(proposal.config().encode(), schema=schema) == config.EMPTY
    first = proposal.config().splitlines()[0]
    assert first == f"#:schema ./{proposal.SCHEMA_COPY}"


def test_the_settings_hold_with_their_comments_taken_away() -> None:
    """What is proposed in comments is right as well."""
    lines = [line.removeprefix("# ") for line in proposal.config().splitlines()]
    rest = "\n".join(line for line in lines if line.startswith("[") or " = " in line)
    tomllib.loads(rest)
    schema = resources.path(*config.SCHEMA).read_bytes()
    assert config.parse(rest.encode(), schema=schema).rules == {"release_age": {"minimum_age_hours": 168}}


@pytest.mark.parametrize(
    ("system", "repository", "identity"),
    [
        ("github", "https://github.com/acme/shop", "https://github.com/acme/shop/.github/workflows/sbomgate.yml@refs/tags/v*"),
        ("gitlab", "https://gitlab.com/acme/shop", "https://gitlab.com/acme/shop//.gitlab-ci.yml@refs/tags/v*"),
        ("github", "https://github.acme.example/acme/shop", None),
        ("jenkins", "https://github.com/acme/shop", None),
        (None, "https://github.com/acme/shop", None),
        ("github", None, None),
    ],
)  # fmt: skip
def test_who_signs(system: str | None, repository: str | None, identity: str | None, public_key: str) -> None:
    """P20: where CI signs, the local key decides for no environment that anything is deployed to."""
    made = parsed(replace(FOUND, repository=repository), system, public_key)
    assert made.repository == repository
    if identity is None:
        assert [signer.environments for signer in made.signers] == [()]
        return
    workflow, key = made.signers
    assert workflow.environments == ("production",)
    assert key.environments == (proposal.BOOTSTRAP,)
    assert made.environments == ("production",)
    assert identity in proposal.trust(replace(FOUND, repository=repository), system, public_key=public_key)


def test_what_was_found_in_the_project_is_not_trusted(public_key: str) -> None:
    """P21: registries and scopes of the project stand in the trust file as comments only, whatever they are called."""
    made = parsed(FOUND, "github", public_key)
    assert (made.registries, made.first_party, made.approved_scripts) == ((), (), ())
    text = proposal.trust(FOUND, "github", public_key=public_key)
    assert '# url = "https://npm.acme.example/\\"\\n"' in text
    assert '# first_party = ["@acme"]' in text


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_has_templates_with_places_of_their_own(system: str) -> None:
    folder = resources.path("ci-templates", system)
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    places = {proposal.destination(system, name) for name in names}
    assert len(places) == len(names) > 0
    assert all("sbomgate" in place for place in places)
    assert proposal.ci_steps(system, FOUND)


def test_a_manager_whose_version_nobody_knows_is_said() -> None:
    pnpm = replace(FOUND, manager=Manager(name="pnpm", version=None, source=""))
    assert any("pnpm@" in step for step in proposal.ci_steps("github", pnpm))


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(
    ("manager", "written"),
    [
        (Manager(name="npm", version=None, source=""), b"npm"),
        (Manager(name="npm", version=(11, 19, 1), source="the one on PATH"), b"npm"),
        (Manager(name="npm", version=(11, 19, 1), source="packageManager in package.json"), b"npm@11.19.1"),
        (Manager(name="pnpm", version=(12, 21, 0), source="the one on PATH"), b"pnpm@12.21.0"),
        (Manager(name="yarn-classic", version=None, source=""), b"yarn-classic"),
    ],
)
def test_the_template_installs_with_the_manager_that_was_found(system: str, manager: Manager, written: bytes) -> None:
    """One place in one file, and nothing else of any."""
    folder = resources.path("ci-templates", system)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    after = {path: proposal.template(data, manager) for path, data in before.items()}
    word = b"init writes here what it finds"
    (line,) = [line for data in after.values() for line in data.splitlines() if word in line]
    (was,) = [line for data in before.values() for line in data.splitlines() if word in line]
    assert line == was.replace(b"npm", written, 1)
    assert sum(map(len, after.values())) - sum(map(len, before.values())) == len(written) - len(b"npm")
