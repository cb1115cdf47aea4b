"""What people did in a case before the gate was asked: who committed the change, who waived, approved or forged.

    commit_by = "bob"                                  the change is one commit, signed with Bob's SSH key
    people = [
        {by = "ann", run = ["waive", "release_age", "ms@2.0.1", "--until", "30d", "--reason", "read it"]},
        {by = "bob", run = ["approve", "--reason", "read it"]},                what `review` shows, as it is then
        {by = "eve", sign = {rule = "…", package = "ms@*", …}, change = {…}},  what no verb signs; hours from now
        {file = "x.sigstore.json", text = "…"},                                any other file there
    ]

`ann` and `bob` are approvers with one key each; `ann2` is another key of Ann's, under another spelling of her address;
`eve` is nobody. The release's own key is `release`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbomgate import approvals, dsse
from sbomgate.canonical import dumps
from sbomgate.model import Waiver
from sbomgate.signing import local_key
from sbomgate.times import format_time

if TYPE_CHECKING:
    from testkit.cases import Bench, Case, Release

APPROVERS = {"ann": "ann.example@acme.example", "ann2": "Ann.Ex.ample@acme.example", "bob": "bob@acme.example"}
FOLDER = ".sbomgate/approvals"


def prepare(root: Path) -> None:
    """Make everybody's keys."""
    from testkit.commits import ssh_key

    for who in (*APPROVERS, "eve"):
        key = local_key.generate(root / f"{who}.key")
        (root / f"{who}.pub").write_text(key.public_key)
    for who in ("ann", "bob"):
        ssh_key(root / f"{who}.ssh")


def trust(root: Path) -> list[str]:
    """Return the tables of the trust file that name the approvers, and what they commit with."""
    tables = []
    for who, person in APPROVERS.items():
        public = (root / f"{who}.pub").read_text()
        tables.append(
            f'[[signers]]\nname = "{who}"\nperson = "{person}"\nroles = ["approver"]\npublic_key = """\n{public}"""'
        )
    for who in ("ann", "bob"):
        line = (root / f"{who}.ssh.pub").read_text().strip()
        tables.append(
            f'[[people]]\nname = "{APPROVERS[who]}"\naddresses = ["{who}@acme.example"]\nssh_keys = ["{line}"]'
        )
    return tables


def commit(bench: Bench, before: Path, folder: Path, by: str) -> None:
    """Make the project a repository: the approved state first, then the case's files as one signed commit."""
    import shutil

    from testkit.commits import Repository

    project = folder / "project"
    change = folder / "change"
    project.rename(change)
    shutil.copytree(before, project, symlinks=True, ignore=shutil.ignore_patterns("case.toml"))
    repository = Repository.new(project)
    repository.commit(author="ann@acme.example")
    for path in project.iterdir():
        if path.name != ".git":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for path in change.iterdir():
        path.rename(project / path.name)
    repository.commit(author=f"{by}@acme.example", key=bench.root / f"{by}.ssh")


def act(bench: Bench, case: Case, folder: Path, about: list[str], known: Mapping[str, Release]) -> None:
    """Do what the case tells, in its order; `about` is what `check` will be given."""
    approvals_folder = folder / "project" / FOLDER
    for number, deed in enumerate(case.people):
        match deed:
            case {"by": who, "run": ["approve", *more]}:
                shown = bench.command(["review", "--format", "json", *about], folder)
                assert shown.report is not None, shown
                run(bench, ["approve", *about, "--change", shown.report["sha256"], *signing(bench, who), *more], folder)
            case {"by": who, "run": ["waive", *more]}:
                trust_file = ["--trust", str(folder / "trust.toml"), "--path", str(folder / "project")]
                run(bench, ["waive", *more, *trust_file, *signing(bench, who)], folder)
            case {"by": who, "sign": told}:
                statement = waiver(told, known, bench.now, deed.get("change", {}))
                data = local_key.load(bench.root / f"{who}.key").sign(statement)
                if "then" in deed:
                    data = edited(data, deed["then"])
                approvals_folder.mkdir(parents=True, exist_ok=True)
                for copy in range(deed.get("copies", 1)):
                    (approvals_folder / f"{number}-{copy}.sigstore.json").write_bytes(data)
            case {"file": name, "text": text}:
                approvals_folder.mkdir(parents=True, exist_ok=True)
                (approvals_folder / name).write_text(text)
            case _:
                raise ValueError(f"{case.name}: nobody does {deed}")


def signing(bench: Bench, who: str) -> list[str]:
    """Return the arguments that say who signs."""
    return ["--key", str(bench.root / f"{who}.key")]


def run(bench: Bench, arguments: list[str], folder: Path) -> None:
    """Run a verb that must do what it is asked for."""
    outcome = bench.command(arguments, folder, prints_json=False)
    assert outcome.exit == 0, f"{arguments}: {outcome}"


def waiver(told: Mapping[str, Any], known: Mapping[str, Release], now: datetime, change: Mapping[str, Any]) -> bytes:
    """Return the statement of a waiver, whatever it says; `change` replaces fields of its predicate."""
    name, _, version = told["package"].rpartition("@")
    release = known.get(told.get("of", told["package"]))
    said = Waiver(
        rule=told["rule"],
        package=(name, version, told.get("integrity") or (release.integrity if release else "sha512-x")),
        fingerprint=None,
        project=told.get("project", "shop"),
        issued_at=now - timedelta(hours=told.get("issued_hours_ago", 1)),
        until=now + timedelta(hours=told.get("until_hours", 720)),
        reason="read it",
    )
    statement = json.loads(approvals.write(replace(said)))
    statement["predicate"] |= {
        key: (format_time(now) if value == "now" else None if value == "none" else value)
        for key, value in change.items()
    }
    return dumps(statement)


def edited(bundle: bytes, package: str) -> bytes:
    """Return a signed waiver in which somebody wrote another version, the signature untouched."""
    import base64

    value = json.loads(bundle)
    statement = json.loads(dsse.read_bundle(bundle, "bundle").payload)
    statement["predicate"]["package"]["version"] = package.rpartition("@")[2]
    value["dsseEnvelope"]["payload"] = base64.b64encode(dumps(statement)).decode()
    return json.dumps(value).encode()
