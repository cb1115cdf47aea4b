"""What `--store` names: a folder, and a registry that evidence is attached in besides.

Evidence is on disk first, whatever follows: a registry that fails loses nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sbomgate.errors import EvidenceError, FetchError, InputError, UsageError

if TYPE_CHECKING:
    import httpx

    from sbomgate.cli._environment import Environment
    from sbomgate.evidence.head import View
    from sbomgate.evidence.record import Record
    from sbomgate.evidence.registry_auth import Account, DockerConfig
    from sbomgate.evidence.registry_client import Client, Repository
    from sbomgate.model import Subject

DEFAULT = "evidence"
REGISTRY = "oci:"
MAX_SUBJECT_BYTES = 1 << 40  # hashed as a stream: a limit only against a device that never ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Where evidence is kept.

    Attributes:
        folder: on disk; `shown` as it was written.
        registry: where it is attached besides, or None.
    """

    folder: Path
    shown: str
    registry: Repository | None


def parse(given: Sequence[str] | None, env: Environment) -> Store:
    """Return what `--store` names, once or twice: a folder (the default one where there is none) and a registry.

    Raises:
        UsageError: two of a kind, or no repository.
    """
    registries = [text for text in given or () if text.startswith(REGISTRY)]
    folders = [text for text in given or () if not text.startswith(REGISTRY)]
    if len(registries) > 1 or len(folders) > 1:
        raise UsageError("names more than one", where="--store", hint="give one folder, and one oci:HOST/REPO besides")
    shown = folders[0] if folders else DEFAULT
    return Store(
        folder=env.working_directory / shown,
        shown=shown,
        registry=repository(registries[0]) if registries else None,
    )


def repository(text: str) -> Repository:
    """Return the repository that `oci:HOST/REPO` names.

    Raises:
        UsageError: it names none.
    """
    from sbomgate.evidence import registry_client

    if not text.startswith(REGISTRY):
        raise UsageError("names no registry", where=text[:300], hint="give oci:HOST/REPO")
    return registry_client.repository(text.removeprefix(REGISTRY))


def subject(spec: str, env: Environment) -> Subject:
    """Return the subject that is named, its file hashed.

    Raises:
        UsageError: it is none.
        InputError: the file cannot be read.
    """
    from sbomgate import files
    from sbomgate import subject as subjects

    return subjects.parse(
        spec, lambda path: files.sha256_of(env.working_directory / path, limit=MAX_SUBJECT_BYTES, error=InputError)
    )


@contextmanager
def attaching(store: Store, env: Environment) -> Iterator[Callable[[Subject, Record], None]]:
    """Give what attaches a stored decision in the registry, where one is named, and reads it back.

    What it raises:
        EvidenceError: the decision lies on disk, and is not in the registry as it is there.
    """
    with opening(env, writes=True) as client_of:
        yield lambda about, record: _attach(store, about, record, client_of)


def _attach(store: Store, about: Subject, record: Record, client_of: Callable[[Repository], Client]) -> None:
    if store.registry is None:  # nothing that speaks to registries is imported then
        return
    from sbomgate.cli._environment import say
    from sbomgate.evidence import layout, registry
    from sbomgate.model import SubjectKind

    at = registry.home(about, store.registry)
    try:
        registry.attach(client_of(at), about, [record])
    except (EvidenceError, FetchError) as e:
        folder = layout.folder(store.folder, record.build.sha256)
        again = f"sbomgate evidence push --store {store.shown} {REGISTRY}{store.registry}"
        if about.kind is SubjectKind.OCI:
            again += f" {REGISTRY}{about.name}@{registry.digest(about)}"
        raise EvidenceError(
            f"{e.message}. The evidence is signed and lies on disk ({folder}), and is not attached",
            where=e.where,
            place=e.place,
            hint=f"{e.hint}; then `{again}` attaches it" if e.hint else f"`{again}` attaches it",
        ) from e
    say(f"attached to {REGISTRY}{at}@{registry.digest(about)}")


def attach_revocation(store: Store, bundle: bytes, env: Environment) -> None:
    """Put a stored revocation into the registry, where one is named, and read it back.

    Raises:
        EvidenceError: it lies on disk, and is not in the registry.
    """
    from sbomgate.cli._environment import say
    from sbomgate.evidence import registry

    if store.registry is None:
        return
    try:
        with opening(env, writes=True) as client_of:
            registry.attach_revocations(client_of(store.registry), [bundle])
    except (EvidenceError, FetchError) as e:
        raise EvidenceError(
            f"{e.message}. The revocation is signed and lies on disk; who verifies in the registry does not see it",
            where=e.where,
            place=e.place,
            hint=f"`sbomgate evidence push --store {store.shown} {REGISTRY}{store.registry}` puts it there",
        ) from e
    say(f"put into {REGISTRY}{store.registry}:revocations")


def find(store: str, about: Subject, env: Environment) -> tuple[Record, ...]:
    """Return the decisions on a subject in a store: a folder, or `oci:HOST/REPO`.

    Raises:
        EvidenceError: the store is not there; something in it was altered.
        FetchError: the registry cannot be read.
    """
    from sbomgate.evidence import layout

    if not store.startswith(REGISTRY):
        folder = env.working_directory / store
        if not folder.is_dir():
            raise EvidenceError("no such folder", where=store, hint="give the store with --store DIR")
        return layout.find(folder, about)
    return find_in(repository(store), about, env)


def view(store: str, env: Environment) -> View:
    """Return the head of a store and its revocations; a registry holds revocations only.

    Raises:
        EvidenceError: the log was altered, or a revocation.
        FetchError: the registry cannot be read.
    """
    from sbomgate.evidence import log, registry
    from sbomgate.evidence.head import View

    if not store.startswith(REGISTRY):
        return log.view(env.working_directory / store)
    with opening(env) as client_of:
        found = registry.revocations(client_of(repository(store)))
    return View(bundle=None, where=store, entries=(), revocations=found)


def pulled(spec: str, env: Environment, *, beside: Sequence[str] = ()) -> Path:
    """Return a store of this process's own with the evidence that is attached to `oci:HOST/REPO@sha256:DIGEST`.

    The digest is an image's, or a build manifest's. What is about another artefact is in the store too: whoever reads
    it judges each decision by its signer and by what it says. Revocations are taken from that repository and from the
    registries `beside` it.

    Raises:
        UsageError: it names no digest.
        EvidenceError: there is none, or something in it was altered.
        FetchError: it cannot be read.
    """
    import atexit
    import shutil
    import tempfile

    from sbomgate.evidence import layout, log

    about = subject(spec, env)
    records = find(f"{REGISTRY}{about.name}", about, env)
    if not records:
        raise EvidenceError("no decision is attached to it", where=spec, hint="is this the digest that was gated?")
    folder = Path(tempfile.mkdtemp(prefix="sbomgate-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for record in records:
        layout.write(folder, record)
    for store in {f"{REGISTRY}{about.name}", *(one for one in beside if one.startswith(REGISTRY))}:
        log.keep_revocations(folder, view(store, env).revocations)
    return folder


def must_be_on_disk(evidence: str, verb: str) -> None:
    """Refuse a registry where a store on disk is looked through: a registry lists what is attached to one artefact.

    Raises:
        UsageError: with the commands that copy it.
    """
    if not evidence.startswith(REGISTRY):
        return
    repository_, _, digest = evidence.partition("@")
    about = f"{repository_}@{digest}" if digest else "SUBJECT"
    raise UsageError(
        f"`{verb}` looks through a store on disk, and a registry tells of one artefact at a time",
        where=evidence[:300],
        hint=f"`sbomgate evidence pull {repository_} {about} --store copy`, then `sbomgate {verb} copy`",
    )


def pulled_build(spec: str, env: Environment) -> Path:
    """Return the folder of the build that `oci:HOST/REPO@sha256:DIGEST` names, in a store of this process's own.

    Raises:
        UsageError: it names no digest.
        EvidenceError: nothing is attached to it, or something in it was altered.
        FetchError: it cannot be read.
    """
    from sbomgate.evidence import layout
    from sbomgate.subject import build_manifest

    store = pulled(spec, env)
    builds = layout.scan(store).builds
    asked = layout.folder(store, build_manifest(subject(spec, env)).sha256)
    if asked in builds:
        return asked
    if len(builds) > 1:  # a build manifest has evidence on itself alone
        raise EvidenceError("evidence on other artefacts is attached to it, and none on this one", where=spec)
    return builds[0]


def index_of(about: Subject, index: str, env: Environment) -> Subject:
    """Return the multi-platform index that lists an image, as the registry has it.

    Args:
        about: the image.
        index: the index's digest, `sha256:…`, in the image's repository.
        env: the surroundings.

    Raises:
        UsageError: not an image, or no digest.
        EvidenceError: there is no such index, or it does not list the image.
        FetchError: it cannot be read.
    """
    from sbomgate.evidence import registry
    from sbomgate.evidence.registry_client import repository as parse_repository
    from sbomgate.model import SubjectKind

    if about.kind is not SubjectKind.OCI:
        raise UsageError("only an image is part of an index", where="--index")
    named = subject(f"{REGISTRY}{about.name}@{index}", env)
    with opening(env) as client_of:
        registry.must_list(client_of(parse_repository(about.name)), named, about)
    return named


def find_in(store: Repository, about: Subject, env: Environment) -> tuple[Record, ...]:
    """Return the decisions on a subject in a registry.

    Raises:
        EvidenceError: something in it was altered.
        FetchError: it cannot be read.
    """
    from sbomgate.evidence import registry

    with opening(env) as client_of:
        return registry.find(client_of(registry.home(about, store)), about)


@contextmanager
def opening(env: Environment, *, writes: bool = False) -> Iterator[Callable[[Repository], Client]]:
    """Give what opens a repository, each once, with the login of Docker's configuration: `$DOCKER_CONFIG`, `~/.docker`.

    What it raises:
        FetchError: that configuration cannot be read.
    """
    with ExitStack() as stack:

        @functools.cache
        def start() -> tuple[httpx.Client, DockerConfig]:
            from sbomgate.evidence.registry_client import TOTAL_SECONDS
            from sbomgate.transport import open_client

            client = open_client(**env.network, total_seconds=TOTAL_SECONDS)
            return stack.enter_context(client), _docker_config(env)

        @functools.cache
        def client_of(at: Repository) -> Client:
            from sbomgate.evidence.registry_client import Client

            http, config = start()
            return Client(http, at, lambda: _account(config, at.host, env), writes=writes)

        yield client_of


def _docker_config(env: Environment) -> DockerConfig:
    from sbomgate import files
    from sbomgate.evidence import registry_auth

    folder = env.variables.get("DOCKER_CONFIG")
    path = (env.working_directory / folder if folder else env.home / ".docker") / "config.json"
    if not path.exists():
        return registry_auth.NO_LOGIN
    data = files.read(path, limit=registry_auth.MAX_CONFIG_BYTES, error=FetchError)
    return registry_auth.read_config(data, str(path))


def _account(config: DockerConfig, host: str, env: Environment) -> Account | None:
    from sbomgate.evidence import registry_auth

    def helper(name: str, server: str) -> bytes | None:
        return registry_auth.run_helper(name, server, program=program, environment=env.variables)

    def program(command: str) -> str | None:
        import shutil

        found = shutil.which(command, path=env.variables.get("PATH"))
        if found is not None and "node_modules" in (*Path(found).parts, *Path(found).resolve().parts):
            raise FetchError("a dependency's program is given no login (P27)", where=command)
        return found

    return config.account(host, helper)
