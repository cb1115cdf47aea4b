"""What ties the artefact to the lockfile (P13): `--installed`, `--contains`, `--build-provenance`."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

from sbomgate.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

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
    parser.add_argument(
        "--contains",
        nargs="?",
        const="",
        metavar="FOLDER",
        help="look into the artefact: compare the packages in it, below FOLDER, with the lockfile; an image lies in an "
        "OCI layout: layout:DIR[#FOLDER]",
    )
    parser.add_argument(
        "--build-provenance",
        metavar="FILE",
        help="the provenance that the build signed: a sigstore bundle, or a JSONL of several",
    )


class Reader:
    """Reads what the command line names, the installed tree once for all parts of the project."""

    def __init__(self, args: argparse.Namespace, env: Environment, tree: Tree, paths: Mapping[str, str]) -> None:
        """Take the command line; `paths` has the SHA-256 of each subject that is a file, and its path.

        Raises:
            UsageError: what it names is not there.
        """
        self._args, self._env, self._tree, self._paths = args, env, tree, paths
        self._read: Inventory | None = None
        if args.installed is not None and not (env.working_directory / args.installed).is_dir():
            raise UsageError(
                "no such folder",
                where="--installed",
                place=args.installed,
                hint="name the project's folder where its packages are installed: the one that holds node_modules",
            )
        if args.build_provenance is not None and not (env.working_directory / args.build_provenance).is_file():
            raise UsageError(
                "no such file",
                where="--build-provenance",
                place=args.build_provenance,
                hint="give the sigstore bundle that the build wrote (`gh attestation download` fetches one)",
            )

    @functools.cached_property
    def _tarballs(self) -> Tarballs:
        """The tarballs that lie on this machine."""
        from sbomgate.installed import Tarballs

        zips = [self._tree.project.root / ".yarn" / "cache", *self._env.yarn_zips]
        if self._args.installed is not None:
            zips.append(self._env.working_directory / self._args.installed / ".yarn" / "cache")
        return Tarballs(npm_cache=self._env.npm_cache, yarn_cache=self._env.yarn_cache, zips=zips)

    @property
    def keep(self) -> Callable[[str, bytes], None] | None:
        """What takes the tarballs that are fetched anyway, where packages are compared with them; else None."""
        compares = self._args.installed is not None or self._args.contains is not None
        return self._tarballs.keep if compares else None

    def read(self, part: DependencyGraph, subject: Subject) -> Mapping[str, bytes]:
        """Return what was found for one part, as the evidence stores it: name of the material → bytes.

        Raises:
            InputError: nothing can be read there, or it is over a limit.
        """
        from sbomgate import decision, link

        found: dict[str, bytes] = {}
        if self._args.installed is not None:
            found[decision.TIES["installed"]] = link.dumps(self._installed(part))
        if self._args.contains is not None:
            found[decision.TIES["contained"]] = link.dumps(self._contained(part, subject))
        if self._args.build_provenance is not None:
            found[decision.TIES["provenance"]] = self._provenance(subject)
        return found

    def _provenance(self, subject: Subject) -> bytes:
        """Return the bundle about this artefact, not verified: of several the last one."""
        from sbomgate import dsse, files
        from sbomgate.errors import InputError
        from sbomgate.provenance import build
        from sbomgate.signing.builder import MAX_BUNDLE_BYTES

        where = self._args.build_provenance
        data = files.read(self._env.working_directory / where, limit=MAX_BUNDLE_BYTES, error=InputError)
        bundles = dsse.split_lines(data)
        if len(bundles) == 1:
            return bundles[0]
        about = []
        for one in bundles:
            named = build.subjects_of(dsse.payload_of(one))
            if named is not None and named[0].startswith("https://slsa.dev/provenance/"):
                about += [one] if subject.digest.get("sha256") in named[1] else []
        if not about:
            raise InputError(f"none of {len(bundles)} bundles is a provenance of {subject.name}", where=where)
        return about[-1]

    def _contained(self, part: DependencyGraph, subject: Subject) -> Inventory:
        from sbomgate import installed, link
        from sbomgate.model import SubjectKind

        asked: str = self._args.contains
        layout, folder = "", asked
        if asked.startswith("layout:"):
            layout, _, folder = asked.removeprefix("layout:").partition("#")
        match subject.kind:
            case SubjectKind.FILE if not layout:
                path = self._env.working_directory / self._paths[subject.digest["sha256"]]
            case SubjectKind.OCI if layout:
                path = self._env.working_directory / layout
            case SubjectKind.OCI:
                raise UsageError(
                    "an image has to lie on this machine to be looked into",
                    where="--contains",
                    hint="give layout:DIR, an OCI layout that holds it (`skopeo copy docker://… oci:DIR`)",
                )
            case SubjectKind.FILE:
                raise UsageError("a layout holds an image, and the subject is a file", where="--contains", place=asked)
            case _:
                raise UsageError(
                    "a commit is no artefact that holds packages",
                    where="--contains",
                    place=subject.name,
                    hint="give what is shipped as the subject (file:PATH, oci:…), or compare what is --installed",
                )
        return installed.read_archive(
            path,
            folder,
            self._known(part, "contained"),
            sha256=subject.digest["sha256"],
            tarballs=self._tarballs,
            folders=self._folders() if part.workspace is None else ["", part.workspace],
            elsewhere=link.elsewhere(self._tree.whole, part),
        )

    def _installed(self, part: DependencyGraph) -> Inventory:
        from sbomgate import installed, link

        if self._read is None:
            self._read = installed.read_folder(
                self._env.working_directory / self._args.installed,
                self._known(part, "installed"),
                tarballs=self._tarballs,
                folders=self._folders(),
            )
        return replace(self._read, elsewhere=link.elsewhere(self._tree.whole, part))

    def _known(self, part: DependencyGraph, how: str) -> Expected:
        from sbomgate import link, lockfiles

        whole = self._tree.whole
        archives = lockfiles.checksums(self._tree.project.files, whole)
        return link.expected(whole.packages, placed=link.is_placed(part, how), archives=archives)

    def _folders(self) -> list[str]:
        """Return where the lockfile's own projects lie, relative to its folder: there may be a node_modules in each."""
        from sbomgate import lockfiles

        return ["" if one.path == "." else one.path for one in lockfiles.workspaces(self._tree.whole)]
