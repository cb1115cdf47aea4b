"""`comment`: one comment on a pull request of each forge, ours alone, and the token nowhere else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from sbomgate import forges
from sbomgate.cli import comment as verb
from sbomgate.forges import azure, github, gitlab
from testkit.commandline import World
from testkit.forges import ME, PULLS, SOMEBODY, TOKEN, Forge, forge

TEXT = "### Dependency review: 1 new or changed\n\n- `axios` runs `node setup.js`\n"
MODULES = {"github": github, "gitlab": gitlab, "azure": azure}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    made = World(tmp_path_factory.mktemp("comment"))
    made.home.mkdir()
    (made.root / "review.md").write_text(TEXT)
    return made


@pytest.fixture(params=PULLS)
def there(request: pytest.FixtureRequest) -> Iterator[Forge]:
    with forge(request.param) as made:
        yield made


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verb, "PAUSES", (0.0, 0.0))


def environment(world: World, **more: str) -> Mapping[str, str]:
    return world.environment(SBOMGATE_COMMENT_TOKEN=TOKEN, **more)


def put(world: World, there: Forge, text: str = TEXT) -> str:
    """Put the text there; return what was said, without the address."""
    (world.root / "review.md").write_text(text, encoding="utf-8")
    made = world.run("comment", "review.md", "--on", there.pull, env=environment(world))
    assert made.code == 0, made.err
    assert TOKEN not in made.out + made.err
    assert there.pull in made.out
    return made.out.split()[0]


def test_written_once_then_replaced(world: World, there: Forge) -> None:
    """One comment, whichever job comes second; where nothing changed nothing is sent."""
    assert put(world, there) == "Written"
    assert put(world, there) == "Kept"
    assert put(world, there, TEXT + "- more\n") == "Replaced"
    assert there.comments == [[ME, f"{forges.MARK}\n{TEXT}- more\n"]]


def test_a_comment_of_somebody_else_is_never_ours(world: World, there: Forge) -> None:
    """P39: with our mark in it, its author could change later what we had said there."""
    forged = f"{forges.MARK}\nnothing new here"
    there.comments += [[SOMEBODY, forged], [ME, "by another job of ours"], [SOMEBODY, f"> {forges.MARK}"]]
    assert put(world, there) == "Written"
    assert put(world, there, TEXT + "- more\n") == "Replaced"
    assert there.comments[0] == [SOMEBODY, forged]
    assert [author for author, _ in there.comments] == [SOMEBODY, ME, SOMEBODY, ME]


def test_it_is_found_among_many(world: World, there: Forge) -> None:
    there.comments += [[SOMEBODY, f"comment {n}"] for n in range(105)]
    assert put(world, there) == "Written"
    there.comments += [[SOMEBODY, f"comment {n}"] for n in range(205)]
    assert put(world, there, TEXT + "- more\n") == "Replaced"
    assert sum(author == ME for author, _ in there.comments) == 1


def test_a_long_text_is_cut_at_a_line(world: World, there: Forge) -> None:
    kind = next(name for name, end in PULLS.items() if there.pull.endswith(end))
    limit: int = MODULES[kind].LIMIT
    put(world, there, TEXT + "- `é` runs something\n" * (limit // 15))
    ((_, text),) = there.comments
    assert limit - 200 < len(text) <= limit
    assert text.splitlines()[-1].startswith("… cut here")
    assert text.splitlines()[-3] == "- `é` runs something"


BUSY: list[tuple[int, dict[str, str], bytes]] = [(503, {}, b""), (0, {}, b"")]


def test_a_forge_that_is_busy_is_asked_again(world: World, there: Forge) -> None:
    there.answers += BUSY
    assert put(world, there) == "Written"


FAILS: Mapping[str, tuple[list[tuple[int, dict[str, str], bytes]], str]] = {
    "down": ([(503, {}, b"")] * 3, "answers 503"),
    "gone": ([(0, {}, b"")] * 3, "does not answer"),
    "no right": ([(403, {}, b"")], "answers 403"),
    "redirects": ([(302, {"location": "http://127.0.0.1:1/"}, b"")], "answers 302"),
    "no JSON": ([(200, {}, b"<html>")], "JSON"),
    "another form": ([(200, {}, b"[[]]")], "answers without"),
    "nothing": ([(200, {}, b"")], "empty"),
    "two encodings": ([(200, {"content-encoding": "gzip, gzip"}, b"")], "encodings"),
}


@pytest.mark.parametrize("case", FAILS)
def test_what_a_forge_answers_wrong(world: World, there: Forge, case: str) -> None:
    """P1: exit code 2, and the token is shown nowhere (P40)."""
    answers, says = FAILS[case]
    there.answers += answers
    made = world.run("comment", "review.md", "--on", there.pull, env=environment(world))
    assert made.code == 2, made.out
    assert says in made.err
    assert TOKEN not in made.err
    assert there.comments == []


def test_a_comment_that_may_have_arrived_is_not_sent_twice(world: World, there: Forge) -> None:
    put(world, there)
    asked = len(there.calls) - 1  # and the last of them wrote
    there.comments.clear()
    there.answers += [*((200, {}, _said(there, number)) for number in range(asked)), (0, {}, b"")]
    made = world.run("comment", "review.md", "--on", there.pull, env=environment(world))
    assert made.code == 2
    assert "does not answer" in made.err
    assert len(there.calls) == 2 * (asked + 1)


def _said(there: Forge, number: int) -> bytes:
    """Return what the forge answers to the questions before it is written to, where it holds no comment."""
    if "/pull/" in there.pull:
        page = b'{"nodes": [], "pageInfo": {"hasPreviousPage": false, "startCursor": null}}'
        return b'{"data": {"repository": {"pullRequest": {"id": "PR_7", "comments": ' + page + b"}}}}"
    if "merge_requests" in there.pull:
        return (b'{"id": 41}', b"[]")[number]
    return (b'{"authenticatedUser": {"id": "me"}}', b'{"value": []}')[number]


ADDRESSES = {
    "https://github.com/acme/shop/pull/7": "https://api.github.com/graphql",
    "https://github.acme.example/acme/shop/pull/7": "https://github.acme.example/api/graphql",
    "https://gitlab.com/a/b/c/d/-/merge_requests/12": "https://gitlab.com/api/v4",
    "https://dev.azure.com/acme/My%20Shop/_git/web/pullrequest/7": "https://dev.azure.com/acme",
    "https://tfs.acme.example/tfs/Default/shop/_git/web/pullrequest/7": "https://tfs.acme.example/tfs/Default",
}


@pytest.mark.parametrize("url", ADDRESSES)
def test_addresses(url: str) -> None:
    assert forges.find(url)[1].api == ADDRESSES[url]


REFUSED = {
    "no pull request": ("https://github.com/acme/shop", TEXT, "is not the address"),
    "user info": ("https://a:b@github.com/acme/shop/pull/7", TEXT, "is not the address"),
    "another path": ("https://github.com/acme/../pull/7/x", TEXT, "is not the address"),
    "a query": ("https://github.com/acme/shop/pull/7?x=1", TEXT, "is not the address"),
    "a line end": ("https://github.com/acme/shop/pull/7\n", TEXT, "is not the address"),
    "readable on the way": ("http://github.com/acme/shop/pull/7", TEXT, "not https"),
    "no text": ("https://github.com/acme/shop/pull/7", "\n \n", "no text"),
    "a command": ("https://gitlab.com/acme/shop/-/merge_requests/7", f"{TEXT}\n /merge\n", "slash"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(world: World, case: str) -> None:
    url, text, says = REFUSED[case]
    (world.root / "other.md").write_text(text)
    made = world.run("comment", "other.md", "--on", url, env=environment(world))
    assert made.code == 2
    assert says in made.err
    assert "hint: " in made.err


@pytest.mark.parametrize("token", ["", "two words", "a\r\nx-evil: b"])
def test_no_token(world: World, token: str) -> None:
    env = world.environment(SBOMGATE_COMMENT_TOKEN=token)
    made = world.run("comment", "review.md", "--on", "https://github.com/acme/shop/pull/7", env=env)
    assert made.code == 2
    assert "holds no token" in made.err


def test_what_is_no_text(world: World) -> None:
    (world.root / "latin.md").write_bytes(b"caf\xe9\n")
    for name, says in (("latin.md", "not UTF-8"), ("absent.md", "absent.md"), (".", "not a regular file")):
        made = world.run("comment", name, "--on", "https://github.com/acme/shop/pull/7", env=environment(world))
        assert made.code == 2
        assert says in made.err
