"""GitLab: the notes of a merge request, by REST. The token is a project access token (Reporter, scope `api`).

A job's own token may not write notes. Source: GitLab's REST reference (users, notes of merge requests, pagination).
"""

from __future__ import annotations

import re
from urllib.parse import quote

from sbomgate.forges import MAX_PAGES, Call, Outcome, Pull, Story, body, is_ours, same, strange

LIMIT = 1_000_000  # characters of a note
_PAGE = 100
_ADDRESS = re.compile(
    r"(?P<base>https?://[A-Za-z0-9.-]+(?::\d{1,5})?)/(?P<project>[\w.-]{1,255}(?:/[\w.-]{1,255}){1,20})"
    r"/-/merge_requests/(?P<number>\d{1,9})",
    re.ASCII,
)


def parse(url: str) -> Pull | None:
    """Return what the address of a merge request says, or None where it is another's."""
    match = _ADDRESS.fullmatch(url)
    if match is None:
        return None
    return Pull(url=url, api=f"{match['base']}/api/v4", project=match["project"], number=int(match["number"]))


def comment(pull: Pull, text: str) -> Story:
    """Write the note, or replace our own; among several the oldest."""
    wanted = body(text, LIMIT)
    me = yield Call(method="GET", url=f"{pull.api}/user")
    if not isinstance(me, dict) or type(me.get("id")) is not int:
        raise strange(pull.api, "whose token it is")
    notes = f"{pull.api}/projects/{quote(pull.project, safe='')}/merge_requests/{pull.number}/notes"
    ours = None
    for page in range(1, MAX_PAGES + 1):
        found = yield Call(method="GET", url=f"{notes}?sort=asc&order_by=created_at&per_page={_PAGE}&page={page}")
        if not isinstance(found, list):
            raise strange(pull.api, "the merge request's notes")
        for note in found:
            match note:
                case {"id": int(), "body": str(said), "author": {"id": author}} if author == me["id"] and is_ours(said):
                    ours = note
                    break
        if ours is not None or len(found) < _PAGE:
            break
    if ours is None:
        made = yield Call(method="POST", url=notes, body={"body": wanted}, again=False)
        if not isinstance(made, dict) or type(made.get("id")) is not int:
            raise strange(pull.api, "the note's number")
        return Outcome(what="written", url=f"{pull.url}#note_{made['id']}")
    url = f"{pull.url}#note_{ours['id']}"
    if same(ours["body"], wanted):
        return Outcome(what="kept", url=url)
    yield Call(method="PUT", url=f"{notes}/{ours['id']}", body={"body": wanted})
    return Outcome(what="replaced", url=url)
