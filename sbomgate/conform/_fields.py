"""What stands in a component or a document, as the profiles ask for it. Malformed is unknown, never present."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sbomgate.conform import Component, Document, Index, State
from sbomgate.spdx import is_expression

_FETCHED = frozenset({"registry", "tarball"})


def state(present: bool) -> State:
    """Return present or unknown."""
    return State.PRESENT if present else State.UNKNOWN


def text(of: Any, *keys: str) -> str | None:
    """Return the text at a path of keys, or None where there is none or only blanks."""
    for key in keys:
        of = of.get(key) if isinstance(of, Mapping) else None
    return of if isinstance(of, str) and of.strip() else None


def objects(of: Any, key: str) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of an array."""
    value = of.get(key) if isinstance(of, Mapping) else None
    for item in value if isinstance(value, list) else ():
        if isinstance(item, Mapping):
            yield item


def properties(component: Component, name: str) -> list[str]:
    """Return the values of a property."""
    return [
        item["value"]
        for item in objects(component, "properties")
        if item.get("name") == name and isinstance(item.get("value"), str)
    ]


def reachable_entity(entity: Any) -> bool:
    """Whether an organisation has an e-mail address or a URL."""
    urls = entity.get("url") if isinstance(entity, Mapping) else None
    return any(text(contact, "email") for contact in objects(entity, "contact")) or any(
        isinstance(url, str) and url.strip() for url in (urls if isinstance(urls, list) else ())
    )


def name(component: Component, _: Index) -> State:
    """The name, unless the SBOM itself says that there is none."""
    return state(text(component, "name") is not None and not properties(component, "sbomgate:unnamed"))


def version(component: Component, _: Index) -> State:
    """The version."""
    return state(bool(text(component, "version") or properties(component, "sbomgate:version")))


def supplier(component: Component, _: Index) -> State:
    """The name of who supplies or makes it."""
    return state(any(text(component, role, "name") for role in ("supplier", "manufacturer")))


def identifier(component: Component, _: Index) -> State:
    """A purl, CPE or SWID tag. Directories of the project without a version have none to be found by."""
    return state(any((text(component, "purl"), text(component, "cpe"), text(component, "swid", "tagId"))))


def dependencies(component: Component, index: Index) -> State:
    """An entry among the dependencies, an empty one included: it says that there are none."""
    return state(text(component, "bom-ref") in index.dependencies)


def dependencies_and_completeness(component: Component, index: Index) -> State:
    """The dependencies, and whether they are said to be complete, incomplete or unknown."""
    ref = text(component, "bom-ref")
    return state(ref in index.dependencies and ref in index.completeness)


def completeness(component: Component, index: Index) -> State:
    """Whether it is said that something about it is complete, incomplete or unknown."""
    return state(text(component, "bom-ref") in index.completeness)


def licence(component: Component, _: Index) -> State:
    """A licence, by whatever name."""
    return state(
        any(
            text(item, "expression") or text(item, "license", "id") or text(item, "license", "name")
            for item in objects(component, "licenses")
        )
    )


def spdx_licence(component: Component, acknowledgement: str) -> State:
    """A licence that is an SPDX expression, acknowledged in one way (`declared`, `concluded`)."""
    for item in objects(component, "licenses"):
        whole = item if "expression" in item else item.get("license")
        said = text(item, "expression") or text(item, "license", "id")
        if said and text(whole, "acknowledgement") == acknowledgement and is_expression(said):
            return State.PRESENT
    return State.UNKNOWN


def own_directory(component: Component) -> bool:
    """Whether an SBOM of ours says that this is a directory, and nothing that is downloaded."""
    return any(kind in ("root", "workspace", "link") for kind in properties(component, "sbomgate:kind"))


def component_hash(component: Component, _: Index) -> State:
    """A hash, of any algorithm, of the component or at its address. A directory of the project has no bytes."""
    distributed = (one for one in objects(component, "externalReferences") if one.get("type") == "distribution")
    holders = (component, *distributed)
    if any(text(item, "content") and text(item, "alg") for one in holders for item in objects(one, "hashes")):
        return State.PRESENT
    return State.NOT_APPLICABLE if own_directory(component) else State.UNKNOWN


def author(document: Document) -> State:
    """Who made the SBOM."""
    metadata = document.get("metadata")
    named = any(text(item, "name") or text(item, "email") for item in objects(metadata, "authors"))
    return state(named or text(metadata, "manufacturer", "name") is not None)


def timestamp(document: Document) -> State:
    """When it was made."""
    return state(text(document, "metadata", "timestamp") is not None)


def tool(document: Document) -> State:
    """What it was made with: the form since 1.5, and the one before."""
    metadata = document.get("metadata")
    tools = metadata.get("tools") if isinstance(metadata, Mapping) else None
    found = tools if isinstance(tools, list) else [*objects(tools, "components"), *objects(tools, "services")]
    return state(any(text(item, "name") for item in found))


def generation_context(document: Document) -> State:
    """Before, during or after the build."""
    return state(any(text(item, "phase") for item in objects(document.get("metadata"), "lifecycles")))
