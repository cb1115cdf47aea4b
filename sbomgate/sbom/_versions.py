"""The document of CycloneDX 1.6 as 1.5 and as 1.7."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sbomgate.model import DependencyGraph

if TYPE_CHECKING:
    from sbomgate.model import PackageFacts


def adapt(
    document: Mapping[str, Any], graph: DependencyGraph, facts: Mapping[str, PackageFacts], spec_version: str
) -> dict[str, Any]:
    """Return the document in another version of CycloneDX; `document` itself stays as it is."""
    if spec_version == "1.5":
        return _as_1_5(document)
    if spec_version == "1.7":
        from sbomgate.sbom._citations import cited

        return cited(document, graph, facts)
    raise ValueError(spec_version)


def _as_1_5(document: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what 1.5 has no place for; who made the SBOM moves to the authors, whom it has."""
    metadata = {**document["metadata"], "component": _component_1_5(document["metadata"]["component"])}
    maker = metadata.pop("manufacturer", None)
    if maker is not None:
        contacts = maker.get("contact")
        contact = {"name": maker["name"], "email": contacts[0]["email"]} if contacts else {"name": maker["name"]}
        metadata["authors"] = [*metadata.get("authors", ()), contact]
    return {**document, "metadata": metadata, "components": [_component_1_5(one) for one in document["components"]]}


def _component_1_5(component: Mapping[str, Any]) -> dict[str, Any]:
    made = {key: value for key, value in component.items() if key not in ("manufacturer", "authors")}
    if "authors" in component:
        made["author"] = component["authors"][0]["name"]
    if "licenses" in component:
        made["licenses"] = [_licence_1_5(one) for one in component["licenses"]]
    if "externalReferences" in component:
        made["externalReferences"] = [
            {**one, "type": "vcs"} if one["type"] == "source-distribution" else one
            for one in component["externalReferences"]
        ]
    return made


def _licence_1_5(one: Mapping[str, Any]) -> dict[str, Any]:
    if "expression" in one:
        return {"expression": one["expression"]}
    return {"license": {key: value for key, value in one["license"].items() if key != "acknowledgement"}}
