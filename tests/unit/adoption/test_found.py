from __future__ import annotations

import json

import pytest

from sbomgate import lockfiles
from sbomgate.adoption import found
from sbomgate.adoption.found import Manager
from sbomgate.project import MemoryFiles

LOCK = json.dumps(
    {
        "name": "shop",
        "version": "1.0.0",
        "lockfileVersion": 3,
        "packages": {
            "": {"name": "shop", "version": "1.0.0", "workspaces": ["web"]},
            "web": {"name": "@acme/web", "version": "1.0.0"},
            "node_modules/@acme/web": {"resolved": "web", "link": True},
        },
    }
).encode()


def look(
    more: dict[str, bytes], *, origin: str | None = None, manifest: dict[str, object] | None = None
) -> found.Found:
    own = {"name": "shop", "version": "1.0.0", "workspaces": ["web"], **(manifest or {})}
    files = MemoryFiles(
        {
            "package.json": json.dumps(own).encode(),
            "package-lock.json": LOCK,
            "web/package.json": b'{"name": "@acme/web", "version": "1.0.0"}',
            **more,
        }
    )
    graph = lockfiles.read(files, "package-lock.json")
    return found.look(graph, files, files, manager=found.manager(graph, files), origin=origin)


def test_a_plain_project() -> None:
    there = look({})
    assert (there.name, there.project_version, there.lockfile) == ("shop", "1.0.0", "package-lock.json")
    assert (there.workspaces, there.first_party, there.registries) == (1, ("@acme",), {})
    assert (there.systems, there.strangers, there.repository, there.others) == ((), (), None, ())


def test_registries_and_lockfiles_beside_it() -> None:
    there = look(
        {
            ".npmrc": b"@corp:registry=https://npm.corp.example/\nregistry=https://mirror.example/\n",
            "yarn.lock": b"# yarn lockfile v1\n",
        }
    )
    assert there.registries == {"": "https://mirror.example/", "@corp": "https://npm.corp.example/"}
    assert there.first_party == ("@acme", "@corp")
    assert there.others == ("yarn.lock",)


@pytest.mark.parametrize(
    ("files", "origin", "systems", "strangers"),
    [
        ([], None, (), ()),
        ([".gitlab-ci.yml"], None, ("gitlab",), ()),
        ([".gitlab-ci.yml", "Jenkinsfile"], None, ("gitlab", "jenkins"), ()),
        (["Jenkinsfile"], "git@github.com:acme/shop.git", ("github", "jenkins"), ()),
        ([], "https://gitlab.com/acme/shop.git", ("gitlab",), ()),
        (["azure-pipelines.yml", ".travis.yml"], None, ("azure",), ("Travis CI",)),
        ([".woodpecker.yml", ".woodpecker"], None, (), ("Woodpecker",)),
    ],
)
def test_the_ci_system(
    files: list[str], origin: str | None, systems: tuple[str, ...], strangers: tuple[str, ...]
) -> None:
    there = look(dict.fromkeys(files, b""), origin=origin)
    assert (there.systems, there.strangers) == (systems, strangers)


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        ({}, Manager(name="npm", version=None, source="")),
        (
            {"packageManager": "npm@11.10.0+sha512.abc"},
            Manager(name="npm", version=(11, 10, 0), source="packageManager in package.json"),
        ),
        ({"packageManager": "pnpm@10.0.0"}, Manager(name="npm", version=None, source="")),
        ({"packageManager": "npm@latest"}, Manager(name="npm", version=None, source="")),
        ({"packageManager": 7}, Manager(name="npm", version=None, source="")),
        ({"volta": {"npm": "10.9.2"}}, Manager(name="npm", version=(10, 9, 2), source="volta in package.json")),
        ({"volta": []}, Manager(name="npm", version=None, source="")),
    ],
)
def test_the_package_manager(manifest: dict[str, object], expected: Manager) -> None:
    assert look({}, manifest=manifest).manager == expected


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://github.com/acme/shop.git", "https://github.com/acme/shop"),
        ("https://user:secret@github.com/acme/shop", "https://github.com/acme/shop"),
        ("git@github.com:acme/shop.git", "https://github.com/acme/shop"),
        ("ssh://git@gitlab.example:2222/group/sub/shop.git", "https://gitlab.example/group/sub/shop"),
        ("https://gitea.example:8443/acme/shop/", "https://gitea.example:8443/acme/shop"),
        ("/srv/git/shop.git", None),
        ("../shop", None),
        ("file:///srv/shop", None),
        ("https://github.com/acme/shop\"\nx = 1", None),
        ("https://github.com/acme/../shop", None),
        ("https://github.com:port/acme/shop", None),
        ("https://[::1/acme", None),
        ("", None),
    ],
)  # fmt: skip
def test_the_address_of_a_remote(remote: str, address: str | None) -> None:
    assert found.https_address(remote) == address


@pytest.mark.parametrize(
    ("config", "url"),
    [
        (b'[core]\n\tbare = false\n[remote "origin"]\n\turl = git@host:a/b.git\n\tfetch = +x\n', "git@host:a/b.git"),
        (b'[remote "upstream"]\n\turl = https://a/b\n', None),
        (b'[remote "origin"]\n\tpushurl = https://a/b\n', None),
        (b'[branch "x"]\n\turl = https://a/b\n', None),
        (b"\xff\xfe", None),
    ],
)
def test_the_remote_origin(config: bytes, url: str | None) -> None:
    assert found.origin(config) == url
