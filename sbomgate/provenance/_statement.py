"""Steps 7 and 9: an in-toto statement about an npm package, as npm and its registry sign it.

    7  the statement: payload type, version, predicate type as labelled, one subject: this purl, the lockfile's sha512
    9  the predicate: a publish attestation's {name, version, registry}; a provenance's repository, ref and commit,
       which the workflow writes itself, equal those of the certificate, and its kind of build is known (9e)

Subjects: `pkg:npm/name@version`, of a scope only the @ is escaped (npm's own way).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sbomgate.model import Claims
from sbomgate.provenance._encoding import parse_json
from sbomgate.provenance._outcome import CannotVerify, Invalid

PUBLISH = "https://github.com/npm/attestation/tree/main/specs/publish/v0.1"
PROVENANCE = ("https://slsa.dev/provenance/v0.2", "https://slsa.dev/provenance/v1")
PUBLISH_FAMILY = "https://github.com/npm/attestation/tree/main/specs/publish/"
PROVENANCE_FAMILY = "https://slsa.dev/provenance/"

BUILD_TYPES = {
    PROVENANCE[0]: (
        "https://github.com/npm/cli/gha@v0",
        "https://github.com/npm/cli/gha@v1",
        "https://github.com/npm/cli/gha/v2",
        "https://github.com/npm/cli/gitlab/v0alpha1",
        "https://github.com/slsa-framework/slsa-github-generator/delegator-generic@v0",
    ),
    PROVENANCE[1]: (
        "https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1",
        "https://actions.github.io/buildtypes/workflow/v1",
        "https://github.com/slsa-framework/slsa-github-generator/delegator-generic@v0",
    ),
}
"""The kinds of build whose predicates are known here, by predicate type: npm's own, GitHub's, and the reusable builders
of slsa-github-generator. A build type says what the parameters of a provenance mean (SLSA, "buildType")."""

_PAYLOAD_TYPE = "application/vnd.in-toto+json"
_STATEMENTS = ("https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v1")
_SOURCE = re.compile(r"git\+(https://[^@\s]+?)(?:\.git)?(?:@(.+))?")


def purl(name: str, version: str) -> str:
    """Return the package URL of an npm package, as npm's statements spell it."""
    return f"pkg:npm/{'%40' + name[1:] if name.startswith('@') else name}@{version}"


def read_statement(
    payload_type: str, payload: bytes, label: str, *, name: str, version: str, sha512: str | None
) -> Mapping[str, Any]:
    """Run step 7 and return the predicate.

    Args:
        payload_type: of the envelope.
        payload: its verified bytes.
        label: the predicate type that the registry's answer claims for it.
        name: of the package in the lockfile.
        version: of the package in the lockfile.
        sha512: of the lockfile's integrity, lowercase hex, or None where it has none.

    Raises:
        Invalid: it is malformed, contradicts its label, or is about another package.
        CannotVerify: an unknown statement version, or there is no sha512 to compare with.
    """
    # (7a) a statement of a known version, of the type that the label says
    if payload_type != _PAYLOAD_TYPE:
        raise Invalid("7a", f"the payload is of the type {payload_type[:100]!r}, expected {_PAYLOAD_TYPE!r}")
    try:
        statement = parse_json(payload)
    except ValueError as e:
        raise Invalid("7a", f"the statement is not JSON with one meaning: {e}") from e
    if not isinstance(statement, dict):
        raise Invalid("7a", "the statement is not an object")
    type_ = statement.get("_type")
    if type_ not in _STATEMENTS:
        raise CannotVerify("7a", f"a statement of the type {str(type_)[:100]!r} is not known here")
    if statement.get("predicateType") != label:
        signed = str(statement.get("predicateType"))[:100]
        raise Invalid("7a", f"what is signed is a {signed!r}, the registry labels it {label[:100]!r}")
    predicate = statement.get("predicate")
    if not isinstance(predicate, dict):
        raise Invalid("7a", "the statement has no predicate")
    # (7b) exactly one subject: this package
    subjects = statement.get("subject")
    if not isinstance(subjects, list) or len(subjects) != 1 or not isinstance(subjects[0], dict):
        count = len(subjects) if isinstance(subjects, list) else "none"
        raise Invalid("7b", f"exactly one subject is expected, got {count}")
    subject = subjects[0]
    expected = purl(name, version)
    if subject.get("name") != expected:
        raise Invalid("7b", f"the subject is {str(subject.get('name'))[:214]!r}, expected {expected!r}")
    # (7c) its sha512 == the lockfile's integrity
    digest = subject.get("digest")
    signed_sha512 = digest.get("sha512") if isinstance(digest, dict) else None
    if not isinstance(signed_sha512, str) or not re.fullmatch("[0-9a-f]{128}", signed_sha512):
        raise Invalid("7c", "the subject has no sha512 in lowercase hex")
    if sha512 is None:
        raise CannotVerify("7c", "the lockfile has no sha512 to bind it to")
    if signed_sha512 != sha512:
        raise Invalid("7c", f"the subject's sha512 {signed_sha512[:16]}… is not the lockfile's {sha512[:16]}…")
    return predicate


def check_publish(predicate: Mapping[str, Any], *, name: str, version: str, registry: str) -> None:
    """Run step 9 for a publish attestation: the registry says that it published this name and version.

    Raises:
        Invalid: it names another package or another registry.
    """
    # (9a)
    for field, expected in (("name", name), ("version", version), ("registry", registry)):
        found = predicate.get(field)
        if not isinstance(found, str) or found.rstrip("/") != expected.rstrip("/"):
            raise Invalid("9a", f"the predicate's {field} is {str(found)[:214]!r}, expected {expected!r}")


def check_provenance(label: str, predicate: Mapping[str, Any], claims: Claims) -> None:
    """Run step 9 for a provenance: certificate and predicate agree on repository, ref and commit (PROMISES P11).

    Raises:
        Invalid: they name different ones.
        CannotVerify: the predicate does not say where its source comes from in any way known here.
    """
    # (9b)
    for place, repository, ref, commit in _sources(label, predicate):
        for what, found, certified in (
            ("repository", repository, claims.repository),
            ("ref", ref, claims.ref),
            ("commit", commit, claims.commit),
        ):
            if found is None:
                continue
            if certified is None:
                raise CannotVerify("9b", f"the certificate does not say which {what} it was built from")
            if found != certified:
                raise Invalid("9b", f"{place} names the {what} {found[:200]!r}, the certificate {certified[:200]!r}")


def check_build_type(label: str, predicate: Mapping[str, Any]) -> None:
    """Run the last step for a provenance of a package: it is of a kind of build whose meaning is known (CASES V20).

    Raises:
        CannotVerify: of any other, whatever it names as its source.
    """
    # (9e)
    build_type = _str(predicate if label == PROVENANCE[0] else _get(predicate, "buildDefinition"), "buildType")
    if build_type not in BUILD_TYPES[label]:
        raise CannotVerify("9e", f"a build of the type {str(build_type)[:100]!r} is not known here")


def _sources(label: str, predicate: Mapping[str, Any]) -> list[tuple[str, str | None, str | None, str | None]]:
    """Return each (place, repository, ref, commit) that the predicate names as its source; all three occur."""
    if label == PROVENANCE[0]:
        build_type = predicate.get("buildType")
        found = [("configSource", *_dependency(_get(predicate, "invocation", "configSource")))]
        if found[0][2] is None:
            # GitLab's names the ref beside the source, and says branch or tag by which variable is set.
            parameters = _get(predicate, "invocation", "parameters")
            tag, branch = _str(parameters, "CI_COMMIT_TAG"), _str(parameters, "CI_COMMIT_BRANCH")
            ref = f"refs/tags/{tag}" if tag else f"refs/heads/{branch}" if branch else None
            found.append(("parameters", None, ref, None))
    else:
        definition = _get(predicate, "buildDefinition")
        build_type = definition.get("buildType")
        dependencies = definition.get("resolvedDependencies")
        first = dependencies[0] if isinstance(dependencies, list) and dependencies else {}
        found = [("resolvedDependencies[0]", *_dependency(first if isinstance(first, dict) else {}))]
        workflow = _get(definition, "externalParameters", "workflow")
        if workflow:
            found.append(("externalParameters.workflow", _str(workflow, "repository"), _str(workflow, "ref"), None))
    _, repository, _, commit = found[0]
    if repository is None or commit is None or all(ref is None for _, _, ref, _ in found):
        raise CannotVerify(
            "9b", f"a build of the type {str(build_type)[:100]!r} names its source in a way not known here"
        )
    return found


def _get(value: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    found: Any = value
    for name in names:
        found = found.get(name)
        if not isinstance(found, dict):
            return {}
    return found  # type: ignore[no-any-return]


def _str(value: Mapping[str, Any], name: str) -> str | None:
    found = value.get(name)
    return found if isinstance(found, str) and found else None


def _dependency(source: Mapping[str, Any]) -> tuple[str | None, str | None, str | None]:
    """Return (repository, ref, commit) of a resource descriptor such as `git+https://github.com/o/r@refs/heads/main`."""
    match = _SOURCE.fullmatch(_str(source, "uri") or "")
    digest = _get(source, "digest")
    commit = _str(digest, "gitCommit") or _str(digest, "sha1")
    return (match[1], match[2], commit) if match else (None, None, commit)
