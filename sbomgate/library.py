"""sbomgate for programs: `check`, `generate` and `verify`, the same story as the command line.

Nothing is printed, nothing exits, no environment variable decides what is trusted. What is found is a frozen value;
what could not be done is one of the errors of `sbomgate.errors`. The surroundings that the command line reads from its
process are arguments here, with the same defaults: the clock, the variables (where caches and the user's .npmrc lie),
the HTTP client.

`check` asks registries by an event loop of its own: in a coroutine, call it by `asyncio.to_thread`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sbomgate.errors import FetchError, UsageError
from sbomgate.model import Verdict
from sbomgate.report import Report

if TYPE_CHECKING:
    from datetime import datetime

    import httpx

    from sbomgate.cli._environment import Environment
    from sbomgate.evidence.summaries import OtherSummary
    from sbomgate.evidence.verify import VerificationResult

Profile = Literal["observe", "default", "strict", "release"]
PathLike = str | os.PathLike[str]
_YEARS = range(1970, 2200)  # that an OPA can count in nanoseconds, with room for what ends years later


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A decision, unsigned.

    Attributes:
        verdict: ALLOWED or DENIED. Under the profile `observe` it is always ALLOWED, as `report.denials` may tell.
        report: what every report of sbomgate is made of: denials, warnings, what is not known, what it rests on.
        sbom: the CycloneDX SBOM that was judged: JSON, UTF-8.
        policy_input: what the rules saw: with it and the policy plain `opa eval` gives the verdict again.
    """

    verdict: Verdict
    report: Report
    sbom: bytes
    policy_input: bytes

    @property
    def allowed(self) -> bool:
        """Whether the policy allows the build: the command line's exit code 0."""
        return self.verdict is Verdict.ALLOWED


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What the evidence about an artefact is worth.

    Attributes:
        result: of sbomgate's own decisions: reasons, notes, who signed; `accepted` says it all.
        other: the summary of another verifier that it rests on, where there was no decision of sbomgate; or None.
    """

    result: VerificationResult
    other: OtherSummary | None

    @property
    def accepted(self) -> bool:
        """Whether it may be deployed: the command line's exit code 0."""
        return self.result.accepted


def check(
    project: PathLike = ".",
    *,
    trust: str | os.PathLike[str] | None = None,
    workspace: str | None = None,
    profile: Profile | None = None,
    baseline: str | os.PathLike[str] | None = None,
    facts: PathLike | None = None,
    policy: str | os.PathLike[str] | None = None,
    offline: bool = False,
    now: datetime | None = None,
    variables: Mapping[str, str] | None = None,
    client: Callable[[], httpx.AsyncClient] | None = None,
    notify: Callable[[str], None] | None = None,
) -> Checked:
    """Decide whether a project may be installed and built: `sbomgate check`. Nothing is signed, nothing is stored.

    Args:
        project: its folder, its lockfile, or an SBOM.
        trust: the trust file, `FILE` or `FILE@sha256:DIGEST`; None accepts nobody.
        workspace: one workspace of a monorepo, by directory or name; None for the whole lockfile.
        profile: only stricter than the trust file's.
        baseline: evidence to compare with; None for the store `evidence` in the working directory, where there is one.
        facts: recorded facts, signed by somebody whom the trust file accepts.
        policy: own rules beside the shipped ones, or a whole policy.
        offline: no network: caches and recorded facts only.
        now: the time of evaluation, with a time zone; None for the clock's.
        variables: in place of the process environment: HOME, XDG_CACHE_HOME and what docs/cli.md lists.
        client: opens the HTTP client for registries; None for sbomgate's own.
        notify: is told what happens meanwhile, one sentence each; None for nobody.

    Raises:
        SbomgateError: no decision could be made; its class says why, `hint` what to do.
    """
    from sbomgate.cli import _decide, _report

    env = _surroundings(now, variables, notify, client)
    args = argparse.Namespace(
        trust=_optional_path(trust, "trust"),
        baseline=_optional_path(baseline, "baseline"),
        facts=_optional_path(facts, "facts"),
        policy=_optional_path(policy, "policy"),
        offline=offline,
        engine="embedded",
        opa_url=None,
    )
    if not isinstance(offline, bool):  # a text, "no" as well, would be true
        raise _wrong(offline, "True or False", "offline")
    asked, part = _optional_text(profile, "profile"), _optional_text(workspace, "workspace")
    with _no_other_errors():
        tree = _decide.read(args, env, _path(project, "project"), None if part is None else [part])
        store = env.working_directory / _decide.DEFAULT_STORE
        with _decide.judging(tree, args, env, profile=asked, store=store) as judge:
            decided = judge.decide(tree.parts[0])
        answer = decided.answer
        report = _report.of_decision(decided, lockfile=tree.project.files.read(answer.graph.lockfile.path))
    return Checked(
        verdict=answer.evaluation.verdict, report=report, sbom=answer.sbom.data, policy_input=answer.policy_input
    )


def generate(
    project: PathLike = ".",
    *,
    workspace: str | None = None,
    spec_version: Literal["1.5", "1.6", "1.7"] = "1.6",
    format: Literal["json", "xml"] = "json",
    variables: Mapping[str, str] | None = None,
    notify: Callable[[str], None] | None = None,
) -> bytes:
    """Return the CycloneDX SBOM of a project, from its lockfile alone: `sbomgate generate`. There is no network in it.

    Args:
        project: its folder, or its lockfile.
        workspace: one workspace of a monorepo, by directory or name; None for the whole lockfile.
        spec_version: of CycloneDX.
        format: JSON or XML, UTF-8.
        variables: in place of the process environment: SOURCE_DATE_EPOCH sets the SBOM's time.
        notify: is told what the SBOM lacks, one sentence each; None for nobody.

    Raises:
        SbomgateError: the lockfile has no single meaning, is not supported, or is over a limit.
    """
    from sbomgate import lockfiles
    from sbomgate.cli import _sbom
    from sbomgate.cli._project import open_project, parts
    from sbomgate.sbom import SPEC_VERSIONS

    env = _surroundings(None, variables, notify, None)
    for name, value, known in (("spec_version", spec_version, SPEC_VERSIONS), ("format", format, ("json", "xml"))):
        if value not in known:
            raise _wrong(value, " or ".join(map(repr, known)), name)
    part = _optional_text(workspace, "workspace")
    args = argparse.Namespace(
        spec_version=spec_version,
        format=format,
        json=False,
        conform=None,
        author=None,
        manufacturer=None,
        supplier=None,
    )
    with _no_other_errors():
        opened = open_project(_path(project, "project"), env)
        rendering = _sbom.rendering(args, env, opened)
        graph = lockfiles.read(opened.files, opened.lockfile)
        (found,) = parts(opened, graph, None if part is None else [part])
        return rendering.sbom(found)


def verify(
    subject: str,
    *,
    trust: str | os.PathLike[str],
    store: str | os.PathLike[str] | None = None,
    bundles: Sequence[PathLike] = (),
    environment: str | None = None,
    workspace: str | None = None,
    index: str | None = None,
    now: datetime | None = None,
    variables: Mapping[str, str] | None = None,
    notify: Callable[[str], None] | None = None,
) -> Verified:
    """Say whether there is fresh, PASSED evidence by an accepted signer for exactly this artefact: `sbomgate verify`.

    Args:
        subject: what is deployed: `file:PATH`, `git:COMMIT` or `oci:HOST/REPO@sha256:DIGEST`.
        trust: who and what is accepted.
        store: where evidence is kept, a folder or `oci:HOST/REPO`; None for the folder `evidence`, unless there are
            `bundles`.
        bundles: signed bundles beside the build: files, or folders of them.
        environment: where it is deployed to.
        workspace: the workspace that is deployed: its directory.
        index: `sha256:DIGEST` of the multi-platform index that was gated and lists this image.
        now: the time, with a time zone; None for the clock's.
        variables: in place of the process environment.
        notify: is told what happens meanwhile; None for nobody.

    Raises:
        SbomgateError: it could not be decided: altered evidence, a trust file that accepts nobody.
    """
    from sbomgate.cli import verify as verb

    env = _surroundings(now, variables, notify, None)
    if isinstance(bundles, str | bytes | os.PathLike) or not isinstance(bundles, Iterable):
        raise _wrong(bundles, "a list of paths", "bundles")
    args = argparse.Namespace(
        subject=_text(subject, "subject"),
        trust=_path(trust, "trust"),
        store=_optional_path(store, "store"),
        bundle=[_path(path, "bundles") for path in bundles] or None,
        index=_optional_text(index, "index"),
        environment=_optional_text(environment, "environment"),
        workspace=_optional_text(workspace, "workspace"),
    )
    with _no_other_errors():
        found = verb.verified(args, env)
    return Verified(result=found.result, other=found.other)


# --------------------------------------------------------------------------------------------------------------------
# What a program hands over, which no parser has looked at


def _wrong(value: object, expected: str, where: str) -> UsageError:
    return UsageError(f"got {value!a:.80}, expected {expected}", where=where, hint="docs/library.md has the arguments")


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value or "\0" in value or not _is_unicode(value):
        raise _wrong(value, "a text", where)
    return value


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _path(value: object, where: str) -> str:
    return _text(os.fspath(value) if isinstance(value, os.PathLike) else value, where)


def _optional_text(value: object, where: str) -> str | None:
    return None if value is None else _text(value, where)


def _optional_path(value: object, where: str) -> str | None:
    return None if value is None else _path(value, where)


@contextmanager
def _no_other_errors() -> Iterator[None]:
    """What the system refuses is an error of ours, as on the command line: nothing was decided.

    Raises:
        FetchError: in place of an OSError.
    """
    try:
        yield
    except OSError as e:
        where = e.filename if isinstance(e.filename, str) else "input or output"
        raise FetchError((e.strerror or str(e)).lower(), where=where) from e


def _surroundings(
    now: datetime | None,
    variables: Mapping[str, str] | None,
    notify: Callable[[str], None] | None,
    client: Callable[[], httpx.AsyncClient] | None,
) -> Environment:
    """Return the surroundings of one call: what was given, else the process's own.

    Raises:
        UsageError: one of them is of another kind, or a time without a time zone, which could mean any.
    """
    from dataclasses import replace
    from datetime import UTC, datetime

    from sbomgate.cli._environment import Environment

    for where, callable_ in (("notify", notify), ("client", client)):
        if callable_ is not None and not callable(callable_):
            raise _wrong(callable_, "a function", where)
    with _no_other_errors():
        found = replace(Environment.of_process(), tell=notify or _nobody, open_client=client)
    if now is not None:
        if not isinstance(now, datetime) or now.year not in _YEARS:
            raise _wrong(now, f"a datetime from {_YEARS.start} to {_YEARS.stop - 1}", "now")
        if now.utcoffset() is None:
            raise UsageError("has no time zone", where="now", hint="datetime.now(UTC)")
        found = replace(found, now=now.astimezone(UTC).replace(microsecond=0))
    if variables is not None:
        if not isinstance(variables, Mapping):
            raise _wrong(variables, "texts by name", "variables")
        for pair in variables.items():
            if not all(isinstance(one, str) and "\0" not in one for one in pair):
                raise _wrong(pair, "a name and a text", "variables")
        found = replace(found, variables=dict(variables))
    return found


def _nobody(_: str) -> None:
    """Hear nothing."""
