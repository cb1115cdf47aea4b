"""What proves who made a change, from the surroundings: the checkout's commits, and the CI job's identity token."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sbomgate.cli._environment import Environment
    from sbomgate.cli._project import Project
    from sbomgate.model import Authors, BaselineBuild, Bootstrap, Trust

TOKEN = "SBOMGATE_ID_TOKEN"  # noqa: S105 - the name of a variable
"""An identity token of this job for the audience of the trust file's `token_issuers`: proof, and not trust."""


def of_change(
    opened: Project, env: Environment, trust: Trust, baseline: BaselineBuild | Bootstrap, *, offline: bool
) -> Authors:
    """Return who made the change since the approved build, as far as anything proves it."""
    from sbomgate import authors
    from sbomgate import files as reading
    from sbomgate.cli import _approvals, _worktree
    from sbomgate.errors import InputError
    from sbomgate.model import Authors, BaselineBuild
    from sbomgate.project import MAX_FILE_BYTES, path_in_repository

    if not trust.people:
        return Authors()
    files = opened.files
    judged = {
        path_in_repository(files, path): files.read(path) or b""
        for path in files.digests()
        if not path.startswith(f"{_approvals.FOLDER}/")
    }
    approved = baseline.files if isinstance(baseline, BaselineBuild) else {}
    for path in approved.keys() - judged.keys():  # what is not asked for any more may still be there
        if (files.repository / path).is_file():
            judged[path] = reading.read(files.repository / path, limit=MAX_FILE_BYTES, error=InputError)
    with _worktree.objects(files.repository) as objects:
        return authors.of_change(
            head=_worktree.head(files.repository),
            judged=judged,
            approved=approved,
            read=objects.read,
            trust=trust,
            token=_token(env, trust, offline=offline),
            now=env.now,
        )


def _token(env: Environment, trust: Trust, *, offline: bool) -> str | None:
    """Return this job's identity token: the one that it was given, else the one that its CI system gives."""
    from sbomgate.cli import _signing
    from sbomgate.errors import SigningError

    if not trust.token_issuers:
        return None
    if token := env.variables.get(TOKEN, "").strip():
        return token
    if offline or "CI" not in env.variables:
        return None
    try:
        return _signing.ambient(trust.token_issuers[0].audience)()
    except SigningError as e:
        env.tell(f"warning: who made the change is proved by commits alone: {e}")
        return None
