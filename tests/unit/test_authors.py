"""Who made a change, on verified identity, over histories that the real git made (P30, W05)."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sbomgate import authors, sshsig, trust
from sbomgate.cli import _worktree
from sbomgate.model import Authors, Person, TokenIssuer, Trust
from testkit import tokens
from testkit.commits import Repository, ssh_key

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LOCK = "package-lock.json"
BEFORE = {LOCK: "before\n", "package.json": "{}\n"}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("keys")
    for who in ("ann", "bob", "eve"):
        ssh_key(folder / who)
    return {who: folder / who for who in ("ann", "bob", "eve")}


@pytest.fixture
def people(keys: dict[str, Path]) -> Trust:
    """Ann and Bob have keys, addresses and accounts; nobody knows Eve."""
    known = tuple(
        Person(
            name=who,
            addresses=(f"{who}@example.test",),
            ssh_keys=(sshsig.public_key(keys[who].with_suffix(".pub").read_text()),),
            accounts=(("github", number),),
        )
        for who, number in (("ann", "1"), ("bob", "2"))
    )
    issuer = TokenIssuer(
        name="github", issuer=tokens.ISSUER, keys=tokens.KEYS, audience="sbomgate", account="actor_id",
        repository="acme/shop",
    )  # fmt: skip
    return replace(trust.NOBODY, people=known, token_issuers=(issuer,))


@pytest.fixture
def repository(tmp_path: Path, keys: dict[str, Path]) -> Repository:
    """A repository whose first commit is the approved build."""
    made = Repository.new(tmp_path / "repository")
    made.commit(BEFORE)
    return made


def made_by(
    repository: Repository, people: Trust, *, token: str | None = None, judged: dict[str, str] | None = None,
    approved: dict[str, str] | None = None,
) -> Authors:  # fmt: skip
    files = {name: (repository.root / name).read_bytes() for name in BEFORE if (repository.root / name).is_file()}
    files |= {name: text.encode() for name, text in (judged or {}).items()}
    before = BEFORE if approved is None else approved
    with _worktree.objects(repository.root) as objects:
        return authors.of_change(
            head=_worktree.head(repository.root),
            judged=files,
            approved={name: hashlib.sha256(text.encode()).hexdigest() for name, text in before.items()},
            read=objects.read,
            trust=people,
            token=token,
            now=NOW,
        )


def signed(repository: Repository, keys: dict[str, Path]) -> None:
    repository.commit({LOCK: "after\n"}, key=keys["ann"])


def packed(repository: Repository, keys: dict[str, Path]) -> None:
    for number in range(8):  # so that trees and blobs become deltas
        repository.commit({f"docs/{number}": "text\n" * 50, LOCK: "line\n" * 200 + f"{number}\n"}, key=keys["ann"])
    repository.git("repack", "-q", "-a", "-d", "-f", "--depth=50")
    assert not list((repository.root / ".git" / "objects").glob("[0-9a-f][0-9a-f]"))


def two_people(repository: Repository, keys: dict[str, Path]) -> None:
    repository.commit({LOCK: "between\n"}, key=keys["ann"])
    repository.commit({"README": "x"}, author="eve@example.test")  # changes nothing that is judged
    repository.commit({LOCK: "after\n"}, key=keys["bob"], author="bob@example.test")


def signs_for_another(repository: Repository, keys: dict[str, Path]) -> None:
    repository.commit({LOCK: "after\n"}, key=keys["ann"], author="Bob@Example.test")


def names_another(repository: Repository, keys: dict[str, Path]) -> None:
    repository.commit({LOCK: "after\n"}, key=keys["ann"], message="x\n\nCo-Authored-By: B <bob@example.test>")


def merged(repository: Repository, keys: dict[str, Path]) -> None:
    """A pull request that somebody unknown merges: the merge takes its files as they are."""
    repository.git("checkout", "--quiet", "-b", "update")
    repository.commit({LOCK: "after\n"}, key=keys["ann"])
    repository.git("checkout", "--quiet", "main")
    repository.commit({"README": "meanwhile"}, author="eve@example.test")
    repository.merge("update", author="noreply@forge.test")


def reverted(repository: Repository, keys: dict[str, Path]) -> None:
    """What Eve did and somebody undid again is no part of the change."""
    repository.commit({LOCK: "evil\n"}, author="eve@example.test")
    repository.commit({LOCK: BEFORE[LOCK]}, author="eve@example.test")
    repository.commit({LOCK: "after\n"}, key=keys["bob"], author="bob@example.test")


def unchanged(repository: Repository, keys: dict[str, Path]) -> None:
    repository.commit({"README": "x"}, author="eve@example.test")


@pytest.mark.parametrize(
    ("change", "who"),
    [
        (signed, ("ann",)),
        (packed, ("ann",)),
        (two_people, ("ann", "bob")),
        (signs_for_another, ("ann", "bob")),
        (names_another, ("ann", "bob")),
        (merged, ("ann",)),
        (reverted, ("bob",)),
        (unchanged, ()),
    ],
    ids=lambda one: getattr(one, "__name__", None),
)
def test_signed_commits_prove_who_made_the_change(
    repository: Repository,
    keys: dict[str, Path],
    people: Trust,
    change: Callable[[Repository, dict[str, Path]], None],
    who: tuple[str, ...],
) -> None:
    """P30"""
    change(repository, keys)
    found = made_by(repository, people)
    assert found.known, found.reason
    assert found.people == who


def not_signed(repository: Repository, keys: dict[str, Path]) -> None:
    repository.commit({LOCK: "after\n"})


def by_a_stranger(repository: Repository, keys: dict[str, Path]) -> None:
    repository.commit({LOCK: "after\n"}, key=keys["eve"])


def for_a_stranger(repository: Repository, keys: dict[str, Path]) -> None:
    repository.commit({LOCK: "after\n"}, key=keys["ann"], author="other@example.test")


def merge_that_rolls_back(repository: Repository, keys: dict[str, Path]) -> None:
    """The merge keeps the files of the older side: that is a choice, and nobody signed it."""
    repository.git("checkout", "--quiet", "-b", "fix")
    repository.commit({LOCK: "fixed\n"}, key=keys["ann"])
    repository.git("checkout", "--quiet", "main")
    repository.commit({LOCK: "other\n"}, key=keys["ann"])
    repository.merge("fix", "-s", "ours", author="ann@example.test")


def amended(repository: Repository, keys: dict[str, Path]) -> None:
    """The signature of another commit, put on this one."""
    repository.commit({LOCK: "after\n"}, key=keys["ann"])
    data = subprocess.run(
        ["git", "cat-file", "commit", "HEAD"], cwd=repository.root, check=True, capture_output=True
    ).stdout
    forged = repository.root / "forged"
    forged.write_bytes(data.replace(b"a change", b"a forgery"))
    oid = repository.git("hash-object", "-t", "commit", "-w", "forged")
    forged.unlink()
    repository.git("update-ref", "HEAD", oid)


def gpg(repository: Repository, keys: dict[str, Path]) -> None:
    repository.commit({LOCK: "after\n"})
    data = subprocess.run(
        ["git", "cat-file", "commit", "HEAD"], cwd=repository.root, check=True, capture_output=True
    ).stdout
    signature = b"gpgsig -----BEGIN PGP SIGNATURE-----\n \n AAAA\n -----END PGP SIGNATURE-----\n\n"
    forged = repository.root / "forged"
    forged.write_bytes(data.replace(b"\n\n", b"\n" + signature, 1))
    oid = repository.git("hash-object", "-t", "commit", "-w", "forged")
    forged.unlink()
    repository.git("update-ref", "HEAD", oid)


def a_link(repository: Repository, keys: dict[str, Path]) -> None:
    (repository.root / "other").write_text("after\n")
    (repository.root / LOCK).unlink()
    (repository.root / LOCK).symlink_to("other")
    repository.commit(key=keys["ann"])


def shallow(repository: Repository, keys: dict[str, Path]) -> None:
    repository.commit({LOCK: "after\n"}, key=keys["ann"])
    first = repository.git("rev-parse", "HEAD~1")
    (repository.root / ".git" / "objects" / first[:2] / first[2:]).unlink()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (not_signed, "is not signed"),
        (by_a_stranger, "a key that no person"),
        (for_a_stranger, "'other@example.test'"),
        (merge_that_rolls_back, "is not signed"),
        (amended, "does not hold"),
        (gpg, "only SSH signatures"),
        (a_link, "symbolic link"),
        (shallow, "fetch-depth: 0"),
    ],
    ids=lambda one: getattr(one, "__name__", None),
)
def test_what_proves_nothing_leaves_the_author_unknown(
    repository: Repository,
    keys: dict[str, Path],
    people: Trust,
    change: Callable[[Repository, dict[str, Path]], None],
    reason: str,
) -> None:
    """P30"""
    change(repository, keys)
    found = made_by(repository, people)
    assert not found.known
    assert reason in found.reason


@pytest.mark.parametrize("change", [signed, packed, merged, two_people], ids=lambda one: one.__name__)
def test_a_repository_of_sha256_is_read_as_one_of_sha1(
    tmp_path: Path, keys: dict[str, Path], people: Trust, change: Callable[[Repository, dict[str, Path]], None]
) -> None:
    """P30: ids of 64 digits, packs and trees of 32 bytes an id, signatures under a name of their own."""
    repository = Repository.new(tmp_path / "repository", "sha256")
    repository.commit(BEFORE)
    change(repository, keys)
    assert len(repository.head) == 64
    found = made_by(repository, people)
    assert found.known, found.reason
    assert "ann" in found.people
    assert _worktree.committed_at(repository.root) is not None
    files = {name: (repository.root / name).read_bytes() for name in BEFORE}
    assert _worktree.changed(repository.root, files) == ()
    assert _worktree.changed(repository.root, {**files, LOCK: b"edited", "new": b""}) == ("new", LOCK)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (not_signed, "is not signed"),
        (by_a_stranger, "a key that no person"),
        (amended, "does not hold"),
        (gpg, "of a repository of the other hash"),
        (shallow, "fetch-depth: 0"),
    ],
    ids=lambda one: getattr(one, "__name__", None),
)
def test_in_a_repository_of_sha256_no_more_is_believed(
    tmp_path: Path,
    keys: dict[str, Path],
    people: Trust,
    change: Callable[[Repository, dict[str, Path]], None],
    reason: str,
) -> None:
    """P30"""
    repository = Repository.new(tmp_path / "repository", "sha256")
    repository.commit(BEFORE)
    change(repository, keys)
    found = made_by(repository, people)
    assert not found.known
    assert reason in found.reason


def test_the_files_that_are_judged_are_those_of_the_commit(
    repository: Repository, keys: dict[str, Path], people: Trust
) -> None:
    signed(repository, keys)
    assert "not as the commit" in made_by(repository, people, judged={LOCK: "edited\n"}).reason
    assert "not as the commit" in made_by(repository, people, judged={".npmrc": "registry=x\n"}).reason
    assert made_by(repository, people, judged={LOCK: "after\r\n"}).known, "a checkout may convert line ends"


def test_without_an_approved_build_the_whole_history_counts(
    repository: Repository, keys: dict[str, Path], people: Trust
) -> None:
    signed(repository, keys)
    assert "is not signed" in made_by(repository, people, approved={}).reason


def test_a_file_that_is_gone_was_taken_away_by_somebody(
    repository: Repository, keys: dict[str, Path], people: Trust
) -> None:
    (repository.root / "package.json").unlink()
    repository.commit(key=keys["bob"], author="bob@example.test")
    assert made_by(repository, people).people == ("bob",)


def test_a_tree_that_no_git_writes_is_not_read(repository: Repository, keys: dict[str, Path], people: Trust) -> None:
    signed(repository, keys)
    (repository.root / "tree").write_bytes(b"100644 package-lock.json")
    tree = repository.git("hash-object", "-t", "tree", "-w", "--literally", "tree")
    (repository.root / "tree").unlink()
    data = subprocess.run(
        ["git", "cat-file", "commit", "HEAD"], cwd=repository.root, check=True, capture_output=True
    ).stdout
    (repository.root / "commit").write_bytes(b"tree " + tree.encode() + data[45:])
    oid = repository.git("hash-object", "-t", "commit", "-w", "--literally", "commit")
    (repository.root / "commit").unlink()
    (repository.root / ".git" / "refs" / "heads" / "main").write_text(f"{oid}\n")
    assert "no git writes" in made_by(repository, people).reason


def test_a_damaged_object_is_not_believed(repository: Repository, keys: dict[str, Path], people: Trust) -> None:
    signed(repository, keys)
    tree = repository.git("rev-parse", "HEAD~1")
    objects = repository.root / ".git" / "objects"
    path = objects / tree[:2] / tree[2:]
    other = repository.head
    path.chmod(0o644)
    path.write_bytes((objects / other[:2] / other[2:]).read_bytes())
    assert "not what its id says" in made_by(repository, people).reason


# --------------------------------------------------------------------------------------------------------------------
# The CI job's identity token


def token(repository: Repository, /, **changes: Any) -> str:
    return tokens.github(now=NOW, **{"sha": repository.head, "actor_id": "1", **changes})


def test_the_token_of_the_job_proves_who_started_it(
    repository: Repository, keys: dict[str, Path], people: Trust
) -> None:
    """P30: not signed, and pushed by Bob, whatever the commit says of its author."""
    not_signed(repository, keys)
    found = made_by(repository, people, token=token(repository, actor_id="2"))
    assert found == Authors(people=("ann", "bob"), known=True, reason=found.reason)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"actor_id": "3"}, "'3'", id="an account that nobody named"),
        pytest.param({"sha": "0" * 40}, "sha", id="of another commit"),
        pytest.param({"repository": "eve/shop"}, "repository", id="of another repository"),
        pytest.param({"event_name": "schedule"}, "event_name", id="started by the clock"),
        pytest.param({"event_name": "workflow_dispatch"}, "event_name", id="started by a button"),
        pytest.param({"aud": "sigstore"}, "it is for 'sigstore'", id="for another audience"),
        pytest.param({"aud": ["sbomgate", "other"]}, "it is for", id="for two audiences"),
        pytest.param({"iss": "https://eve.test"}, "no token_issuers entry", id="of another issuer"),
        pytest.param({"exp": 1}, "not valid any more", id="that has ended"),
        pytest.param({"exp": None}, "from when to when", id="without an end"),
        pytest.param({"iat": int(NOW.timestamp()) + 3600}, "not valid yet", id="of tomorrow"),
    ],
)
def test_a_token_that_proves_nothing(
    repository: Repository, keys: dict[str, Path], people: Trust, changes: dict[str, Any], reason: str
) -> None:
    """P30"""
    not_signed(repository, keys)
    found = made_by(repository, people, token=token(repository, **changes))
    assert not found.known
    assert reason in found.reason


@pytest.mark.parametrize("how", ["altered", "none", "other key", "two parts", "not base64"])
def test_a_forged_token(repository: Repository, keys: dict[str, Path], people: Trust, how: str) -> None:
    """P30"""
    not_signed(repository, keys)
    head, body, signature = token(repository).split(".")
    _, other, _ = token(repository, actor_id="2").split(".")
    forged = {
        "altered": f"{head}.{other}.{signature}",
        "none": tokens.github(now=NOW, algorithm="none", sha=repository.head, actor_id="1"),
        "other key": tokens.github(now=NOW, key=tokens.OTHER, sha=repository.head, actor_id="1"),
        "two parts": f"{head}.{body}",
        "not base64": f"{head}.{body}.{signature}=",
    }[how]
    found = made_by(repository, people, token=forged)
    assert not found.known
    assert "does not hold" in found.reason
