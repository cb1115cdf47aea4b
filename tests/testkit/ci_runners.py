"""A sample project, and what a CI system's local runner needs to run our template on it: a registry, a git server and a
whole sigstore on loopback, the wheel, and a trust file that accepts what is there.

    with sample(folder, template) as made:
        ... made.clone, made.environment, made.trust_pin
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from sbomgate.signing import local_key
from testkit import real_sigstore, tarballs
from testkit.engines import borrow_engine
from testkit.real_sigstore import RealSigstore
from testkit.registry import Simulator

REPOSITORY = Path(__file__).resolve().parents[2]
RUNNERS = REPOSITORY / ".tools" / "runners" / "node_modules" / ".bin"
MANAGERS = REPOSITORY / ".tools" / "managers" / "node_modules"
ACTIONS = REPOSITORY / "tests" / "integration" / "actions"
PROGRAMS = {
    "pnpm": f'exec node "{MANAGERS}/pnpm/bin/pnpm.mjs" "$@"',
    "yarn-classic": f'exec node "{MANAGERS}/yarn/bin/yarn.js" "$@"',
    "yarn": f'exec node "{MANAGERS}/@yarnpkg/cli-dist/bin/yarn.js" "$@"',
    "bun": f'exec "{MANAGERS}/@oven/bun-linux-x64/bin/bun" "$@"',
}
"""Package manager → the command that starts the pinned one; npm is the machine's."""

LOCKED: Mapping[str, tuple[tuple[str, ...], Mapping[str, str]]] = {
    "npm": (("npm", "install", "--package-lock-only", "--ignore-scripts", "--no-audit"), {}),
    "pnpm": (("pnpm", "install", "--lockfile-only", "--ignore-scripts"), {}),
    "yarn-classic": (("yarn", "install", "--ignore-scripts", "--non-interactive"), {}),
    "yarn": (
        ("env", "YARN_ENABLE_IMMUTABLE_INSTALLS=false", "yarn", "install", "--mode=update-lockfile"),
        {
            "yarn.lock": "",
            ".yarnrc.yml": "npmRegistryServer: {url}\nunsafeHttpWhitelist: [127.0.0.1]\nnpmMinimalAgeGate: 0\n"
            "enableTelemetry: false\nnodeLinker: node-modules\n",
        },
    ),
    "bun": (
        ("bun", "install", "--lockfile-only", "--ignore-scripts"),
        {"bunfig.toml": '[install]\nregistry = "{url}"\n'},
    ),
}
"""Package manager → what writes its lockfile, and the files that it needs besides .npmrc; {url} is the registry's."""

LOCKFILES = ("package-lock.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock", ".yarnrc.yml", "bunfig.toml")

WORKFLOW = "https://github.com/acme/shop/.github/workflows/release.yml@refs/heads/main"

INSTALL = """\
const tell = (said) => require("fs").writeFileSync("said.txt", said)
require("net").connect({ port: PORT, host: "127.0.0.1" })
  .on("connect", function () { tell("reached the network"); this.destroy() })
  .on("error", () => tell("no network"))
"""
"""The approved install script: it says whether it could reach the registry."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A project that is ready for its pipeline.

    Attributes:
        folder: everything lies in it.
        clone: the project, cloned from the git server.
        registry, sigstore: what runs on loopback.
        wheel: what the template's pip installs.
        index: the same wheel, in a package index of its own.
        trust_pin: the trust file in the clone, with its digest.
        environment: the variables of a job.
        artifacts: where jobs leave artefacts for each other.
    """

    folder: Path
    clone: Path
    registry: Simulator
    sigstore: RealSigstore
    wheel: str
    index: str
    trust_pin: str
    environment: Mapping[str, str]
    artifacts: Path

    def run(self, *command: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the clone."""
        return _run(*command, cwd=self.clone, env={**self.environment, **more})

    def machine(self, name: str) -> Path:
        """Return a fresh clone, for a job of its own."""
        clone = self.folder / name / "clone"
        made = self.run("git", "clone", "-q", self.clone, clone)
        assert made.returncode == 0, made.stderr
        return clone

    def lock(self, manager: str) -> None:
        """Let this package manager write the lockfile, in the place of any other; commit it."""
        for name in LOCKFILES:
            (self.clone / name).unlink(missing_ok=True)
        lock(self.clone, manager, self.registry, self.environment)
        self.commit()

    def path(self, manager: str) -> str:
        """Return a PATH on which `yarn` is the one that this name stands for."""
        return f"{self.folder / 'programs' / manager}{os.pathsep}{self.environment['PATH']}"

    def head(self) -> str:
        """Return the commit that is built."""
        return self.run("git", "rev-parse", "HEAD").stdout.strip()

    def commit(self) -> None:
        """Commit what stands in the clone."""
        for command in (("add", "-A"), ("commit", "-q", "--allow-empty", "-m", "a change")):
            made = self.run("git", *command)
            assert made.returncode == 0, made.stderr


@contextlib.contextmanager
def sample(folder: Path) -> Iterator[Sample]:
    """Make the project, and serve what its pipeline asks for, until the end of the block."""
    with (
        Simulator() as registry,
        real_sigstore.running(folder / "sigstore") as sigstore,
        _files(folder / "served") as served,
    ):
        registry.publish("left-pad", "1.3.0")
        native = tarballs.package(
            "native-thing",
            "1.0.0",
            scripts={"install": "node install.js"},
            files={"install.js": INSTALL.replace("PORT", registry.origin.rpartition(":")[2]).encode()},
        )
        registry.publish("native-thing", "1.0.0", native, manifest={"scripts": {"install": "node install.js"}})
        home = folder / "home"
        engine = home / ".cache" / "sbomgate" / "engine"
        engine.mkdir(parents=True, mode=0o700)
        engine.parent.chmod(0o700)
        borrow_engine(engine)
        artifacts = folder / "artifacts"
        artifacts.mkdir()
        environment = {
            "PATH": f"{_programs(folder / 'programs')}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(home),
            "USER": "root" if os.geteuid() == 0 else os.environ.get("USER", "nobody"),
            # What pip would fetch besides the wheel is what the tests run with.
            "PYTHONPATH": str(_dependencies(folder / "dependencies")),
            "NO_COLOR": "1",  # a runner may give its jobs a terminal
            "PIP_NO_DEPS": "1",
            "PIP_NO_INDEX": "1",
            "KEPT_ARTIFACTS": str(artifacts),
            "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@acme.example",
            "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@acme.example",
        }  # fmt: skip
        source = folder / "source"
        _project(source, registry, environment)
        _trust(source, registry, sigstore)
        _approve(source, environment)
        _serve(source, folder / "served" / "shop.git", environment)
        wheel = _wheel(folder / "served" / "simple" / "sbomgate")
        clone = folder / "clone"
        cloned = _run("git", "clone", "-q", f"{served}/shop.git", clone, cwd=folder, env=environment)
        assert cloned.returncode == 0, cloned.stderr
        yield Sample(
            folder=folder, clone=clone, registry=registry, sigstore=sigstore, wheel=wheel, index=f"{served}/simple",
            trust_pin=_pinned(clone), environment=environment, artifacts=artifacts,
        )  # fmt: skip


def _run(*command: str | Path, cwd: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=cwd, env=dict(env), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )


def _project(folder: Path, registry: Simulator, environment: Mapping[str, str]) -> None:
    """Write a project, and let npm make its lockfile."""
    folder.mkdir()
    document = {
        "name": "shop", "version": "3.2.0", "private": True,
        "scripts": {"build": "mkdir -p dist && tar czf dist/app.tgz -C node_modules/native-thing said.txt"},
        "dependencies": {"left-pad": "1.3.0", "native-thing": "1.0.0"},
    }  # fmt: skip
    (folder / "package.json").write_text(json.dumps(document, indent=2) + "\n")
    (folder / ".npmrc").write_text(f"registry={registry.url}\n")
    (folder / ".gitignore").write_text("node_modules/\ndist/\nsaid.txt\nevidence/\nreview.md\nsbomgate.env\n.state/\n")
    lock(folder, "npm", registry, environment)


def lock(folder: Path, manager: str, registry: Simulator, environment: Mapping[str, str]) -> None:
    """Let a package manager write the lockfile of a folder, and leave nothing else of it there."""
    command, files = LOCKED[manager]
    for name, text in files.items():
        (folder / name).write_text(text.replace("{url}", registry.url))
    programs = Path(environment["HOME"]).parent / "programs" / manager
    made = _run(*command, cwd=folder, env={**environment, "PATH": f"{programs}{os.pathsep}{environment['PATH']}"})
    assert made.returncode == 0, made.stdout + made.stderr
    shutil.rmtree(folder / "node_modules", ignore_errors=True)


def _programs(folder: Path) -> Path:
    """Write the programs of a machine: the pinned package managers, and the Python that runs the tests."""
    everywhere = {name: PROGRAMS[name] for name in ("pnpm", "bun")} | {"python3": f'exec "{sys.executable}" "$@"'}
    of_one = {f"{name}/{name.partition('-')[0]}": command for name, command in PROGRAMS.items()}
    for name, command in ({f"all/{name}": command for name, command in everywhere.items()} | of_one).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{command}\n")
        path.chmod(0o755)
    return folder / "all"


def _trust(folder: Path, registry: Simulator, sigstore: RealSigstore) -> None:
    """Write the trust file, and the private sigstore's material beside it."""
    (folder / "ci").mkdir()
    key = local_key.generate(folder.parent / "release.key").public_key
    text = f'''\
schema = "sbomgate/trust/v1"
issuers = ["https://token.actions.githubusercontent.com"]
profile = "default"

[[registries]]
url = "{registry.url}"

[[signers]]
name = "release workflow"
roles = ["decision"]
issuer = "{sigstore.identity.issuer()}"
identity = "{WORKFLOW}"
repository_id = "1001"

[[signers]]
name = "release key"
roles = ["decision"]
public_key = """
{key}"""

[sigstore]
'''
    material: Mapping[str, Any] = {"trusted_root": sigstore.trusted_root(), "signing_config": sigstore.signing_config()}
    for name, value in material.items():
        data = json.dumps(value).encode()
        (folder / "ci" / f"{name}.json").write_bytes(data)
        text += f'{name} = {{ path = "{name}.json", sha256 = "{hashlib.sha256(data).hexdigest()}" }}\n'
    (folder / "ci" / "trust.toml").write_text(text)


def _pinned(folder: Path) -> str:
    """Return the trust file with its digest, as it is given where it lies in the tree under test."""
    return f"ci/trust.toml@sha256:{hashlib.sha256((folder / 'ci' / 'trust.toml').read_bytes()).hexdigest()}"


def _approve(folder: Path, environment: Mapping[str, str]) -> None:
    """Approve the install script as a person would: with what the report offers."""
    made = _run(
        sys.executable, "-m", "sbomgate", "check", ".", "--trust", _pinned(folder), "--verbose", cwd=folder,
        env={**environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr  # a first run: what was there before warns
    offered = made.stdout[made.stdout.index("[[approved_scripts]]") :].split("\n\n")[0]
    lines = [line.strip() for line in offered.splitlines()]
    with (folder / "ci" / "trust.toml").open("a") as trust:
        trust.write("\n" + "\n".join(lines) + "\n")


def _serve(source: Path, bare: Path, environment: Mapping[str, str]) -> None:
    """Commit the project, and make the copy that the git server has."""
    for command in (
        ("git", "init", "-q", "-b", "main"),
        ("git", "add", "-A"),
        ("git", "commit", "-q", "-m", "the project"),
        ("git", "clone", "-q", "--bare", str(source), str(bare)),
        ("git", "--git-dir", str(bare), "update-server-info"),
    ):
        made = _run(*command, cwd=source, env=environment)
        assert made.returncode == 0, made.stderr


def _wheel(folder: Path) -> str:
    """Build the wheel of this source tree; return what the template's pip installs, with its digest."""
    command = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder)
    made = _run(*command, REPOSITORY, cwd=REPOSITORY, env=os.environ)
    assert made.returncode == 0, made.stderr
    (path,) = folder.glob("*.whl")
    return f"{path.as_uri()}#sha256={hashlib.sha256(path.read_bytes()).hexdigest()}"


def _dependencies(folder: Path) -> Path:
    """Link what sbomgate depends on into a folder, without sbomgate itself: that comes from the wheel."""
    folder.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if "sbomgate" not in path.name and path.suffix != ".pth":
            (folder / path.name).symlink_to(path)
    return folder


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed."""


@contextlib.contextmanager
def _files(folder: Path) -> Iterator[str]:
    """Serve a folder: git's plain HTTP protocol needs no more."""
    folder.mkdir(parents=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def azure(
    sample: Sample,
    template: Path,
    values: Mapping[str, str],
    *,
    predefined: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
) -> str:
    """Run the commands of the Azure template, each stage in a clone and folders of its own; return what they print.

    Of the system itself only this is here: parameters in the place of `${{ parameters.NAME }}`, `publish` and
    `download` as copies, output variables by `##vso[task.setvariable]`; a secret is seen where a step maps it.
    """
    document = yaml.safe_load(template.read_text(encoding="utf-8"))
    parameters = {one["name"]: str(one.get("default", "")) for one in document["parameters"]} | dict(values)

    def filled(text: str) -> str:
        return re.sub(r"\$\{\{ parameters\.(\w+) \}\}", lambda found: parameters[found[1]], text)

    shown = ""
    outputs: dict[str, str] = {}
    for stage in document["stages"]:
        (job,) = stage["jobs"]
        machine = sample.machine(f"azure-{stage['stage']}")
        variables = {
            **sample.environment,
            **{name: filled(value) for name, value in document["variables"].items()},
            "AGENT_TEMPDIRECTORY": str(machine.parent / "temporary"),
            "PIPELINE_WORKSPACE": str(machine.parent),
            "BUILD_REPOSITORY_URI": "https://github.com/acme/shop",
            "BUILD_SOURCEVERSION": sample.head(),
            **(predefined or {}),
        }
        for name, value in job.get("variables", {}).items():
            asked = re.fullmatch(r"\$\[ stageDependencies\.\w+\.\w+\.outputs\['(\S+)'\] \]", value)
            assert asked, value
            variables[name] = outputs[asked[1]]
        for step in job["steps"]:
            if "bash" in step:
                more = {
                    name: re.sub(r"\$\(([\w.]+)\)", lambda found: (secrets or {})[found[1]], filled(value))
                    for name, value in step.get("env", {}).items()
                }
                made = _run(
                    "bash", "--noprofile", "--norc", "-c", filled(step["bash"]), cwd=machine, env=variables | more
                )
                shown += made.stdout + made.stderr
                assert made.returncode == 0, shown
                for name, value in re.findall(
                    r"##vso\[task\.setvariable variable=(\w+);isOutput=true\](\S+)", made.stdout
                ):
                    outputs[f"{step['name']}.{name}"] = value
            elif "publish" in step:
                named = filled(step["publish"]).replace("$(Agent.TempDirectory)", variables["AGENT_TEMPDIRECTORY"])
                source = machine / named
                kept = sample.folder / "azure-artefacts" / step["artifact"]
                _copy(source, kept if source.is_dir() else kept / source.name)
            elif "download" in step:
                _copy(sample.folder / "azure-artefacts" / step["artifact"], machine.parent / step["artifact"])
            else:
                assert "checkout" in step or step["task"] == "NodeTool@0", step
    return shown


def jenkins(sample: Sample, template: Path, values: Mapping[str, str]) -> str:
    """Run the commands of the Jenkinsfile, each stage in a clone of its own; return what they print.

    Of the system itself only this is here: `sh` with a string, `stash` and `unstash` as copies, the digest that a
    script returns, and the credential as a file.
    """
    text = template.read_text(encoding="utf-8")
    declared = dict(re.findall(r"^    (\w+) = '([^']*)'(?: //.*)?$", text, re.MULTILINE))
    assert not values.keys() - declared.keys() - {"KEY", "SBOMGATE_COMMENT_TOKEN", "CHANGE_URL"}
    shown, variables = "", {**sample.environment, **declared, **values, "GIT_URL": "https://github.com/acme/shop"}
    step = re.compile(
        r"sh '''(?P<block>.*?)'''|sh '(?P<sh>[^']*)'|script: '(?P<value>[^']*)'"
        r"|(?P<stash>(?:un)?stash)(?: name:)? '(?P<name>\w+)'",
        re.DOTALL,
    )
    for stage in re.split(r"(?=\bstage\(')", text)[1:]:
        machine = sample.machine(f"jenkins-{stage[7:].partition(chr(39))[0]}")
        variables |= {"WORKSPACE_TMP": str(machine.parent / "temporary"), "GIT_COMMIT": sample.head()}
        for found in step.finditer(stage):
            if command := (found["block"] or found["sh"] or found["value"]):
                made = _run(
                    "sh", "-ec" if found["block"] else "-xec", command.replace("\\\\", "\\"), cwd=machine, env=variables
                )
                shown += made.stdout + made.stderr
                assert made.returncode == 0, shown
                if found["value"]:
                    variables["SHA256"] = made.stdout.strip()
            else:
                held = {"artefact": variables.get("ARTEFACT", ""), "evidence": "evidence", "review": "review.md"}[
                    found["name"]
                ]
                kept = sample.folder / "jenkins-stash" / found["name"]
                _copy(*((machine / held, kept) if found["stash"] == "stash" else (kept, machine / held)))
    return shown


def _copy(source: Path, target: Path) -> None:
    """Copy a file or a folder to a place that may not be there yet."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy2(source, target)


def stand_ins(template: Path) -> list[str]:
    """Return act's arguments that put our stand-ins in the place of the actions that a workflow names by commit.

    A copy of the repository is act's own stand-in for `actions/checkout`.
    """
    named = set(re.findall(r"uses: actions/([\w-]+)@([0-9a-f]{40})", template.read_text(encoding="utf-8")))
    ours = [(name, commit) for name, commit in sorted(named) if name != "checkout"]
    return [
        part for name, commit in ours for part in ("--local-repository", f"actions/{name}@{commit}={ACTIONS / name}")
    ]


def find(program: str) -> str:
    """Return the path of a runner, which is there: the marker `runners` sees to it."""
    found = shutil.which(program) or shutil.which(str(RUNNERS / program))
    assert found is not None
    return found
