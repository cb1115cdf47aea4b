"""What a project is, as far as its files tell: nothing is run, nothing is asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from sbomgate.model import DependencyGraph, Kind, ProjectFiles
from sbomgate.strict_json import load_object

SYSTEMS = {
    "github": "GitHub Actions",
    "gitlab": "GitLab CI",
    "azure": "Azure Pipelines",
    "jenkins": "Jenkins",
}
"""Folder of ci-templates/ → what people call the system."""

_SIGNS = {
    "github": (".github/workflows",),
    "gitlab": (".gitlab-ci.yml",),
    "azure": ("azure-pipelines.yml", "azure-pipelines.yaml", ".azure-pipelines", ".azuredevops"),
    "jenkins": ("Jenkinsfile",),
}
# Systems without a template of ours: what `init` says there is the two commands.
_WITHOUT_TEMPLATE = {
    ".circleci": "CircleCI",
    ".travis.yml": "Travis CI",
    "bitbucket-pipelines.yml": "Bitbucket Pipelines",
    ".drone.yml": "Drone",
    ".woodpecker.yml": "Woodpecker",
    ".woodpecker": "Woodpecker",
    ".buildkite": "Buildkite",
    ".teamcity": "TeamCity",
    ".gitea/workflows": "Gitea Actions",
    ".forgejo/workflows": "Forgejo Actions",
}
_HOSTS = {"github.com": "github", "gitlab.com": "gitlab", "dev.azure.com": "azure"}

_VERSION = re.compile(r"v?(\d{1,6})\.(\d{1,6})\.(\d{1,6})(?:[-+][0-9A-Za-z.+-]{0,200})?")
_YARN_RELEASE = re.compile(r"(?:^|/)yarn-(\d{1,6}\.\d{1,6}\.\d{1,6})(?:[-+][0-9A-Za-z.+-]{0,100})?\.[cm]?js$")
_SCP = re.compile(r"(?:[^@/:\s]+@)?(?P<host>[A-Za-z0-9.-]+):(?P<path>[^/\s].*)")
_EXACT_URL = re.compile(r"https://[A-Za-z0-9.:-]+/[A-Za-z0-9._~/-]+")
_SCOPE = re.compile(r"@[a-z0-9~-][a-z0-9._~-]{0,200}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manager:
    """The package manager at hand.

    Attributes:
        name: npm, pnpm, yarn (2 and later), yarn-classic or bun.
        version: major, minor, patch; None where nothing tells.
        source: what told it, for people; "" where nothing did.
    """

    name: str
    version: tuple[int, int, int] | None
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a project is.

    Attributes:
        name, project_version: of package.json; "" and None where it has none.
        lockfile: the one that is judged; `others` are lockfiles of other managers beside it, which nobody gates.
        packages: entries of it, without the project itself; `workspaces` of them are the project's own.
        registries: scope ("" is the default) → URL, those that are not the public one.
        first_party: scopes that look like the project's own: of its packages' names, or with a registry of their own.
        systems: CI systems with a template of ours, the likeliest first; `strangers` without, by name.
        repository: its https address by the remote `origin`; None where there is none that can be written exactly.
    """

    name: str
    project_version: str | None
    lockfile: str
    others: tuple[str, ...]
    manager: Manager
    packages: int
    workspaces: int
    registries: Mapping[str, str]
    first_party: tuple[str, ...]
    systems: tuple[str, ...]
    strangers: tuple[str, ...]
    repository: str | None


def look(
    graph: DependencyGraph, project: ProjectFiles, repository: ProjectFiles, *, manager: Manager, origin: str | None
) -> Found:
    """Return what a project is.

    Args:
        graph: of its lockfile.
        project: the files of the lockfile's folder.
        repository: the files of the repository, where CI systems have theirs.
        manager: of `manager`.
        origin: the URL of git's remote `origin`, or None.

    Raises:
        InputError: package.json is malformed.
    """
    from sbomgate import lockfiles
    from sbomgate.lockfiles._npmrc import PUBLIC_REGISTRY

    root = graph.packages[0]
    own = [package for package in graph.packages if package.kind in (Kind.ROOT, Kind.WORKSPACE)]
    registries = {"": graph.manager.registry, **graph.manager.scopes}
    registries = {scope: url for scope, url in sorted(registries.items()) if url != PUBLIC_REGISTRY}
    scopes = {name.partition("/")[0] for name in (package.name for package in own) if name.startswith("@")}
    scopes |= {scope for scope in registries if scope}
    address = None if origin is None else https_address(origin)
    systems = [name for name, paths in _SIGNS.items() if any(repository.has(path) for path in paths)]
    host = None if address is None else _HOSTS.get(urlsplit(address).hostname or "")
    if host is not None:  # where the repository lies says more than a file that was left behind
        systems = [host, *(name for name in systems if name != host)]
    kind = lockfiles.READERS.get(graph.lockfile.path.rpartition("/")[2])
    return Found(
        name=root.name,
        project_version=root.version,
        lockfile=graph.lockfile.path,
        others=tuple(name for name, reader in lockfiles.READERS.items() if reader != kind and project.has(name)),
        manager=manager,
        packages=len(graph.packages) - 1,
        workspaces=len(lockfiles.workspaces(graph)) - 1,
        registries=registries,
        first_party=tuple(sorted(scope for scope in scopes if _SCOPE.fullmatch(scope))),
        systems=tuple(systems),
        strangers=tuple(dict.fromkeys(word for path, word in _WITHOUT_TEMPLATE.items() if repository.has(path))),
        repository=address,
    )


def manager(graph: DependencyGraph, project: ProjectFiles) -> Manager:
    """Return the package manager that the project says it is installed with; the lockfile decides which one it is.

    Raises:
        InputError: package.json is malformed.
    """
    name = graph.lockfile.kind
    if name == "yarn" and "yarn.lock" in graph.lockfile.path and graph.lockfile.version in ("1", "v1"):
        name = "yarn-classic"
    data = project.read("package.json")
    manifest = {} if data is None else load_object(data, "package.json")
    tool = name.partition("-")[0]
    pinned = manifest.get("packageManager")
    if type(pinned) is str and pinned.startswith(f"{tool}@") and (version := parse_version(pinned[len(tool) + 1 :])):
        return Manager(name=name, version=version, source="packageManager in package.json")
    for key, value in sorted(graph.manager.settings.items()):
        if key in ("yarnPath", "yarn-path") and (match := _YARN_RELEASE.search(value)):
            return Manager(name=name, version=parse_version(match[1]), source=f"{key} in yarn's settings")
    volta = manifest.get("volta")
    pinned = volta.get(tool) if type(volta) is dict else None
    if type(pinned) is str and (version := parse_version(pinned)):
        return Manager(name=name, version=version, source="volta in package.json")
    return Manager(name=name, version=None, source="")


def parse_version(text: str) -> tuple[int, int, int] | None:
    """Return major, minor and patch of an exact version; None for anything else."""
    match = _VERSION.fullmatch(text.strip())
    return None if match is None else (int(match[1]), int(match[2]), int(match[3]))


def https_address(remote: str) -> str | None:
    """Return the https address of a git remote (https, ssh, scp-like), without user, `.git` and port of ssh; else None.

    What could not stand in a trust file as one exact value is None as well.
    """
    remote = remote.strip()
    if "://" not in remote:
        match = _SCP.fullmatch(remote)
        if match is None:
            return None
        host, path = match["host"], match["path"]
    else:
        try:
            parts = urlsplit(remote)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            return None
        if parts.scheme not in ("https", "http", "ssh", "git", "git+ssh"):
            return None
        path = parts.path
        if port is not None and parts.scheme in ("https", "http"):
            host = f"{host}:{port}"
    found = f"https://{host.lower()}/{path.strip('/').removesuffix('.git').rstrip('/')}"
    return found if _EXACT_URL.fullmatch(found) and ".." not in found else None


def origin(config: bytes) -> str | None:
    """Return the URL of the remote `origin` in the bytes of git's `config`, or None.

    Only what git itself writes there is understood: a section line, and `url = …` in it.
    """
    section = ""
    for raw in config.decode("utf-8", "replace").splitlines():
        line = raw.strip()
        if line.startswith("["):
            section = line
        elif section == '[remote "origin"]' and (match := re.fullmatch(r"url\s*=\s*(\S+)", line)):
            return match[1].strip('"')
    return None
