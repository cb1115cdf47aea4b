"""CycloneDX SBOMs that others made, 1.4 to 1.7, JSON and XML: the graph that they state, and what they do not say.

An SBOM is read as a lockfile is, and believed less: what is an npm package (its purl says so), which bytes (hashes),
where from (distribution URL) and which edges. Everything else is somebody's claim and is not read: no property,
whatever its name (PROMISES P14), no scope, no evidence. What the lockfile behind it would have said is unknown, and a
finding says so for each rule that would have judged it; so is every component that is no npm package.

Specification: ECMA-424, https://cyclonedx.org/docs/; purl: ECMA-427. What real tools write: docs/foreign-sbom.md.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import unquote

from sbomgate.errors import InputError
from sbomgate.lockfiles._integrity import STRONGEST_FIRST
from sbomgate.lockfiles._npm_source import judge
from sbomgate.lockfiles._reading import MAX_ENTRIES, Reading
from sbomgate.model import SBOM_KIND, DependencyGraph, Edge, EdgeKind, Kind, Package, ProjectFiles
from sbomgate.purl import public_url
from sbomgate.strict_json import kind_of, load_object, place

FILENAMES: tuple[str, ...] = ()
"""None: an SBOM is never looked for, only read where it is named."""

VERSIONS = ("1.4", "1.5", "1.6", "1.7")
MAX_EDGES = 10_000_000
"""Most references in `dependencies`: a hundred for each of the 100,000 packages of the largest trees."""

NAMED = 10
"""Components named in one finding; the others are counted."""

_HINT = "make the SBOM again, or run sbomgate on the lockfile itself"
_ALGORITHMS = {"SHA-512": "sha512", "SHA-384": "sha384", "SHA-256": "sha256", "SHA-1": "sha1"}
_DIGITS = {"sha512": 128, "sha384": 96, "sha256": 64, "sha1": 40}
_PURL = re.compile(r"pkg:/{0,2}([A-Za-z][A-Za-z0-9.+-]*)/(.+)", re.DOTALL)
_VCS_COMMIT = re.compile(r"(.+)@([0-9a-fA-F]{40}(?:[0-9a-fA-F]{24})?)", re.DOTALL)
_OTHERS_BYTES = ("file", "data", "machine-learning-model")


class _Purl(NamedTuple):
    type: str
    name: str
    version: str | None
    qualifiers: dict[str, str]


class _Component(NamedTuple):
    """A component where it stands, before anything is made of it."""

    ref: str
    at: tuple[str | int, ...]
    value: Mapping[str, Any]


def read(files: ProjectFiles, path: str) -> DependencyGraph:
    """Read the SBOM at `path`.

    Raises:
        InputError: missing, not CycloneDX 1.4 to 1.7, without one single meaning, or over a limit.
    """
    return _Reader(files, path).read()


class _Reader(Reading):
    """One SBOM while it is read; the methods stand in the order in which they run."""

    manager = "unknown"
    kind = SBOM_KIND
    hint = _HINT

    def read(self) -> DependencyGraph:
        document = self._document()
        version = document.get("specVersion")
        if version not in VERSIONS:
            shown = ascii(version)[:40] if type(version) is str else kind_of(version)
            self.refuse(f"{shown}, expected one of {', '.join(VERSIONS)}", "specVersion")
        metadata = self.mapping(document.get("metadata"), "metadata")
        self.others: dict[str, list[str]] = {}  # what nobody judges: ecosystem → names
        self.unaddressed: list[str] = []
        self.ids: dict[str, str] = {}  # bom-ref → id of the package
        self.known: set[str] = set()  # every bom-ref of the document
        root = None
        if metadata.get("component") is not None:
            root = self._component(metadata["component"], ("metadata", "component"))
        components = self._components(document, root)
        packages = [self._root(root), *(p for p in map(self._package, components) if p is not None)]
        packages = self._edges(document, root, packages)
        self._judge_whole(document, metadata)
        return self.graph(packages, version)

    def _document(self) -> dict[str, Any]:
        if self.data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            from sbomgate.lockfiles import _cyclonedx_xml

            return _cyclonedx_xml.loads(self.data, self.path)
        document = load_object(self.data, self.path)
        if document.get("bomFormat") != "CycloneDX":
            raise InputError(
                "not a CycloneDX document", where=self.path, place="bomFormat", hint="name a project or an SBOM"
            )
        return document

    # -- components

    def _list(self, value: Any, *at: str | int) -> list[Any]:
        if value is None:
            return []
        if type(value) is not list:
            self.refuse(f"{kind_of(value)}, expected an array", *at)
        return value

    def _component(self, value: Any, at: tuple[str | int, ...]) -> _Component:
        """Return a component with its bom-ref, which no other has; one without is called by its place."""
        if value is None:
            self.refuse("null, expected an object", *at)
        fields = self.mapping(value, *at)
        ref = self.text(fields.get("bom-ref"), *at, "bom-ref")
        if ref is None:
            ref = place(*at)
            while ref in self.known:
                ref += "'"
        elif ref in self.known:
            self.refuse(f"{ref[:200]!a} stands twice: no reference to it has one meaning", *at, "bom-ref")
        self.known.add(ref)
        return _Component(ref, at, fields)

    def _components(self, document: Mapping[str, Any], root: _Component | None) -> list[_Component]:
        """Return all components, nested ones too, in the order of the document."""
        found: list[_Component] = []
        todo: list[tuple[tuple[str | int, ...], Any]] = [(("components",), document.get("components"))]
        if root is not None:  # the parts of a monorepo may stand below the root
            todo.append(((*root.at, "components"), root.value.get("components")))
        while todo:
            at, value = todo.pop()
            for index, item in enumerate(self._list(value, *at)):
                component = self._component(item, (*at, index))
                found.append(component)
                if len(found) > MAX_ENTRIES:
                    self.refuse(f"more than {MAX_ENTRIES:,} components", *at)
                if "components" in component.value:
                    todo.append(((*component.at, "components"), component.value["components"]))
        for index, service in enumerate(self._list(document.get("services"), "services")):
            one = self._component(service, ("services", index))
            self.others.setdefault("services", []).append(str(one.value.get("name"))[:200])
        # Ours begin with a slash, the root's is one: without it, reading what we wrote gives the same names again.
        ours = root is not None and root.ref == "/" and all(c.ref[:1] == "/" for c in found)
        self.ids = {c.ref: c.ref[1:] if ours else c.ref for c in found}
        if "" in self.ids.values():
            self.refuse("an empty bom-ref, which names nothing", "components")
        return found

    def _root(self, root: _Component | None) -> Package:
        if root is None:
            return Package(id="", name="", version=None, kind=Kind.ROOT)
        self.ids[root.ref] = ""
        name, version = self._stated(root)
        purl = _purl(self.text(root.value.get("purl"), *root.at, "purl"))
        if purl is not None and purl.type == "npm":
            name, version = purl.name, purl.version or version
        return Package(id="", name=name, version=version, kind=Kind.ROOT)

    def _stated(self, component: _Component) -> tuple[str, str | None]:
        """Return the name, with its group in front, and the version that stand in the fields."""
        value, at = component.value, component.at
        name = self.text(value.get("name"), *at, "name")
        if name is None:
            self.refuse("missing", *at, "name")
        group = self.text(value.get("group"), *at, "group")
        return f"{group}/{name}" if group else name, self.text(value.get("version"), *at, "version") or None

    def _package(self, component: _Component) -> Package | None:
        """Return the npm package that a component is; anything else is noted as not judged."""
        value, at = component.value, component.at
        stated, version = self._stated(component)
        text = self.text(value.get("purl"), *at, "purl")
        purl = _purl(text)
        if purl is None or purl.type != "npm":
            del self.ids[component.ref]
            type_ = self.text(value.get("type"), *at, "type") or "component"
            kind = f"pkg:{purl.type}" if purl else f"{type_} without a purl" if text is None else "unreadable purl"
            shown = f"{stated}@{version}" if version else stated
            self.others.setdefault(kind, []).append(public_url(shown if text is None or purl else text)[:200])
            return None
        id_, where = self.ids[component.ref], place(*at)
        if purl.version is not None and version is not None and purl.version != version:
            message = f"the purl is of version {purl.version[:60]}, the component's version is {version[:60]}"
            self.find("purl-version-differs", "bound_bytes", id_, where, message)
        version = purl.version or version
        resolved = self._address(purl, version, component, id_)
        name, alias = self._name(purl, stated, version, resolved, id_, where)
        kind = Kind.REGISTRY
        if resolved is None:
            self.unaddressed.append(name)
        else:
            kind, remarks = judge(name, version, resolved, self.registries)
            for code, rule, message in remarks:
                self.find(code, rule, id_, where, message)
        integrity = self._integrity(component)
        hashes = self.hashes(id_, integrity, where) if integrity else ()
        if not integrity and kind is not Kind.GIT:
            message = f"the SBOM has no hash of {name}: nobody knows which bytes it is about"
            self.find("bytes-unknown", "bound_bytes", id_, where, message)
        self.judge_name(id_, name, version, kind, where)
        pedigree = self.mapping(value.get("pedigree"), *at, "pedigree")
        if value.get("modified") is True or pedigree.get("patches"):
            self.find("patch", "exotic_sources", id_, where, "the SBOM says that it was modified")
        return Package(
            id=id_,
            name=name,
            version=version,
            alias=alias,
            kind=kind,
            resolved=resolved,
            integrity=integrity,
            hashes=hashes,
            licence=_licence(value.get("licenses")),
        )

    def _name(
        self, purl: _Purl, stated: str, version: str | None, resolved: str | None, id_: str, where: str
    ) -> tuple[str, str | None]:
        """Return the real name and the alias. Where purl and name disagree the address decides, else nobody can."""
        if stated == purl.name:
            return purl.name, None
        case = stated.lower() == purl.name.lower()

        def fits(name: str) -> bool:
            return resolved is not None and judge(name, version, resolved, self.registries) == (Kind.REGISTRY, [])

        said = f"the name is {stated[:100]}, the purl is of {purl.name[:100]}"
        if case and fits(stated):  # a tool that writes purls in lower case, as the specification once had it
            self.find("purl-case", "bound_bytes", id_, where, f"{said}; the address is of {stated[:100]}")
            return stated, None
        if fits(purl.name):
            if case:
                self.find("purl-case", "bound_bytes", id_, where, f"{said}; the address is of {purl.name[:100]}")
                return purl.name, None
            self.find("name-is-alias", "bound_bytes", id_, where, f"{said}, and so is the address: an alias")
            return purl.name, stated
        self.find("purl-differs", "bound_bytes", id_, where, f"{said}, and no address of the registry says which it is")
        return (stated, None) if case else (purl.name, stated)

    def _address(self, purl: _Purl, version: str | None, component: _Component, id_: str) -> str | None:
        """Return where the bytes come from: the distribution reference, else what the purl's qualifiers say."""
        at = component.at
        found: list[str] = []
        for index, item in enumerate(self._list(component.value.get("externalReferences"), *at, "externalReferences")):
            reference = self.mapping(item, *at, "externalReferences", index)
            if reference.get("type") == "distribution":
                url = self.text(reference.get("url"), *at, "externalReferences", index, "url")
                if url:
                    found.append(url)
        if "vcs_url" in purl.qualifiers:
            commit = _VCS_COMMIT.fullmatch(purl.qualifiers["vcs_url"])
            found.append(f"{commit[1]}#{commit[2]}" if commit else purl.qualifiers["vcs_url"])
        if "download_url" in purl.qualifiers:
            found.append(purl.qualifiers["download_url"])
        if "repository_url" in purl.qualifiers and not found:
            base = purl.qualifiers["repository_url"].rstrip("/")
            base = base if "://" in base else f"https://{base}"
            found.append(f"{base}/{purl.name}/-/{purl.name.rpartition('/')[2]}-{version or ''}.tgz")
        if len(set(found)) > 1:
            message = f"{len(set(found))} addresses; the first one was judged"
            self.find("several-addresses", "bound_bytes", id_, place(*at, "externalReferences"), message)
        return found[0] if found else None

    def _integrity(self, component: _Component) -> str | None:
        """Return the hashes of the strongest algorithm as an integrity string, or None where there is none."""
        at = component.at
        lists = [(component.value.get("hashes"), (*at, "hashes"))]
        references = self._list(component.value.get("externalReferences"), *at, "externalReferences")
        for index, reference in enumerate(references):
            fields = self.mapping(reference, *at, "externalReferences", index)
            if fields.get("type") == "distribution":
                lists.append((fields.get("hashes"), (*at, "externalReferences", index, "hashes")))
        found: dict[str, set[str]] = {}
        for value, where in lists:
            for index, item in enumerate(self._list(value, *where)):
                one = self.mapping(item, *where, index)
                algorithm = _ALGORITHMS.get(self.text(one.get("alg"), *where, index, "alg") or "")
                digest = (self.text(one.get("content"), *where, index, "content") or "").lower()
                if algorithm is None:
                    continue  # MD5, SHA-3, BLAKE: npm has none of these to compare with
                if len(digest) != _DIGITS[algorithm] or not set(digest) <= set("0123456789abcdef"):
                    self.refuse(f"no hash of {algorithm} in hexadecimal", *where, index, "content")
                found.setdefault(algorithm, set()).add(digest)
        for algorithm in STRONGEST_FIRST:
            if algorithm in found:
                tokens = (bytes.fromhex(digest) for digest in sorted(found[algorithm]))
                return " ".join(f"{algorithm}-{b64encode(token).decode()}" for token in tokens)
        return None

    # -- edges

    def _edges(self, document: Mapping[str, Any], root: _Component | None, packages: list[Package]) -> list[Package]:
        """Read `dependencies`; return the packages with what follows from it."""
        below: dict[str, set[str]] = {}
        dangling: dict[str | None, list[tuple[str, str]]] = {}
        count = 0
        for index, item in enumerate(self._list(document.get("dependencies"), "dependencies")):
            entry = self.mapping(item, "dependencies", index)
            ref = self.text(entry.get("ref"), "dependencies", index, "ref")
            if ref is None:
                self.refuse("missing", "dependencies", index, "ref")
            if ref not in self.known:
                dangling.setdefault(None, []).append((place("dependencies", index, "ref"), ref))
            targets = below.setdefault(ref, set())
            for number, target in enumerate(self._list(entry.get("dependsOn"), "dependencies", index, "dependsOn")):
                if type(target) is not str:
                    self.refuse(f"{kind_of(target)}, expected text", "dependencies", index, "dependsOn", number)
                count += 1
                if target not in self.known:
                    where = place("dependencies", index, "dependsOn", number)
                    dangling.setdefault(self.ids.get(ref), []).append((where, target))
                else:
                    targets.add(target)
            if count > MAX_EDGES:
                self.refuse(f"more than {MAX_EDGES:,} references", "dependencies")
        for source, found in dangling.items():
            where, ref = found[0]
            message = f"leads to {ref[:100]!a}, which is no component{_more(len(found) - 1)}"
            self.find("reference-dangling", "lockfile_sound", source, where, message)
        names = {package.id: package.alias or package.name for package in packages}
        for ref in sorted(below.keys() & self.ids.keys()):
            source = self.ids[ref]
            for target in sorted(self.ids[to] for to in below[ref] if to in self.ids):
                if target != source:
                    self.edges.append(
                        Edge(source=source, target=target, name=names[target], kind=EdgeKind.UNKNOWN, range="")
                    )
        silent = [p.name for p, ref in self._by_ref(packages) if ref not in below]
        if silent:
            message = f"what {len(silent)} of {len(packages)} components depend on is not said ({_named(silent)})"
            self.find("edges-unknown", "lockfile_sound", None, "dependencies", message)
        if root is None or root.ref not in below:
            return packages
        direct = below[root.ref]
        reached = _reached(root.ref, below)
        lost = [p.name for p, ref in self._by_ref(packages) if ref not in reached]
        if lost:
            message = f"nothing leads from the project to {len(lost)} of {len(packages) - 1} packages ({_named(lost)})"
            self.find("packages-unreached", "lockfile_sound", None, "dependencies", message)
        return [
            replace(p, direct=ref in direct, reachable=ref in reached) if p.id else p
            for p, ref in self._by_ref(packages)
        ]

    def _by_ref(self, packages: list[Package]) -> Iterable[tuple[Package, str]]:
        refs = {id_: ref for ref, id_ in self.ids.items()}
        return [(package, refs.get(package.id, "")) for package in packages]

    # -- what an SBOM does not say

    def _judge_whole(self, document: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        """Say, for each rule that judges a lockfile, that there was none; and what of the SBOM nobody judged."""
        tool = _tool(metadata)
        for code, rule, message in (
            ("lockfile-unseen", "lockfile_sound", f"an SBOM{tool} was read: what the lockfile says is not known"),
            ("ranges-unseen", "pinned", "an SBOM states no ranges: whether package.json agrees is not known"),
            ("manager-unseen", "manager_code", "an SBOM does not say what the package manager is told to run"),
        ):
            self.find(code, rule, None, self.path, message)
        unaddressed = f"; {len(self.unaddressed)} name no address ({_named(self.unaddressed)})"
        self.find(
            "registries-unseen",
            "registries",
            None,
            self.path,
            "an SBOM does not say which registries are configured" + (unaddressed if self.unaddressed else ""),
        )
        for kind, found in sorted(self.others.items()):
            code = "files-not-judged" if kind.split(" ")[0] in _OTHERS_BYTES or kind == "services" else "not-judged"
            names = sorted(found)
            digest = sha256("\n".join(names).encode("utf-8", "replace")).hexdigest()[:16]
            noun = "services" if kind == "services" else f"components that are no npm packages ({kind})"
            message = f"nobody judged {len(names)} {noun}: {_named(names)}"
            # Other components are another finding: the place is part of its fingerprint.
            self.find(code, "lockfile_sound", None, f"components sha256:{digest}", message)
        for index, item in enumerate(self._list(document.get("compositions"), "compositions")):
            aggregate = self.mapping(item, "compositions", index).get("aggregate")
            if type(aggregate) is str and aggregate.startswith("incomplete"):
                where = place("compositions", index, "aggregate")
                self.find("sbom-incomplete", "lockfile_sound", None, where, f"the SBOM calls itself {aggregate[:60]}")


def _purl(text: str | None) -> _Purl | None:
    """Return what a purl says, or None where it is none. Case is kept: npm's names are case-sensitive."""
    match = _PURL.fullmatch(text) if text is not None else None
    if match is None:
        return None
    body, _, query = match[2].partition("#")[0].partition("?")
    name, at, version = body.rpartition("@")
    if not at or not name:  # `@scope/name`: some tools forget to encode the scope's @
        name, version = body, ""
    name = unquote(name.strip("/"))
    qualifiers = dict(pair.split("=", 1) for pair in query.split("&") if "=" in pair)
    return _Purl(
        match[1].lower(), name, unquote(version) or None, {k.lower(): unquote(v) for k, v in qualifiers.items() if v}
    )


def _licence(value: Any) -> str | None:
    """Return the one licence that is stated; of several nobody says how they are joined."""
    match value:
        case [{"license": {"id": str(text)}}] | [{"license": {"name": str(text)}}] | [{"expression": str(text)}]:
            return text
    return None


def _tool(metadata: Mapping[str, Any]) -> str:
    """Return ` by NAME VERSION`, by the SBOM's own word, or nothing."""
    tools = metadata.get("tools")
    found = tools.get("components") if isinstance(tools, dict) else tools
    if not isinstance(found, list):
        return ""
    for tool in reversed(found):  # a library stands before the tool that uses it, a package manager before both
        if isinstance(tool, dict) and isinstance(name := tool.get("name"), str) and tool.get("type") != "library":
            version, vendor = tool.get("version"), tool.get("vendor")
            name = f"{vendor} {name}" if isinstance(vendor, str) and vendor else name
            return f" by {name[:60]}" + (f" {version[:30]}" if isinstance(version, str) else "")
    return ""


def _reached(start: str, below: Mapping[str, set[str]]) -> set[str]:
    reached, todo = {start}, [start]
    while todo:
        new = below.get(todo.pop(), set()) - reached
        reached |= new
        todo += new
    return reached


def _named(names: list[str]) -> str:
    shown = sorted(set(names))
    return ", ".join(name[:100] or "." for name in shown[:NAMED]) + _more(len(shown) - NAMED)


def _more(number: int) -> str:
    return f" and {number} more" if number > 0 else ""
