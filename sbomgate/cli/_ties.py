"""What ties the artefact to the lockfile (P13): `--installed`, `--contains`, `--build-provenance`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbomgate.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from sbomgate.cli._decide import Tree
    from sbomgate.cli._environment import Environment
    from sbomgate.installed import Tarballs
    from sbomgate.link import Expected
    from sbomgate.model import DependencyGraph, Subject
    from sbomgate.model.link import Inventory


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--installed", metavar="DIR", help="compare what is installed in DIR with the lockfile (docs/links.md)"
    )


class Reader:
    """Reads what the command line names, the installed tree once for all parts of the project."""

    def __init__(self, args: argparse.Namespace, env: Environment, tree: Tree) -> None:
        """Take the command line."""
        self._args, self._env, self._tree = args, env, tree

    def read(self, part: DependencyGraph, _subject: Subject) -> Mapping[str, bytes]:
        """Return what was found for one part, as the evidence stores it: name of the material → bytes.

        Raises:
            InputError: nothing can be read there, or it is over a limit.
        """
        from sbomgate import decision, link

        found: dict[str, bytes] = {}
        if self._args.installed is not None:
            found[decision.TIES["installed"]] = link.dumps(self._installed(part))
        return found

    def _installed(self, part: DependencyGraph) -> Inventory:
        from sbomgate import installed, link

        root = self._env.working_directory / self._args.installed
        if not root.is_dir():
            raise UsageError("no such folder", where="--installed", place=self._args.installed)
        return installed.read_folder(
            root,
            self._known(part),
            tarballs=self._tarballs(),
            folders=self._folders(),
            elsewhere=link.elsewhere(self._tree.whole, part),
        )

    def _known(self, part: DependencyGraph) -> list[Expected]:
        from sbomgate import link

        kind = part.lockfile.kind
        return [link.expected(part.packages, kind=kind), link.expected(self._tree.whole.packages, kind=kind)]

    def _tarballs(self) -> Tarballs:
        from sbomgate.installed import Tarballs

        return Tarballs(npm_cache=self._env.npm_cache, yarn_cache=self._env.yarn_cache)

    def _folders(self) -> list[str]:
        """Return where the lockfile's own projects lie, relative to its folder: there may be a node_modules in each."""
        from sbomgate import lockfiles

        return ["" if one.path == "." else one.path for one in lockfiles.workspaces(self._tree.whole)]
