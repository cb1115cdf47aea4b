"""GitHub, and GitHub Enterprise Server: its GraphQL interface, which says whether the token's holder wrote a comment.

`viewerDidAuthor` is answered to a job's own token too, which REST gives no way to tell. Right: `pull-requests: write`.
Source: GitHub's GraphQL reference (PullRequest.comments, addComment, updateIssueComment).
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from typing import Any

from sbomgate.errors import FetchError
from sbomgate.forges import MAX_PAGES, Call, Outcome, Pull, Story, body, is_ours, same, strange

LIMIT = 65_536  # characters of a comment
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9.-]+(?::\d{1,5})?)/(?P<project>[\w.-]{1,100}/[\w.-]{1,100})"
    r"/pull/(?P<number>\d{1,9})",
    re.ASCII,
)
_LIST = """query($owner: String!, $name: String!, $number: Int!, $before: String) {
  repository(owner: $owner, name: $name) { pullRequest(number: $number) {
    id
    comments(last: 100, before: $before) {
      nodes { id url body viewerDidAuthor }
      pageInfo { hasPreviousPage startCursor }
    }
  } }
}"""
_ADD = """mutation($subject: ID!, $body: String!) {
  addComment(input: {subjectId: $subject, body: $body}) { commentEdge { node { url } } }
}"""
_UPDATE = """mutation($id: ID!, $body: String!) {
  updateIssueComment(input: {id: $id, body: $body}) { issueComment { url } }
}"""


def parse(url: str) -> Pull | None:
    """Return what the address of a pull request says, or None where it is another's."""
    match = _ADDRESS.fullmatch(url)
    if match is None:
        return None
    base = f"{match['scheme']}://{match['host']}"
    api = "https://api.github.com/graphql" if base == "https://github.com" else f"{base}/api/graphql"
    return Pull(url=url, api=api, project=match["project"], number=int(match["number"]))


def comment(pull: Pull, text: str) -> Story:
    """Write the comment, or replace our own; among several the oldest."""
    wanted = body(text, LIMIT)
    owner, _, name = pull.project.partition("/")
    subject, before = "", None
    ours: Mapping[str, Any] | None = None
    for _ in range(MAX_PAGES):
        variables = {"owner": owner, "name": name, "number": pull.number, "before": before}
        match (yield from _ask(pull, _LIST, variables)):
            case {
                "repository": {
                    "pullRequest": {
                        "id": str(found),
                        "comments": {"nodes": list(nodes), "pageInfo": {"hasPreviousPage": more, **rest}},
                    }
                }
            }:
                subject = found
            case _:
                raise strange(pull.api, "the pull request's comments")
        for node in nodes:
            if isinstance(node, dict) and node.get("viewerDidAuthor") is True and is_ours(node.get("body")):
                ours = node
                break
        before = rest.get("startCursor")
        if more is not True:
            break
    if ours is None:
        made = yield from _ask(pull, _ADD, {"subject": subject, "body": wanted}, again=False)
        match made:
            case {"addComment": {"commentEdge": {"node": {"url": str(url)}}}}:
                return Outcome(what="written", url=url)
        raise strange(pull.api, "the comment's address")
    if same(ours["body"], wanted):
        return Outcome(what="kept", url=str(ours.get("url")))
    made = yield from _ask(pull, _UPDATE, {"id": ours.get("id"), "body": wanted})
    match made:
        case {"updateIssueComment": {"issueComment": {"url": str(url)}}}:
            return Outcome(what="replaced", url=url)
    raise strange(pull.api, "the comment's address")


def _ask(pull: Pull, query: str, variables: Mapping[str, Any], *, again: bool = True) -> Generator[Call, Any, Any]:
    """Yield a GraphQL request and return its data: what goes wrong is said with status 200."""
    answer = yield Call(method="POST", url=pull.api, body={"query": query, "variables": variables}, again=again)
    match answer:
        case {"errors": [{"message": str(message)}, *_]}:
            raise FetchError(f"refuses: {message[:300]}", where=pull.api, hint="the token needs pull-requests: write")
        case {"data": dict(data)}:
            return data
    raise strange(pull.api, "data")
