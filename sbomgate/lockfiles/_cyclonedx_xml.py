"""CycloneDX XML as what the same document is in JSON, as far as the reader of SBOMs or a profile of `conform` asks.

No document type, so no entity but the five of XML itself: neither bombs nor files from elsewhere (OWASP's XML External
Entity Prevention). UTF-8 only, as for JSON. Nothing is validated here beyond what has two meanings: an element that may
stand once and stands twice.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn
from xml.parsers import expat  # no entity is ever declared: the handler below ends the parse at a document type

from sbomgate.errors import InputError

MAX_DEPTH = 254
"""Deepest nesting of elements: as for JSON. Nested components take two levels each."""

MAX_ELEMENTS = 5_000_000
"""Most elements that are kept: forty for each of the 100,000 packages of the largest trees, and some."""

_HINT = "make the SBOM again, or run sbomgate on the lockfile itself"
_NAMESPACE = re.compile(r"http://cyclonedx\.org/schema/bom/([0-9.]+)")
_ENCODINGS = (None, "utf-8", "us-ascii")
# What the reader asks for; everything else is dropped with all that it holds.
_KEPT = frozenset(
    (
        *("bom", "metadata", "tools", "tool", "vendor", "components", "component", "services", "service"),
        *("group", "name", "version", "purl", "modified", "pedigree", "patches", "patch", "hashes", "hash"),
        *("externalReferences", "reference", "url", "licenses", "license", "id", "expression"),
        *("dependencies", "dependency", "compositions", "composition", "aggregate"),
    )
)
# What the profiles of conformance ask for besides: claims, which the reader does not look at.
_TOLD = frozenset(
    (
        *("timestamp", "lifecycles", "lifecycle", "phase", "authors", "author", "email", "contact"),
        *("manufacturer", "supplier", "publisher", "cpe", "swid", "properties", "property"),
        *("assemblies", "assembly", "vulnerabilities"),
    )
)


class _Element:
    """An element: its name without the namespace, attributes, children, text, and the line where it starts."""

    __slots__ = ("attributes", "children", "line", "name", "text")

    def __init__(self, name: str, attributes: dict[str, str], line: int) -> None:
        self.name = name
        self.attributes = attributes
        self.children: list[_Element] = []
        self.text: list[str] = []
        self.line = line


def loads(data: bytes, where: str, *, claims: bool = False) -> dict[str, Any]:
    """Parse `data`, the bytes of the file `where`, and return the document in the shape of CycloneDX JSON.

    With `claims` it also holds what the profiles of conformance ask for, and the reader never believes.

    Raises:
        InputError: not XML in UTF-8, with a document type, too deep or too large, not CycloneDX, or an element twice.
    """
    tree, version = _parse(data, where, _KEPT | _TOLD if claims else _KEPT)
    document = _Shape(where).bom(tree)
    document["specVersion"] = version
    return document


def _parse(data: bytes, where: str, wanted: frozenset[str]) -> tuple[_Element, str]:
    """Return the tree of what is kept, and the version that the namespace names."""
    parser = expat.ParserCreate("UTF-8", namespace_separator=" ")
    parser.buffer_text = True
    top = _Element("", {}, 0)
    open_: list[_Element] = [top]
    namespace = ""
    depth = skipped = kept = 0  # skipped: how deep we are in what is dropped

    def refuse(message: str) -> NoReturn:
        line = f"line {parser.CurrentLineNumber}, column {parser.CurrentColumnNumber + 1}"
        raise InputError(message, where=where, place=line, hint=_HINT)

    def declared(_version: str, encoding: str | None, _standalone: int) -> None:
        if (encoding.lower() if encoding else None) not in _ENCODINGS:
            refuse(f"encoding {encoding[:40] if encoding else ''!a}, expected UTF-8")

    def doctype(*_: object) -> None:
        refuse("a document type: entities could stand for anything, from anywhere")

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal namespace, depth, skipped, kept
        depth += 1
        if depth > MAX_DEPTH:
            refuse(f"nested deeper than {MAX_DEPTH}")
        if skipped:
            skipped += 1
            return
        of, _, name = tag.rpartition(" ")
        if depth == 1:
            if name != "bom" or _NAMESPACE.fullmatch(of) is None:
                refuse("not a CycloneDX document")
            namespace = of
        if of != namespace or name not in wanted:
            skipped = 1
            return
        kept += 1
        if kept > MAX_ELEMENTS:
            refuse(f"more than {MAX_ELEMENTS:,} elements")
        element = _Element(name, attributes, parser.CurrentLineNumber)
        open_[-1].children.append(element)
        open_.append(element)

    def end(_tag: str) -> None:
        nonlocal depth, skipped
        depth -= 1
        if skipped:
            skipped -= 1
        else:
            open_.pop()

    def text(characters: str) -> None:
        if not skipped:
            open_[-1].text.append(characters)

    parser.XmlDeclHandler = declared
    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    if b"\0" in data[:4]:
        raise InputError("UTF-16 or UTF-32, expected UTF-8", where=where, hint="save the file as UTF-8")
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        line = f"line {error.lineno}, column {error.offset + 1}"
        raise InputError(f"not XML: {expat.ErrorString(error.code)}", where=where, place=line, hint=_HINT) from error
    return top.children[0], namespace.rpartition("/")[2]


class _Shape:
    """The elements of one document in the shape of its JSON."""

    def __init__(self, where: str) -> None:
        self.where = where

    def one(self, element: _Element, name: str) -> _Element | None:
        found = [child for child in element.children if child.name == name]
        if len(found) > 1:
            raise InputError(
                f"<{name}> stands twice, first on line {found[0].line}",
                where=self.where,
                place=f"line {found[1].line}",
                hint=_HINT,
            )
        return found[0] if found else None

    def all(self, element: _Element | None, group: str, name: str) -> list[_Element] | None:
        """Return the elements `name` in the one element `group`, or None where there is no such group."""
        held = None if element is None else self.one(element, group)
        return None if held is None else [child for child in held.children if child.name == name]

    def texts(self, element: _Element, *names: str) -> dict[str, Any]:
        found = {}
        for name in names:
            child = self.one(element, name)
            if child is not None:
                found[name] = "".join(child.text).strip()
        return found

    def bom(self, bom: _Element) -> dict[str, Any]:
        document: dict[str, Any] = {"bomFormat": "CycloneDX"}
        if "serialNumber" in bom.attributes:
            document["serialNumber"] = bom.attributes["serialNumber"]
        if self.one(bom, "vulnerabilities") is not None:
            document["vulnerabilities"] = []
        metadata = self.one(bom, "metadata")
        if metadata is not None:
            document["metadata"] = self.metadata(metadata)
        document["components"] = [self.component(c) for c in self.all(bom, "components", "component") or ()]
        document["services"] = [
            {**self.texts(service, "name"), **_ref(service)} for service in self.all(bom, "services", "service") or ()
        ]
        dependencies = self.all(bom, "dependencies", "dependency")
        if dependencies is not None:
            document["dependencies"] = [entry for one in dependencies for entry in self.dependency(one, top=True)]
        document["compositions"] = [
            {
                **self.texts(one, "aggregate"),
                **self.references(one, "assemblies", "assembly"),
                **self.references(one, "dependencies", "dependency"),
            }
            for one in self.all(bom, "compositions", "composition") or ()
        ]
        return document

    def references(self, element: _Element, group: str, name: str) -> dict[str, list[str]]:
        found = self.all(element, group, name)
        return {} if found is None else {group: [one.attributes.get("ref", "") for one in found]}

    def metadata(self, metadata: _Element) -> dict[str, Any]:
        found: dict[str, Any] = self.texts(metadata, "timestamp") | self.claims(metadata)
        found["lifecycles"] = [self.texts(one, "phase") for one in self.all(metadata, "lifecycles", "lifecycle") or ()]
        component = self.one(metadata, "component")
        if component is not None:
            found["component"] = self.component(component)
        tools = self.one(metadata, "tools")
        if tools is not None:
            listed = self.all(tools, "components", "component")
            plain = [child for child in tools.children if child.name == "tool"] if listed is None else listed
            found["tools"] = [{**self.texts(tool, "vendor", "name", "version"), **tool.attributes} for tool in plain]
        return found

    def component(self, element: _Element) -> dict[str, Any]:
        found: dict[str, Any] = self.texts(element, "group", "name", "version", "purl", "publisher", "cpe")
        found |= _ref(element) | self.claims(element)
        if (swid := self.one(element, "swid")) is not None:
            found["swid"] = dict(swid.attributes)
        if "type" in element.attributes:
            found["type"] = element.attributes["type"]
        if (modified := self.texts(element, "modified").get("modified")) is not None:
            found["modified"] = modified in ("true", "1")
        pedigree = self.one(element, "pedigree")
        if patches := self.all(pedigree, "patches", "patch"):
            found["pedigree"] = {"patches": [{} for _ in patches]}
        found["hashes"] = self.hashes(element)
        found["externalReferences"] = [
            {
                **{name: value for name, value in reference.attributes.items() if name == "type"},
                **self.texts(reference, "url"),
                "hashes": self.hashes(reference),
            }
            for reference in self.all(element, "externalReferences", "reference") or ()
        ]
        licences = self.one(element, "licenses")
        if licences is not None:
            found["licenses"] = [
                {"license": self.texts(one, "id", "name") | one.attributes}
                if one.name == "license"
                else {"expression": "".join(one.text).strip()} | one.attributes
                for one in licences.children
            ]
        nested = self.all(element, "components", "component")
        if nested is not None:
            found["components"] = [self.component(one) for one in nested]
        return found

    def claims(self, element: _Element) -> dict[str, Any]:
        """Return who made and who supplies it, organisations and authors; and the properties, which stand beside."""
        found: dict[str, Any] = {}
        for role in ("manufacturer", "supplier"):
            if (entity := self.one(element, role)) is not None:
                found[role] = self.texts(entity, "name") | {
                    "url": ["".join(one.text).strip() for one in entity.children if one.name == "url"],
                    "contact": [self.texts(one, "name", "email") for one in entity.children if one.name == "contact"],
                }
        if (authors := self.all(element, "authors", "author")) is not None:
            found["authors"] = [self.texts(one, "name", "email") for one in authors]
        if (properties := self.all(element, "properties", "property")) is not None:
            found["properties"] = [{**one.attributes, "value": "".join(one.text)} for one in properties]
        return found

    def hashes(self, element: _Element) -> list[dict[str, str]]:
        return [
            {"alg": one.attributes.get("alg", ""), "content": "".join(one.text).strip()}
            for one in self.all(element, "hashes", "hash") or ()
        ]

    def dependency(self, element: _Element, *, top: bool) -> list[dict[str, Any]]:
        """Return an entry, and those that stand inside it; one inside that holds nothing says nothing of its own."""
        held = [child for child in element.children if child.name == "dependency"]
        if not top and not held:
            return []
        entry: dict[str, Any] = {"dependsOn": [child.attributes.get("ref") for child in held]}
        if "ref" in element.attributes:
            entry["ref"] = element.attributes["ref"]
        return [entry, *(inner for child in held for inner in self.dependency(child, top=False))]


def _ref(element: _Element) -> dict[str, str]:
    return {"bom-ref": element.attributes["bom-ref"]} if "bom-ref" in element.attributes else {}
