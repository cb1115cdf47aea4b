"""The texts of the files that a project begins with. What was found in the project is proposed as comments only.

A project's own files never decide what is trusted (PROMISES P21): a registry or a scope that was found stands in the
first trust file as a line that a person has to take the comment sign from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from sbomgate.adoption.found import Found, Manager

SCHEMA_COPY = ".sbomgate/config.schema.json"
"""Where a project keeps the schema of sbomgate.toml, for editors: offline, and of the version that wrote the file."""

BOOTSTRAP = "bootstrap"
"""The environment that a first baseline is decided for where CI signs the releases: `verify` accepts it nowhere."""

_WORKFLOW = ".github/workflows/sbomgate.yml"
_TAKEN = "#:schema "
_MANAGER = re.compile(rb"npm(?=[' }]*(?:#|//) init writes here what it finds)")


def config() -> str:
    """Return the text of a first sbomgate.toml."""
    return f"""\
{_TAKEN}./{SCHEMA_COPY}
# What this project demands of itself. It can only tighten what holds anyway: who and what is trusted stands in the
# trust file, outside this repository. `sbomgate policy list` names the rules, docs/rules/ has a page for each.

# How strict at least. Without a line it is `default`: what is young, new with an install script, lost its provenance or
# is known bad denies; debts warn. strict: debts and everything unknown deny. release: also demands a baseline.
# profile = "strict"

# [rules.release_age]
# minimum_age_hours = 168 # wait a week instead of three days

# [sbom] # who made the SBOM, and who supplies the project
# author = "Release team <release@acme.example>"
# supplier = "Acme Ltd <https://acme.example>"

# [malicious]
# lists = ["security/malicious.csv"] # lists of your own, besides the shipped one or the trust file's
"""


def identity(found: Found, system: str | None) -> tuple[str, str] | None:
    """Return issuer and identity of the release job where its CI system certifies one; None elsewhere."""
    if found.repository is None:
        return None
    host = urlsplit(found.repository).netloc
    if system == "github" and host == "github.com":
        return "https://token.actions.githubusercontent.com", f"{found.repository}/{_WORKFLOW}@refs/tags/v*"
    if system == "gitlab" and host == "gitlab.com":
        return "https://gitlab.com", f"{found.repository}//.gitlab-ci.yml@refs/tags/v*"
    return None


def trust(found: Found, system: str | None, *, public_key: str) -> str:
    """Return the text of a first trust file.

    Where CI signs with an identity of its own, that identity decides for production, and the key only for
    `BOOTSTRAP`: what it signs is a baseline, and no release (P20). Elsewhere the key signs releases.

    Args:
        found: what the project is.
        system: its CI system, or None.
        public_key: of the local key that signs the first baseline, PEM.
    """
    certified = identity(found, system)
    lines = [
        "# Who and what sbomgate accepts for this project. What is not named here is not accepted.",
        "# Keep this file where whoever changes the project cannot change it: a repository of the security team, the",
        "# release job's own configuration. A copy inside the project counts only with its digest, noted outside:",
        "# --trust .sbomgate/trust.toml@sha256:DIGEST. docs/trust-file.md explains every key.",
        'schema = "sbomgate/trust/v1"',
        "",
        "# What a decision must be about; `verify` refuses any other. A line that is commented out demands nothing.",
        f'repository = "{found.repository}"' if found.repository else '# repository = "https://github.com/acme/shop"',
        'environments = ["production"]' if certified else '# environments = ["production"]',
        "",
        "# The oldest evidence that `verify` accepts, in hours, and the weakest profile: default, strict or release.",
        "max_age_hours = 168",
        'profile = "default"',
        "",
    ]
    lines += _first_party(found)
    if certified:
        issuer, name = certified
        lines += [
            "# The release job, by the identity that sigstore certifies: `gate --signer keyless`.",
            "[[signers]]",
            'name = "release workflow"',
            'roles = ["decision"]',
            f"issuer = {_toml(issuer)}",
            f"identity = {_toml(name)}",
            'environments = ["production"]',
            "",
            "# The key that signed the first baseline. It may decide for no environment that anything is deployed to;",
            "# take it out when the release job has decided for the first time.",
        ]
    else:
        lines.append("# The key that signs: keep its private half where only the release job can read it.")
    lines += [
        "[[signers]]",
        f'name = "{"first baseline" if certified else "release key"}"',
        'roles = ["decision"]',
        *([f'environments = ["{BOOTSTRAP}"]'] if certified else []),
        'public_key = """',
        public_key.strip(),
        '"""',
        "",
        *_registries(found.registries),
        "# An install script that somebody has read (`sbomgate check --verbose` prints all of it):",
        "# [[approved_scripts]]",
        '# name = "esbuild"',
        '# version = "0.25.0"',
        '# integrity = "sha512-…"',
        '# digest = "…"',
        '# reason = "links the binary of the platform"',
    ]
    return "\n".join(lines) + "\n"


def _first_party(found: Found) -> list[str]:
    if not found.first_party:
        return []
    scopes = ", ".join(_toml(scope) for scope in found.first_party)
    return [
        "# Scopes that look like your own. What stands here needs no public evidence: uncomment it only where nobody",
        "# else can publish under the name, and name its registry below.",
        f"# first_party = [{scopes}]",
        "",
    ]


def _registries(registries: Mapping[str, str]) -> list[str]:
    if not registries:
        return []
    lines = [
        "# Registries that the project's settings name. Until they stand here they are reported (rule registries)."
    ]
    for scope, url in registries.items():
        lines += ["# [[registries]]", f"# url = {_toml(url)}"]
        lines += [f"# scope = {_toml(scope)}"] if scope else []
        lines += ["# serves_evidence = false # if it is a mirror without signatures and attestations"]
    return [*lines, ""]


def destination(system: str, template: str) -> str:
    """Return where a template (the path of a file in ci-templates/SYSTEM) lies in a project's repository, POSIX."""
    match system:
        case "github":
            folder, _, name = template.rpartition("/")
            if folder:  # an action of its own
                return f".github/actions/sbomgate-{template}"
            return f".github/workflows/{_named(name)}"
        case "gitlab":
            return f".gitlab/{_named(template)}"
        case "azure":
            return f".azure-pipelines/{_named(template)}"
        case _:
            return f"{system}/sbomgate.{template}"


def _named(name: str) -> str:
    return name if name.startswith("sbomgate") else f"sbomgate-{name}"


def template(data: bytes, manager: Manager) -> bytes:
    """Return a CI template that installs with this package manager.

    Its version is written where one is known: a machine of a CI system seldom has another manager than npm. Of npm only
    one that the project names, not the one that happens to be on somebody's PATH.
    """
    named = manager.name != "npm" or manager.source.endswith("package.json")
    version = "" if manager.version is None or not named else f"@{'.'.join(map(str, manager.version))}"
    return _MANAGER.sub(f"{manager.name}{version}".encode(), data)


def ci_steps(system: str | None, found: Found) -> list[str]:
    """Return what a person still has to do in the CI system, one step a line."""
    match system:
        case "github":
            steps = [
                "set the repository variables SBOMGATE (what pip installs: a wheel's address with #sha256=…) and",
                "  SBOMGATE_TRUST (as above), under Settings, Secrets and variables, Actions, Variables",
                "call .github/workflows/sbomgate.yml from your release workflow: the lines are at the file's top",
            ]
        case "gitlab":
            steps = [
                "include it from .gitlab-ci.yml:  include: [{ local: .gitlab/sbomgate.gitlab-ci.yml }]",
                "set the protected variables SBOMGATE, SBOMGATE_TRUST and SBOMGATE_ARTEFACT (Settings, CI/CD)",
                "for a note on merge requests include .gitlab/sbomgate-review.gitlab-ci.yml: its top names the token",
            ]
        case "azure":
            steps = [
                "extend .azure-pipelines/sbomgate.yml from your pipeline: the lines are at the file's top",
                "for a comment on pull requests a second pipeline extends .azure-pipelines/sbomgate-review.yml",
            ]
        case "jenkins":
            steps = [
                "point a pipeline job at jenkins/sbomgate.Jenkinsfile, and set the variables at its top",
                "for a comment on pull requests point a multibranch job at jenkins/sbomgate.review.Jenkinsfile",
            ]
        case _:
            steps = [
                "run `sbomgate check --trust FILE` before anything is installed, and `sbomgate gate` in the release job"
            ]
    if system is not None and found.manager.version is None and found.manager.name != "npm":
        name = found.manager.name
        steps.append(f"name the version of {name} in the template, {name}@…: few machines of a CI system have it")
    return steps


def _toml(text: str) -> str:
    """Return a text as a TOML basic string: JSON's form is one, but for DEL, which is written out."""
    return re.sub("\x7f", r"\\u007f", json.dumps(text, ensure_ascii=True))
