"""The real package managers of `.tools/managers`, each as the only one of its name on PATH, in a `World`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping

from testkit.commandline import REPOSITORY, World
from testkit.registry import Simulator

MODULES = REPOSITORY / ".tools" / "managers" / "node_modules"

# Manager → where its program is, its lockfile, and how a person makes that.
MANAGERS = {
    "npm": ("npm/bin/npm-cli.js", "package-lock.json", "install --package-lock-only --ignore-scripts --no-audit"),
    "pnpm": ("@pnpm/exe.*/pnpm", "pnpm-lock.yaml", "install --lockfile-only --ignore-scripts"),
    "bun": ("@oven/bun-*/bin/bun", "bun.lock", "install --lockfile-only"),
    "yarn 1": ("yarn/bin/yarn.js", "yarn.lock", "install --ignore-scripts"),
    "yarn": ("@yarnpkg/cli-dist/bin/yarn.js", "yarn.lock", "install --mode=update-lockfile"),
}


def project(world: World, registry: Simulator, manager: str, dependencies: Mapping[str, str]) -> None:
    """Write a project, and let its package manager make the lockfile."""
    for path in world.project.glob("*.json"):
        path.unlink()
    world.store.rename(world.root / "unused")
    manifest = {"name": "shop", "version": "3.2.0", "private": True, "dependencies": dict(dependencies)}
    (world.project / "package.json").write_text(json.dumps(manifest, indent=2) + "\n")
    (world.project / ".npmrc").write_text(f"registry={registry.url}\n")
    if manager == "yarn":
        (world.project / ".yarnrc.yml").write_text(
            f'npmRegistryServer: "{registry.url.rstrip("/")}"\nunsafeHttpWhitelist: ["127.0.0.1"]\n'
            "enableTelemetry: false\nnpmMinimalAgeGate: 0\n"
        )
        (world.project / "yarn.lock").write_text("")
    world.trust.write_text(
        world.trust.read_text() + f'\n[[registries]]\nurl = "{registry.url}"\nserves_evidence = false\n'
    )
    install(world, manager)


def install(world: World, manager: str) -> None:
    """Let the package manager make the lockfile, as a person does."""
    arguments = [manager.partition(" ")[0], *MANAGERS[manager][2].split()]
    made = subprocess.run(
        arguments, cwd=world.project, env=variables(world, manager), capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stdout + made.stderr


def variables(world: World, manager: str = "npm") -> dict[str, str]:
    """Return an environment in which this manager is on PATH; no setting of the machine's user counts."""
    programs = world.root.parent / "programs"
    programs.mkdir(exist_ok=True)
    (found,) = MODULES.glob(MANAGERS[manager][0])
    link = programs / manager.partition(" ")[0]
    if not link.is_symlink():
        link.symlink_to(found)
    return world.environment(
        PATH=f"{programs}{os.pathsep}{os.environ['PATH']}",
        pnpm_config_minimum_release_age="0",
        YARN_ENABLE_IMMUTABLE_INSTALLS="false",
    )
