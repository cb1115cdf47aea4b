"""CycloneDX XML from the document that JSON is made of.

Specification: the XML schemas of ECMA-424 / CycloneDX 1.5 to 1.7 (`http://cyclonedx.org/schema/bom/1.6`), XML 1.0.
What XML 1.0 has no way to write (most control characters, U+FFFE, U+FFFF) is refused with its place: a name that was
changed to fit is another name. Line ends and tabs in values stay in the file, and are blanks to a reader that
normalises as the schema says (`xs:normalizedString`): JSON is the form that loses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sbomgate.errors import InputError

_COMPONENT = ("author", "publisher", "group", "name", "version", "scope")
_REFUSED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_SPECIAL = re.compile('[&<>"\t\n\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]')


def render(document: Mapping[str, Any], spec_version: str, serial: str) -> bytes:
    """Return the document as XML, one line for each component, the same bytes for the same input.

    Raises:
        InputError: a text that XML 1.0 cannot hold.
    """
    return _Writer().bom(document, spec_version, serial).encode("utf-8")


class _Writer:
    """Writes elements in the order of the schema's sequences."""

    def __init__(self) -> None:
        self._place = "metadata"

    def bom(self, document: Mapping[str, Any], spec_version: str, serial: str) -> str:
        out = [
            '<?xml version="1.0" encoding="UTF-8"?>\n',
            f'<bom xmlns="http://cyclonedx.org/schema/bom/{spec_version}"',
            f' serialNumber="{serial}" version="{document["version"]}">\n',
            self._metadata(document["metadata"]),
            "\n<components>\n",
        ]
        for component in document["components"]:
            out += (self._component(component), "\n")
        out.append("</components>\n<dependencies>\n")
        for dependency in document["dependencies"]:
            out += (self._dependency(dependency), "\n")
        out.append("</dependencies>\n<compositions>\n")
        for composition in document["compositions"]:
            out += (self._composition(composition), "\n")
        out.append("</compositions>\n")
        if citations := document.get("citations"):
            out.append("<citations>\n")
            for citation in citations:
                out += (self._citation(citation), "\n")
            out.append("</citations>\n")
        out.append("</bom>\n")
        return "".join(out)

    def _metadata(self, metadata: Mapping[str, Any]) -> str:
        out = ["<metadata>"]
        if "timestamp" in metadata:
            out.append(self._element("timestamp", metadata["timestamp"]))
        if "lifecycles" in metadata:
            phases = (
                f"<lifecycle>{self._element('phase', one['phase'])}</lifecycle>" for one in metadata["lifecycles"]
            )
            out += ("<lifecycles>", *phases, "</lifecycles>")
        out.append(self._tools(metadata["tools"]))
        if "authors" in metadata:
            out.append(self._authors(metadata["authors"]))
        out.append(self._component(metadata["component"]))
        out += (self._entity(name, metadata[name]) for name in ("manufacturer", "supplier") if name in metadata)
        out += (self._properties(metadata["properties"]), "</metadata>")
        return "".join(out)

    def _tools(self, tools: Mapping[str, Any]) -> str:
        out = ["<tools><components>", *(self._component(one) for one in tools["components"]), "</components>"]
        if services := tools.get("services"):
            out.append("<services>")
            for service in services:
                out += (f"<service{self._attributes(service, 'bom-ref')}>", self._element("name", service["name"]))
                if endpoints := service.get("endpoints"):
                    out += (
                        "<endpoints>",
                        *(self._element("endpoint", endpoint) for endpoint in endpoints),
                        "</endpoints>",
                    )
                out.append("</service>")
            out.append("</services>")
        out.append("</tools>")
        return "".join(out)

    def _component(self, component: Mapping[str, Any]) -> str:
        self._place = f"component {component.get('bom-ref', component['name'])[:200]!a}"
        out = [f"<component{self._attributes(component, 'type', 'bom-ref')}>"]
        out += (self._entity(name, component[name]) for name in ("supplier", "manufacturer") if name in component)
        if "authors" in component:
            out.append(self._authors(component["authors"]))
        out += (self._element(name, component[name]) for name in _COMPONENT if name in component)
        if "hashes" in component:
            out.append(self._hashes(component["hashes"]))
        if "licenses" in component:
            out.append(self._licences(component["licenses"]))
        if "purl" in component:
            out.append(self._element("purl", component["purl"]))
        if "externalReferences" in component:
            out.append(self._references(component["externalReferences"]))
        if "properties" in component:
            out.append(self._properties(component["properties"]))
        out.append("</component>")
        return "".join(out)

    def _authors(self, authors: Iterable[Mapping[str, str]]) -> str:
        return f"<authors>{''.join(self._contact('author', one) for one in authors)}</authors>"

    def _contact(self, name: str, contact: Mapping[str, str]) -> str:
        inside = (self._element(key, contact[key]) for key in ("name", "email") if key in contact)
        return f"<{name}>{''.join(inside)}</{name}>"

    def _entity(self, name: str, entity: Mapping[str, Any]) -> str:
        out = [f"<{name}>", self._element("name", entity["name"])]
        out += (self._element("url", url) for url in entity.get("url", ()))
        out += (self._contact("contact", contact) for contact in entity.get("contact", ()))
        out.append(f"</{name}>")
        return "".join(out)

    def _hashes(self, hashes: Iterable[Mapping[str, str]]) -> str:
        inside = (f"<hash{self._attributes(one, 'alg')}>{self._text(one['content'])}</hash>" for one in hashes)
        return f"<hashes>{''.join(inside)}</hashes>"

    def _licences(self, licences: Iterable[Mapping[str, Any]]) -> str:
        out = ["<licenses>"]
        for one in licences:
            if "expression" in one:
                attributes = self._attributes(one, "acknowledgement")
                out.append(f"<expression{attributes}>{self._text(one['expression'])}</expression>")
            else:
                licence = one["license"]
                key = "id" if "id" in licence else "name"
                out.append(
                    f"<license{self._attributes(licence, 'acknowledgement')}>"
                    f"{self._element(key, licence[key])}</license>"
                )
        out.append("</licenses>")
        return "".join(out)

    def _references(self, references: Iterable[Mapping[str, Any]]) -> str:
        out = ["<externalReferences>"]
        for one in references:
            out += (f"<reference{self._attributes(one, 'type')}>", self._element("url", one["url"]))
            if "comment" in one:
                out.append(self._element("comment", one["comment"]))
            if "hashes" in one:
                out.append(self._hashes(one["hashes"]))
            out.append("</reference>")
        out.append("</externalReferences>")
        return "".join(out)

    def _properties(self, properties: Iterable[Mapping[str, str]]) -> str:
        inside = (
            f"<property{self._attributes(one, 'name')}>{self._text(one['value'])}</property>" for one in properties
        )
        return f"<properties>{''.join(inside)}</properties>"

    def _dependency(self, dependency: Mapping[str, Any]) -> str:
        ref = self._attributes(dependency, "ref")
        targets = (f'<dependency ref="{self._attribute(target)}"/>' for target in dependency.get("dependsOn", ()))
        return f"<dependency{ref}>{''.join(targets)}</dependency>"

    def _composition(self, composition: Mapping[str, Any]) -> str:
        out = ["<composition>", self._element("aggregate", composition["aggregate"])]
        for many, one in (("assemblies", "assembly"), ("dependencies", "dependency")):
            if many in composition:
                refs = (f'<{one} ref="{self._attribute(ref)}"/>' for ref in composition[many])
                out += (f"<{many}>", *refs, f"</{many}>")
        out.append("</composition>")
        return "".join(out)

    def _citation(self, citation: Mapping[str, Any]) -> str:
        pointers = (self._element("pointer", pointer) for pointer in citation["pointers"])
        after = (self._element(key, citation[key]) for key in ("timestamp", "attributedTo", "note") if key in citation)
        return f"<citation><pointers>{''.join(pointers)}</pointers>{''.join(after)}</citation>"

    def _element(self, name: str, text: str) -> str:
        return f"<{name}>{self._text(text)}</{name}>"

    def _attributes(self, of: Mapping[str, Any], *names: str) -> str:
        return "".join(f' {name}="{self._attribute(of[name])}"' for name in names if name in of)

    def _text(self, text: str) -> str:
        """Escape text between tags. `>` as well: `]]>` may not stand there."""
        if _SPECIAL.search(text) is None:
            return text
        self._check(text)
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")

    def _attribute(self, text: str) -> str:
        if _SPECIAL.search(text) is None:
            return text
        text = self._text(text).replace('"', "&quot;")
        return text.replace("\n", "&#10;").replace("\t", "&#9;")

    def _check(self, text: str) -> None:
        if found := _REFUSED.search(text):
            raise InputError(
                f"U+{ord(found.group()):04X} in {text[:60]!a} cannot stand in XML 1.0",
                where="SBOM",
                place=self._place,
                hint="write JSON, which can hold it",
            )
