"""A forge on loopback: what GitHub, GitLab and Azure Repos say and take of the comments on one pull request.

    with forge("gitlab") as made:
        ... made.pull, made.comments, made.calls

The stand-in keeps to the documented forms: a comment has a number, an author and a text; only its author may change it.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from testkit.oci_registries import serving

TOKEN = "glpat-canary-of-the-comment"
PULLS = {
    "github": "/acme/shop/pull/7",
    "gitlab": "/acme/web/shop/-/merge_requests/7",
    "azure": "/acme/shop/_git/web/pullrequest/7",
}
ME, SOMEBODY = "me", "somebody"


@dataclass
class Forge:
    """What there is.

    Attributes:
        pull: the address of the pull request.
        comments: [author, text], the oldest first; a comment's number is its place, from 1.
        calls: method and path of each request that was answered.
        answers: (status, headers, body) for the next requests, in the place of the real answer; status 0 is none.
    """

    pull: str = ""
    comments: list[list[str]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)

    def write(self, number: int | None, text: str) -> int:
        """Add a comment of whoever asks, or change one; return its number."""
        if number is None:
            self.comments.append([ME, text])
            return len(self.comments)
        assert self.comments[number - 1][0] == ME, "somebody else's comment was changed"
        self.comments[number - 1][1] = text
        return number


@contextlib.contextmanager
def forge(kind: str) -> Iterator[Forge]:
    """Serve one pull request."""
    made = Forge()
    answer = {"github": _github, "gitlab": _gitlab, "azure": _azure}[kind]

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            sent = json.loads(self.rfile.read(length)) if length else None
            made.calls.append(f"{self.command} {self.path.partition('?')[0]}")
            made.tokens.add(self.headers.get("authorization", ""))
            status, data = 200, b""
            headers: dict[str, str] = {}
            if made.answers:
                status, headers, data = made.answers.pop(0)
                if status == 0:
                    self.connection.close()
                    return
            elif self.headers.get("authorization") != f"Bearer {TOKEN}":
                status = 401
            else:
                data = json.dumps(answer(made, self.command, self.path, sent)).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_PATCH = _serve

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    with serving(Handler) as url:
        made.pull = url + PULLS[kind]
        yield made


def _github(made: Forge, method: str, path: str, sent: Any) -> Any:
    assert (method, path) == ("POST", "/api/graphql")
    given = sent["variables"]
    if "addComment" in sent["query"]:
        assert given["subject"] == "PR_7"
        number = made.write(None, given["body"])
        return {"data": {"addComment": {"commentEdge": {"node": {"url": f"{made.pull}#issuecomment-{number}"}}}}}
    if "updateIssueComment" in sent["query"]:
        number = made.write(int(given["id"]), given["body"])
        return {"data": {"updateIssueComment": {"issueComment": {"url": f"{made.pull}#issuecomment-{number}"}}}}
    assert (given["owner"], given["name"], given["number"]) == ("acme", "shop", 7)
    end = len(made.comments) if given["before"] is None else int(given["before"])
    start = max(0, end - 100)
    nodes = [
        {"id": str(n + 1), "url": f"{made.pull}#issuecomment-{n + 1}", "body": text, "viewerDidAuthor": author == ME}
        for n, (author, text) in list(enumerate(made.comments))[start:end]
    ]
    page = {"hasPreviousPage": start > 0, "startCursor": str(start)}
    return {"data": {"repository": {"pullRequest": {"id": "PR_7", "comments": {"nodes": nodes, "pageInfo": page}}}}}


def _gitlab(made: Forge, method: str, path: str, sent: Any) -> Any:
    ids = {ME: 41, SOMEBODY: 42}
    parts = urlsplit(path)
    if parts.path == "/api/v4/user":
        return {"id": 41, "username": "project_1_bot"}
    notes = "/api/v4/projects/acme%2Fweb%2Fshop/merge_requests/7/notes"
    match = re.fullmatch(rf"{re.escape(notes)}(?:/(\d+))?", parts.path)
    assert match is not None, path
    if method == "POST":
        number = made.write(None, sent["body"])
        return {"id": number, "body": sent["body"]}
    if method == "PUT":
        return {"id": made.write(int(match[1]), sent["body"]), "body": sent["body"]}
    asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert asked["sort"] == "asc"
    size, page = int(asked["per_page"]), int(asked["page"])
    all_ = [{"id": n, "body": text, "author": {"id": ids[who]}} for n, (who, text) in enumerate(made.comments, 1)]
    return all_[size * (page - 1) : size * page]


def _azure(made: Forge, method: str, path: str, sent: Any) -> Any:
    parts = urlsplit(path)
    if parts.path == "/acme/_apis/connectionData":
        return {"authenticatedUser": {"id": ME}}
    assert parts.query == "api-version=7.0"
    threads = "/acme/shop/_apis/git/repositories/web/pullRequests/7/threads"
    if method == "POST":
        assert parts.path == threads
        (one,) = sent["comments"]
        return {"id": made.write(None, one["content"]), "comments": [one]}
    if method == "PATCH":
        match = re.fullmatch(rf"{threads}/(\d+)/comments/1", parts.path)
        assert match is not None, path
        return {"id": made.write(int(match[1]), sent["content"])}
    assert parts.path == threads
    found = [
        {"id": n, "comments": [{"id": 1, "content": text, "author": {"id": author}}]}
        for n, (author, text) in enumerate(made.comments, 1)
    ]
    return {"value": found, "count": len(found)}
