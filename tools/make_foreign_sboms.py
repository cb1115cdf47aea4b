"""Make tests/fixtures/foreign: SBOMs of one project by the tools that others use.

    python tools/make_foreign_sboms.py [--syft PROGRAM]

Needs npm and the registry; the tools come from it at the versions below. syft is a Go module
(`go install github.com/anchore/syft/cmd/syft@v1.52.0`): without `--syft` its two files stay as they are. What differs
from run to run (serial numbers, times, the path of the working folder) is replaced afterwards; nothing else is.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "foreign"
TOOLS = {"@cyclonedx/cyclonedx-npm": "6.0.1", "@cyclonedx/cdxgen": "12.8.4", "pnpm": "12.21.0"}
NPM = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"]
EPOCH = "2026-01-01T00:00:00Z"
SERIAL = "urn:uuid:00000000-0000-4000-8000-000000000000"

PROJECT: dict[str, Any] = {
    "package.json": {
        "name": "fixture",
        "version": "1.0.0",
        "private": True,
        "license": "MIT",
        "workspaces": ["packages/*"],
        "dependencies": {
            "@types/ms": "0.7.34",
            "JSONStream": "1.3.5",
            "ansi-regex": "https://registry.npmjs.org/ansi-regex/-/ansi-regex-5.0.1.tgz",
            "ms": "2.1.3",
            "string-width-cjs": "npm:string-width@4.2.3",
            "supports-color": "8.1.1",
        },
        "devDependencies": {"ansi-styles": "4.3.0", "is-odd": "3.0.1"},
        "optionalDependencies": {"fsevents": "2.3.3"},
    },
    "packages/a/package.json": {
        "name": "a",
        "version": "1.0.0",
        "dependencies": {"@fixture/b": "^1.0.0", "is-number": "^7.0.0", "ms": "2.1.2"},
    },
    "packages/b/package.json": {"name": "@fixture/b", "version": "1.0.0", "peerDependencies": {"ms": "*"}},
}


def main() -> None:
    """Make every file, in a working folder of its own."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--syft", metavar="PROGRAM")
    syft = arguments.parse_args().syft
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder).resolve()
        (work / "tools").mkdir()
        run([*NPM, *(f"{name}@{version}" for name, version in TOOLS.items())], work / "tools")
        programs = work / "tools" / "node_modules" / ".bin"
        npm, pnpm = work / "npm" / "fixture", work / "pnpm" / "fixture"
        write(npm, PROJECT)
        run([*NPM, "--package-lock-only", "--omit-lockfile-registry-resolved=false"], npm)
        write(pnpm, PROJECT)
        (pnpm / "pnpm-workspace.yaml").write_text("packages:\n  - packages/*\n", encoding="utf-8")
        manifest = pnpm / "packages/a/package.json"
        manifest.write_text(manifest.read_text("utf-8").replace('"^1.0.0"', '"workspace:^"'), encoding="utf-8")
        run(["sh", str(programs / "pnpm"), "install", "--lockfile-only", "--ignore-scripts"], pnpm)

        TARGET.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            (TARGET / "project").mkdir(exist_ok=True)
            shutil.copy(npm / name, TARGET / "project" / name)
        for workspace in ("a", "b"):
            shutil.copytree(
                npm / "packages" / workspace, TARGET / "project" / "packages" / workspace, dirs_exist_ok=True
            )

        keep("npm-1.5.json", run(["npm", "sbom", "--package-lock-only", "--sbom-format", "cyclonedx"], npm), work)
        for version, format_ in (("1.4", "XML"), ("1.6", "JSON"), ("1.7", "XML")):
            command = [str(programs / "cyclonedx-npm"), "--package-lock-only", "--output-reproducible"]
            said = run([*command, "--spec-version", version, "--output-format", format_], npm)
            keep(f"cyclonedx-npm-{version}.{format_.lower()}", said, work)
        for kind, where, version in (("npm", npm, "1.5"), ("npm", npm, "1.7"), ("pnpm", pnpm, "1.6")):
            out = work / "cdxgen.json"
            command = [str(programs / "cdxgen"), "-t", kind, "--no-recurse", "--no-install-deps"]
            run([*command, "--spec-version", version, "-o", str(out), "."], where)
            keep(f"cdxgen-{kind}-{version}.json", out.read_text("utf-8"), work)
        for version in ("1.5", "1.7"):
            command = ["sh", str(programs / "pnpm"), "sbom", "--lockfile-only", "--sbom-format", "cyclonedx"]
            keep(f"pnpm-{version}.json", run([*command, "--sbom-spec-version", version], pnpm), work)
        if syft is not None:
            (npm / "requirements.txt").write_text("requests==2.31.0\n", encoding="utf-8")
            for version, format_ in (("1.6", "json"), ("1.5", "xml")):
                said = run([syft, "scan", f"dir:{npm}", "-o", f"cyclonedx-{format_}@{version}", "-q"], npm)
                keep(f"syft-{version}.{format_}", said, work)


def write(folder: Path, files: dict[str, Any]) -> None:
    """Write the project's files."""
    for name, value in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def run(command: list[str], where: Path) -> str:
    """Run a command and return what it prints."""
    return subprocess.run(command, cwd=where, check=True, stdout=subprocess.PIPE, text=True).stdout


def keep(name: str, text: str, work: Path) -> None:
    """Write a fixture, without what is of this run and this machine alone."""
    text = text.replace(str(work), "/build").replace(str(work).lstrip("/"), "build").replace(work.name, "build")
    text = re.sub(r"urn:uuid:[0-9a-f-]{36}", SERIAL, text)
    text = re.sub(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)", EPOCH, text)
    text = re.sub(r"created on \w+, \w+ \d+, \d+", "created on Thursday, January 1, 2026", text)
    (TARGET / name).write_text(text.rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
