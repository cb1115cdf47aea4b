"""CycloneDX's official schemas, as cyclonedx-python-lib ships them."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

import jsonschema_rs


def _schema(uri: str) -> Any:
    name = uri.rpartition("/")[2].removesuffix(".schema.json").removesuffix(".SNAPSHOT") + ".SNAPSHOT.schema.json"
    return json.loads((resources.files("cyclonedx.schema") / "_res" / name).read_text(encoding="utf-8"))


@cache
def _validator(version: str) -> Any:
    return jsonschema_rs.validator_for(_schema(f"bom-{version}.schema.json"), retriever=_schema, validate_formats=True)


def errors(data: bytes, version: str = "1.6") -> list[str]:
    """Return what the JSON schema of CycloneDX says against an SBOM, and which references of it lead nowhere."""
    document = json.loads(data)
    found = [
        f"{list(error.instance_path)}: {error.message}"[:300] for error in _validator(version).iter_errors(document)
    ]
    if document.get("specVersion") != version:
        found.append(f"specVersion is {document.get('specVersion')}")
    return found + dangling(document)


@cache
def _xml_validator(version: str) -> Any:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.xml import XmlValidator

    return XmlValidator(SchemaVersion.from_version(version))


def xml_errors(data: bytes, version: str = "1.6") -> list[str]:
    """Return what the XML schema of CycloneDX (XSD, by libxml2) says against an SBOM."""
    error = _xml_validator(version).validate_str(data.decode("utf-8"))
    found = [] if error is None else [str(error)[:300]]
    if f"http://cyclonedx.org/schema/bom/{version}".encode() not in data[:200]:
        found.append("another namespace")
    return found


def dangling(document: Any) -> list[str]:
    """Return each reference of a document to a `bom-ref` that does not stand in it, and each `bom-ref` twice."""
    defined = list(_defined(document))
    twice = sorted({ref for ref in defined if defined.count(ref) > 1}) if len(set(defined)) != len(defined) else []
    known = set(defined)
    used = {item["ref"] for item in document.get("dependencies", ())}
    used |= {ref for item in document.get("dependencies", ()) for ref in item.get("dependsOn", ())}
    for item in document.get("compositions", ()):
        used |= {*item.get("assemblies", ()), *item.get("dependencies", ())}
    used |= {item["attributedTo"] for item in document.get("citations", ())}
    lost = [f"{ref} is referred to, and not there" for ref in sorted(used - known)]
    lost += [
        f"{pointer} points nowhere"
        for item in document.get("citations", ())
        for pointer in item["pointers"]
        if not _leads(document, pointer)
    ]
    return [f"{ref} stands twice" for ref in twice] + lost


def _defined(value: Any) -> Any:
    if isinstance(value, dict):
        if "bom-ref" in value:
            yield value["bom-ref"]
        for item in value.values():
            yield from _defined(item)
    elif isinstance(value, list):
        for item in value:
            yield from _defined(item)


def _leads(document: Any, pointer: str) -> bool:
    at = document
    for part in pointer.split("/")[1:]:
        try:
            at = at[int(part)] if isinstance(at, list) else at[part]
        except (KeyError, IndexError, ValueError):
            return False
    return True
