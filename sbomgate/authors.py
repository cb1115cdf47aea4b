"""Who made the change that is judged, on verified identity (PROMISES P30). Pure: objects of git in, a value out.

What is judged are the bytes of the project's files. They are followed back through the commits to where they are those
of the last approved build. Whoever made a commit on that way that changes one of them is an author.

 1. the files that are judged are those of the commit that is checked out
 2. a commit that changes none of them is nobody's work here; a merge that takes the files of one side as they are is
    nobody's either, where the other side is a state that this side came from
 3. every other commit is signed with an SSH key of a person of the trust file; or else the CI job's identity token,
    verified with the pinned keys of its issuer and of this very commit, says who started the job
 4. every address that such a commit calls an author is one person's of the trust file, and counts as an author too:
    whoever commits or signs for another does not hide him

Whatever cannot be told leaves the author unknown, with the reason; each approver may then be the author.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sbomgate import id_token, sshsig
from sbomgate.errors import EvidenceError, InputError
from sbomgate.model import Authors, Trust

MAX_COMMITS = 10_000  # since the last approved build: years of a busy project

Read = Callable[[str], tuple[str, bytes] | None]

_EVENTS = {"event_name": ("push", "pull_request"), "pipeline_source": ("push", "merge_request_event")}
_ADDRESS = re.compile(rb"<([^<>\n]*)> \d{1,12} [+-]\d{4}$")
_CO_AUTHOR = re.compile(rb"(?im)^co-authored-by:[^\n]*?<([^<>\n]*)>")
_SSH = re.compile(rb"\s*-----BEGIN SSH SIGNATURE-----")
_OBJECT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SIGNATURES = {40: b"gpgsig", 64: b"gpgsig-sha256"}  # by the length of the ids: SHA-1 or SHA-256 names objects
_LINK, _FOLDER, _MODULE = b"120000", b"40000", b"160000"
_NOTHING = b"", ""

State = tuple[str | None, ...]


class _NotKnownError(Exception):
    """Why the authors are not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Commit:
    """One commit: `signed` is what its signature is over, `addresses` who its author is said to be."""

    oid: str
    tree: str
    parents: tuple[str, ...]
    signature: bytes | None
    signed: bytes
    addresses: tuple[str, ...]


def of_change(
    *,
    head: str | None,
    judged: Mapping[str, bytes],
    approved: Mapping[str, str],
    read: Read,
    trust: Trust,
    token: str | None,
    now: datetime,
) -> Authors:
    """Return who made the change from the approved build to what is judged.

    Args:
        head: the commit that is checked out, or None where nothing tells.
        judged: path in the repository → bytes of every file that the decision is on.
        approved: path in the repository → SHA-256 (hex) of the same files of the approved build; empty without one.
        read: returns kind and content of a git object by its id, checked against it; None where it is not there.
        trust: people, and whose tokens count.
        token: the CI job's identity token, or None.
        now: the time of the decision.
    """
    story = _Story(read=read, judged=judged, approved=approved)
    proven: set[str] = set()
    try:
        if not trust.people:
            raise _NotKnownError("the trust file names no people")
        if head is None or not _OBJECT.fullmatch(head):
            raise _NotKnownError("the checkout does not tell which commit it is of")
        commits = story.changing(head)
        claimed = {person for commit in commits for person in _claimed(commit, trust)}
        unsigned = []
        for commit in commits:
            if not _SSH.match(commit.signature or b""):
                unsigned.append(commit)
            else:
                proven.add(_signer(commit, trust))
        if unsigned:
            if token is None:
                raise _NotKnownError(_no_proof(unsigned[0]))
            proven.add(_starter(token, head, trust, now))
    except _NotKnownError as e:
        return Authors(people=tuple(sorted(proven)), known=False, reason=str(e))
    except InputError as e:
        return Authors(people=tuple(sorted(proven)), known=False, reason=f"the repository cannot be read: {e}")
    return Authors(people=tuple(sorted(proven | claimed)), known=True, reason=_told(commits, len(unsigned)))


def _no_proof(commit: _Commit) -> str:
    how = "is not signed"
    if commit.signature is not None:
        how = "is signed by GPG or a certificate, and only SSH signatures are verified (git's gpg.format = ssh)"
    return f"the commit {commit.oid[:12]} {how}; nor was an identity token of the CI job given"


def _told(commits: list[_Commit], unsigned: int) -> str:
    if not commits:
        return "no commit since the approved build changes the files that are judged"
    how = f"{len(commits) - unsigned} of {len(commits)} commits are signed"
    return f"{how}, and the job's identity token says who started it" if unsigned else how


# --------------------------------------------------------------------------------------------------------------------
# The way of the files through the commits


@dataclass(slots=True)
class _Story:
    """The history of the files that are judged. `states` remembers the files of each tree that was looked at.

    `paths` are those of every file that is judged now, or was.
    """

    read: Read
    judged: Mapping[str, bytes]
    approved: Mapping[str, str]
    states: dict[str, State] = field(default_factory=dict)
    same: dict[tuple[int, str | None], bool] = field(default_factory=dict)
    trees: dict[str, dict[bytes, tuple[bytes, str]]] = field(default_factory=dict)
    paths: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.paths = tuple(sorted({*self.judged, *self.approved}))

    def changing(self, head: str) -> list[_Commit]:
        """Return the commits that made the difference (steps 1 and 2), newest first."""
        start = self.commit(head)
        for path, blob in zip(self.paths, self.state(start), strict=True):
            data = self.judged.get(path)
            if blob not in ((None,) if data is None else (_blob(data, head), _blob(_unix(data), head))):
                raise _NotKnownError(f"{path} is not as the commit {head[:12]} has it")
        found: dict[str, _Commit] = {}
        seen: set[str] = set()
        passed: set[State] = set()
        merges: list[tuple[_Commit, State]] = []
        todo = [start]
        while todo:
            commit = todo.pop()
            if commit.oid in seen:
                continue
            seen.add(commit.oid)
            if len(seen) > MAX_COMMITS:
                raise _NotKnownError(f"more than {MAX_COMMITS:,} commits since the approved build")
            state = self.state(commit)
            passed.add(state)
            if self.is_approved(state):
                continue
            parents = [self.commit(oid) for oid in commit.parents]
            states = [self.state(parent) for parent in parents]
            if state in states:
                todo.append(parents[states.index(state)])
                merges += [(commit, other) for other in states if other != state]
            else:
                found[commit.oid] = commit
                todo += parents
        for commit, other in merges:  # (2) whoever takes an older state, or one of two, has made a choice
            if other not in passed and not self.is_approved(other):
                found[commit.oid] = commit
        return list(found.values())

    def is_approved(self, state: State) -> bool:
        """Whether the files are those of the approved build; without one, whether there are none of them."""
        return all(self._is_approved(index, blob) for index, blob in enumerate(state))

    def _is_approved(self, index: int, blob: str | None) -> bool:
        wanted = self.approved.get(self.paths[index])
        if blob is None or wanted is None:
            return blob is None and wanted is None
        key = index, blob
        if key not in self.same:
            data = self.object(blob, "blob")
            self.same[key] = hashlib.sha256(data).hexdigest() == wanted
        return self.same[key]

    def commit(self, oid: str) -> _Commit:
        return _parse(oid, self.object(oid, "commit"))

    def state(self, commit: _Commit) -> State:
        if commit.tree not in self.states:
            self.states[commit.tree] = tuple(self._blob_at(commit.tree, path) for path in self.paths)
        return self.states[commit.tree]

    def _blob_at(self, tree: str, path: str) -> str | None:
        *folders, name = path.encode("utf-8", "surrogateescape").split(b"/")
        for folder in folders:
            mode, tree = self.entries(tree).get(folder, _NOTHING)
            if mode in (_LINK, _MODULE):
                raise _NotKnownError(f"{path} lies behind a link or in a submodule")
            if mode != _FOLDER:
                return None
        mode, blob = self.entries(tree).get(name, _NOTHING)
        if mode == _LINK:
            raise _NotKnownError(f"{path} is a symbolic link")
        return blob or None

    def entries(self, tree: str) -> dict[bytes, tuple[bytes, str]]:
        """Return name → (mode, id) of a tree; each is read once, since most are the same from commit to commit."""
        if tree not in self.trees:
            self.trees[tree] = _entries(self.object(tree, "tree"), len(tree) // 2)
        return self.trees[tree]

    def object(self, oid: str, kind: str) -> bytes:
        found = self.read(oid)
        if found is None:
            raise _NotKnownError(
                f"the checkout does not hold the {kind} {oid[:12]}: check out with the history (fetch-depth: 0)"
            )
        if found[0] != kind:
            raise _NotKnownError(f"the object {oid[:12]} is a {found[0]}, expected a {kind}")
        return found[1]


def _entries(tree: bytes, size: int) -> dict[bytes, tuple[bytes, str]]:
    """Return name → (mode, id) of a tree's entries: mode, blank, name, NUL, and an id of `size` bytes each."""
    found: dict[bytes, tuple[bytes, str]] = {}
    at = 0
    while at < len(tree):
        blank, end = tree.find(b" ", at), tree.find(b"\0", at)
        if not at < blank < end or end + 1 + size > len(tree) or tree[blank + 1 : end] in found:
            raise _NotKnownError("the repository holds a tree that no git writes")
        found[tree[blank + 1 : end]] = tree[at:blank].lstrip(b"0"), tree[end + 1 : end + 1 + size].hex()
        at = end + 1 + size
    return found


def _parse(oid: str, data: bytes) -> _Commit:
    signature = _SIGNATURES[len(oid)]
    head, _, message = data.partition(b"\n\n")
    kept: list[bytes] = []
    fields: list[tuple[bytes, bytes]] = []
    for line in head.split(b"\n"):
        if line.startswith(b" ") and fields:
            fields[-1] = fields[-1][0], fields[-1][1] + b"\n" + line[1:]
        else:
            name, _, value = line.partition(b" ")
            fields.append((name, value))
        if fields[-1][0] != signature:
            kept.append(line)
    named = [name for name, _ in fields]
    for name in (b"tree", b"author", signature):
        if named.count(name) > 1 or (name != signature and name not in named):
            raise _NotKnownError(f"the commit {oid[:12]} has not one {name.decode()}")
    if other := {*_SIGNATURES.values()} & {*named} - {signature}:
        raise _NotKnownError(f"the commit {oid[:12]} has a {other.pop().decode()}, of a repository of the other hash")
    values = dict(fields)
    author = _ADDRESS.search(values[b"author"])
    if author is None:
        raise _NotKnownError(f"the commit {oid[:12]} has no author that can be read")
    parents = tuple(value.decode("ascii", "replace") for name, value in fields if name == b"parent")
    tree = values[b"tree"].decode("ascii", "replace")
    if not all(_OBJECT.fullmatch(one) and len(one) == len(oid) for one in (tree, *parents)):
        raise _NotKnownError(f"the commit {oid[:12]} names objects that its repository cannot have")
    addresses = {author[1], *_CO_AUTHOR.findall(message)}
    return _Commit(
        oid=oid,
        tree=tree,
        parents=parents,
        signature=values.get(signature),
        signed=b"\n".join(kept) + b"\n\n" + message,
        addresses=tuple(sorted(one.decode("utf-8", "replace").strip().casefold() for one in addresses)),
    )


def _unix(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n")


def _blob(data: bytes, oid: str) -> str:
    """Return the id of a blob with this content in the repository of another object."""
    whole = b"blob %d\0" % len(data) + data
    if len(oid) == 64:
        return hashlib.sha256(whole).hexdigest()
    return hashlib.sha1(whole, usedforsecurity=False).hexdigest()


# --------------------------------------------------------------------------------------------------------------------
# Whose work a commit is


def _claimed(commit: _Commit, trust: Trust) -> Iterator[str]:
    """Yield the people whom a commit calls its authors (step 4)."""
    for address in commit.addresses:
        person = next((p.name for p in trust.people if address in p.addresses), None)
        if person is None:
            raise _NotKnownError(
                f"the commit {commit.oid[:12]} is by {address[:100]!r}, whom the trust file's people do not name"
            )
        yield person


def _signer(commit: _Commit, trust: Trust) -> str:
    """Return the person whose SSH key signed a commit (step 3)."""
    where = f"the commit {commit.oid[:12]}"
    try:
        key = sshsig.verify(commit.signature or b"", commit.signed)
    except EvidenceError as e:
        raise _NotKnownError(f"the signature of {where} does not hold: {e}") from e
    person = next((p.name for p in trust.people for _, known in p.ssh_keys if known == key), None)
    if person is None:
        raise _NotKnownError(f"{where} is signed with a key that no person of the trust file has")
    return person


def _starter(token: str, head: str, trust: Trust, now: datetime) -> str:
    """Return the person who started the job of a token (step 3)."""
    try:
        named = id_token.issuer_of(token)
        issuer = next((one for one in trust.token_issuers if one.issuer == named), None)
        if issuer is None:
            raise _NotKnownError(f"the identity token is by {named[:200]!r}, which no token_issuers entry names")
        claims = id_token.verify(token, issuer=issuer.issuer, audience=issuer.audience, keys=issuer.keys, now=now)
    except EvidenceError as e:
        raise _NotKnownError(f"the identity token does not hold: {e.message}") from e
    repository, event = (
        ("repository", "event_name") if issuer.account == "actor_id" else ("project_path", "pipeline_source")
    )
    # What started the job made the change only where that is what starts it: a schedule or a button is nobody's work.
    for claim, expected in ((repository, (issuer.repository,)), ("sha", (head,)), (event, _EVENTS[event])):
        if claims.get(claim) not in expected:
            raise _NotKnownError(
                f"the identity token's {claim} is {str(claims.get(claim))[:200]!r}, expected {' or '.join(expected)}"
            )
    account = str(claims.get(issuer.account))
    person = next((p.name for p in trust.people if (issuer.name, account) in p.accounts), None)
    if person is None:
        raise _NotKnownError(f"the job was started by the account {account[:32]!r}, whom the trust file does not name")
    return person
