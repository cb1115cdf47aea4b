"""How an artefact is tied to the lockfile (P13): what was found, and what came of comparing it.

`Inventory` is what a reader found in a tree or an archive: captured once, stored with the evidence. `TreeLink` is what
a comparison with the lockfile makes of it, a pure function of the two.
"""

from __future__ import annotations

from dataclasses import dataclass

from sbomgate.model.graph import Hash

ASSERTED = "asserted"
"""Nothing but the release job's word ties the artefact to the lockfile."""
INSTALLED = "installed"
"""The installed tree was compared with the lockfile."""
CONTAINED = "contained"
"""The artefact itself was looked into, and what it holds compared with the lockfile."""
PROVENANCE = "provenance"
"""An accepted builder attests that it made this artefact from this commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDifferences:
    """Files of a package that are not its tarball's: paths inside the package, the first few; and how many there are.

    `kind` is `changed`, `removed` or `added`.
    """

    kind: str
    paths: tuple[str, ...]
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPackage:
    """A package that lies in a tree.

    Attributes:
        place: its folder, relative to the tree's root (`node_modules/a`).
        name, version: what its package.json states, or None.
        problem: why package.json cannot be read, or "".
        files: how many files it has.
        tarball: SHA-512 (hex) of the tarball, or `zip:` and the checksum of yarn's archive, that every one of its files
            was compared with; None where no cache held it and only name and version were looked at.
        scripted: that tarball has install scripts, which change files.
        differences: what is not as in that tarball.
        bundled: the package around it declares it as bundled, by package.json as it lies there.
    """

    place: str
    name: str | None
    version: str | None
    problem: str = ""
    files: int = 0
    tarball: str | None = None
    scripted: bool = False
    differences: tuple[FileDifferences, ...] = ()
    bundled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLink:
    """A symbolic link where a package could lie; `target` is relative to the tree's root, None where it leaves it."""

    place: str
    target: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundOther:
    """Something else that lies in a tree, which code could load: `kind` says what.

    `loose` (a file in node_modules itself), `entry` (a hidden folder in it), `shim` (a command as a file), `loader`
    (Plug'n'Play's own code), `stray` (a node_modules folder where the lockfile puts none), `outside` (packages of an
    artefact beside the part that is compared), `special` (a device, a pipe), `unnamed` (no text in UTF-8).
    """

    place: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherEntry:
    """A package of the same lockfile that the decision is not about: it belongs to other workspaces, or to development.

    `own` is a workspace or a link; `aliases` are other names that it is depended on by; `hashes` of its integrity.
    """

    id: str
    name: str
    version: str | None
    own: bool = False
    aliases: tuple[str, ...] = ()
    hashes: tuple[Hash, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What was found, in one reading.

    Attributes:
        link: `installed` or `contained`.
        layouts: kinds of trees that were seen: `hoisted`, `store` (pnpm's virtual store and its like), `pnp`.
        packages, links, others: what lies there, sorted by place.
        elsewhere: what else the lockfile holds, which may lie there too.
        files: how many files were seen.
    """

    link: str
    layouts: tuple[str, ...]
    packages: tuple[FoundPackage, ...]
    links: tuple[FoundLink, ...] = ()
    others: tuple[FoundOther, ...] = ()
    elsewhere: tuple[OtherEntry, ...] = ()
    files: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeProblem:
    """A difference between a tree and the lockfile: `code` as in docs/links.md, `place` in the tree or the lockfile.

    `package` is the id of the lockfile's package, or None where it has none.
    """

    code: str
    place: str
    package: str | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeLink:
    """What came of comparing a tree with the lockfile.

    Attributes:
        link: `installed` or `contained`.
        material: SHA-256 (hex) of the inventory.
        packages: so many of the lockfile's packages lie there under their name and version.
        bytes: of these, so many whose every file was compared with the tarball that the lockfile pins, or with yarn's
            archive of it.
        absent: so many are not there, and need not be: optional, for another platform, or for development alone.
        elsewhere: so many found ones belong to other workspaces of the same lockfile.
        bundled: so many found ones are in no lockfile, and inside the tarball of another package.
        files: how many files were seen.
        counts: code → how many, sorted by code.
        problems: the first ones of each code, sorted by code and place.
        holds: nothing speaks against it.
    """

    link: str
    material: str
    packages: int
    bytes: int
    absent: int
    elsewhere: int
    bundled: int
    files: int
    counts: tuple[tuple[str, int], ...]
    problems: tuple[TreeProblem, ...]
    holds: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildLink:
    """What came of verifying the build's own provenance.

    Attributes:
        material: SHA-256 (hex) of the bundle's bytes.
        state: `verified`, `invalid` or `cannot-verify`.
        reason: in one sentence.
        builder: the accepted builder's name in the trust file, or None.
        builder_id: what the predicate names; identity, repository, commit, ref: of the certificate; None where not
            verified.
    """

    material: str
    state: str
    reason: str
    builder: str | None = None
    builder_id: str | None = None
    identity: str | None = None
    repository: str | None = None
    commit: str | None = None
    ref: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ties:
    """Everything that ties an artefact to the lockfile; None for what nobody asked for."""

    installed: TreeLink | None = None
    contained: TreeLink | None = None
    provenance: BuildLink | None = None

    @property
    def link(self) -> str:
        """The strongest link that holds, `asserted` where none does."""
        if self.provenance is not None and self.provenance.state == "verified":
            return PROVENANCE
        if self.contained is not None and self.contained.holds:
            return CONTAINED
        if self.installed is not None and self.installed.holds:
            return INSTALLED
        return ASSERTED
