"""Azure Repos: a thread of a pull request with one comment, by REST. The token is the job's own (System.AccessToken).

The build's identity needs "Contribute to pull requests" on the repository. The thread gets no status: it is
information, and nothing that has to be resolved. Source: Azure DevOps REST reference 7.0 (connection data, pull request
threads, pull request thread comments).
"""

from __future__ import annotations

import re

from sbomgate.forges import Call, Outcome, Pull, Story, body, is_ours, same, strange

LIMIT = 150_000  # characters of a comment
_VERSION = "api-version=7.0"
_ADDRESS = re.compile(
    r"(?P<base>https?://[A-Za-z0-9.-]+(?::\d{1,5})?(?:/[\w.%~-]{1,255}){0,3})/(?P<project>[\w.%~-]{1,255})"
    r"/_git/(?P<name>[\w.%~-]{1,255})/pullrequest/(?P<number>\d{1,9})",
    re.ASCII,
)


def parse(url: str) -> Pull | None:
    """Return what the address of a pull request says, or None where it is another's."""
    match = _ADDRESS.fullmatch(url)
    if match is None:
        return None
    project = f"{match['project']}/_apis/git/repositories/{match['name']}"
    return Pull(url=url, api=match["base"], project=project, number=int(match["number"]))


def comment(pull: Pull, text: str) -> Story:
    """Write the thread, or replace the comment of our own; among several the first that the service names."""
    wanted = body(text, LIMIT)
    match (yield Call(method="GET", url=f"{pull.api}/_apis/connectionData")):
        case {"authenticatedUser": {"id": str(me)}}:
            pass
        case _:
            raise strange(pull.api, "whose token it is")
    threads = f"{pull.api}/{pull.project}/pullRequests/{pull.number}/threads"
    match (yield Call(method="GET", url=f"{threads}?{_VERSION}")):
        case {"value": list(found)}:
            pass
        case _:
            raise strange(pull.api, "the pull request's threads")
    for thread in found:
        match thread:
            case {
                "id": int(thread_id),
                "comments": [{"id": int(number), "content": str(said), "author": {"id": author}}, *_],
            }:
                if thread.get("isDeleted") or author != me or not is_ours(said):
                    continue
                url = f"{pull.url}?discussionId={thread_id}"
                if same(said, wanted):
                    return Outcome(what="kept", url=url)
                at = f"{threads}/{thread_id}/comments/{number}?{_VERSION}"
                yield Call(method="PATCH", url=at, body={"content": wanted})
                return Outcome(what="replaced", url=url)
    comments = [{"parentCommentId": 0, "content": wanted, "commentType": "text"}]
    made = yield Call(method="POST", url=f"{threads}?{_VERSION}", body={"comments": comments}, again=False)
    if not isinstance(made, dict) or type(made.get("id")) is not int:
        raise strange(pull.api, "the thread's number")
    return Outcome(what="written", url=f"{pull.url}?discussionId={made['id']}")
