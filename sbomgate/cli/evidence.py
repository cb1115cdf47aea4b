"""Evidence that is stored already: copy it to a registry and back, pack it for an auditor.

examples:
  sbomgate evidence push --store evidence oci:registry.example/acme/evidence
  sbomgate evidence push oci:registry.example/acme/web oci:registry.example/acme/web@sha256:…
  sbomgate evidence pull oci:registry.example/acme/evidence file:dist/app.tgz --store evidence
  sbomgate evidence pack file:dist/app.tgz --trust ../trust.toml --out app-evidence.tar.gz

exit codes: 0 done, and read back; 2 not done, or not as it is on disk
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

from sbomgate import cli

if TYPE_CHECKING:
    import argparse
    from types import ModuleType

    from sbomgate.cli._environment import Environment

HELP = "stored evidence: push, pull, pack"

_PREFIX = "_evidence_"  # one file per action, with HELP, add_arguments and run, as for a verb


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions: every `_evidence_*.py` beside this file."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    names = sorted(one.name for one in pkgutil.iter_modules(cli.__path__) if one.name.startswith(_PREFIX))
    for name in names:
        module = _action(name.removeprefix(_PREFIX))
        module.add_arguments(
            actions.add_parser(name.removeprefix(_PREFIX), help=module.HELP, description=module.__doc__)
        )


def run(args: argparse.Namespace, env: Environment) -> int:
    """Do what was asked for."""
    return int(_action(args.action).run(args, env))


def _action(name: str) -> ModuleType:
    return importlib.import_module(f"sbomgate.cli.{_PREFIX}{name}")
