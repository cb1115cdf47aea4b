"""Which builds hold it: keep what all builds are made of, and ask.

The inventory is derived: Parquet files in a folder, made of signed evidence, and made again at any time. Answers name
the digest of the evidence that they come from. It needs DuckDB: pip install 'sbomgate[inventory]'

examples:
  sbomgate inventory add evidence --trust trust.toml              a store; `gate --inventory DIR` adds each build
  sbomgate inventory add oci:HOST/team/evidence --trust trust.toml   what a registry holds
  sbomgate inventory add sboms/ vendor.cdx.json                   SBOMs, anybody's
  sbomgate inventory find axios@1.14.1 plain-crypto-js --paths    which builds hold it, and through what
  sbomgate inventory find 'axios@>=1.14 <2' environment:production --running
  sbomgate inventory find '@tanstack/*' younger:3d is:unattested
  sbomgate inventory deployed file:dist/app.tgz --environment production
  sbomgate inventory coverage --deployed running.txt              what runs and never met the gate
  sbomgate inventory sweep --feed osv-npm.zip                     everything that a list hits, and what to go back to
  sbomgate inventory push s3://bucket/inventory                   a copy that others read: --inventory s3://bucket/inventory
  sbomgate inventory sql "SELECT project, count(*) FROM build GROUP BY project"

exit codes: 0 done, 1 `sweep` hit something, `coverage` found something uncovered, 2 not done
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from sbomgate.cli import _inventory

if TYPE_CHECKING:
    import argparse

    from sbomgate.cli._environment import Environment

HELP = "which builds hold it: add, find, sweep and more"

# Sub-verb → the module that holds it.
_ACTIONS = {
    "add": "_inventory_add",
    "rebuild": "_inventory_add",
    "compact": "_inventory_add",
    "push": "_inventory_add",
    "find": "_inventory_find",
    "stats": "_inventory_find",
    "sql": "_inventory_find",
    "export": "_inventory_export",
    "deployed": "_inventory_deployed",
    "coverage": "_inventory_deployed",
    "sweep": "_inventory_sweep",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    _inventory.add_arguments(parser)


def run(args: argparse.Namespace, env: Environment) -> int:
    """Do what was asked for."""
    module = import_module(f"sbomgate.cli.{_ACTIONS[args.action]}")
    return int(getattr(module, args.action)(args, env))
