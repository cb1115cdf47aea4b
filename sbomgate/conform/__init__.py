"""How far an SBOM meets what others demand of one, field by field: pure functions over a CycloneDX document.

A profile is a module of this folder without a leading underscore, with

    TITLE: str                    the document that asks for the fields, with its version
    FIELDS: tuple[Field, ...]     one for each field, in the order of that document
    NEVER: tuple[str, ...]        what no lockfile, registry or tarball can say: sbomgate never knows it

Adding a profile is adding its file.

A report is evidence, not certification: it says what stands in the fields, not whether it is true.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sbomgate.errors import InputError, UsageError

PROFILES = tuple(one.name.replace("_", "-") for one in pkgutil.iter_modules(__path__) if not one.name.startswith("_"))

Component = Mapping[str, Any]
Document = Mapping[str, Any]


class State(StrEnum):
    """What an SBOM says in one field."""

    PRESENT = "present"
    UNKNOWN = "unknown"
    WITHHELD = "withheld"  # known, and left out on purpose: the SBOM says so
    NOT_APPLICABLE = "not-applicable"  # the field is not asked for here; it does not count


class Level(StrEnum):
    """How strongly a field is asked for."""

    REQUIRED = "required"
    ADDITIONAL = "additional"  # required where it exists
    OPTIONAL = "optional"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a profile. It has exactly one of the two questions.

    Attributes:
        id: a stable word in kebab case. title: the field's name in the document that asks for it.
        level: how strongly it is asked for.
        where: the place in CycloneDX that was looked at.
        document: state of the field of the SBOM as a whole.
        component: state of the field of one component.
        note: how it becomes known, or why not; "" where there is nothing to say.
    """

    id: str
    title: str
    where: str
    level: Level = Level.REQUIRED
    document: Callable[[Document], State] | None = None
    component: Callable[[Component, Index], State] | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How often each state of a field occurs; `applicable` is how many the field is asked of."""

    field: Field
    applicable: int
    present: int
    unknown: int
    withheld: int

    @property
    def coverage(self) -> float | None:
        """Present ones in percent, rounded down to a tenth: 100 is all of them. None where nobody is asked."""
        return None if not self.applicable else self.present * 1000 // self.applicable / 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Conformance:
    """A report: every field of the profile, in its order; notes and `never` only where the SBOM is one of ours."""

    profile: str
    title: str
    spec_version: str
    components: int
    answers: tuple[Answer, ...]
    never: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every required field is present everywhere it is asked for."""
        return all(one.present == one.applicable for one in self.answers if one.field.level is Level.REQUIRED)


class Index:
    """What several fields look up in the document, made once."""

    def __init__(self, document: Document) -> None:
        self.dependencies = {
            item["ref"] for item in _objects(document, "dependencies") if isinstance(item.get("ref"), str)
        }
        self.completeness = {
            ref
            for item in _objects(document, "compositions")
            if item.get("aggregate") in ("complete", "incomplete", "unknown")
            for key in ("dependencies", "assemblies")
            for ref in _list(item, key)
            if isinstance(ref, str)
        }


def judge(document: Document, profile: str) -> Conformance:
    """Return what an SBOM has of a profile's fields. Every component counts, the root among them.

    Args:
        document: a CycloneDX document as JSON has it, by whomever, of any version.
        profile: one of `PROFILES`.

    Raises:
        UsageError: no such profile.
        InputError: not CycloneDX, or without a component.
    """
    if profile not in PROFILES:
        raise UsageError(f"no profile {profile!a}", where="--conform", hint=f"known: {', '.join(PROFILES)}")
    if document.get("bomFormat") != "CycloneDX":
        raise InputError("not a CycloneDX document", where="SBOM", place="bomFormat", hint="name an SBOM")
    components = list(_components(document))
    if not components:
        raise InputError("no component", where="SBOM", place="components", hint="an empty SBOM conforms to nothing")
    module = importlib.import_module(f"{__name__}.{profile.replace('-', '_')}")
    index = Index(document)
    fields: tuple[Field, ...] = module.FIELDS
    never: tuple[str, ...] = module.NEVER
    if not _ours(document):  # how sbomgate comes to know a field says nothing about what another tool wrote
        fields, never = tuple(replace(field, note="") for field in fields), ()
    return Conformance(
        profile=profile,
        title=module.TITLE,
        spec_version=str(document.get("specVersion")),
        components=len(components),
        answers=tuple(_answer(field, document, components, index) for field in fields),
        never=never,
    )


def _ours(document: Document) -> bool:
    metadata = document.get("metadata")
    properties = _objects(metadata, "properties") if isinstance(metadata, Mapping) else []
    return any(one.get("name") == "sbomgate:format" for one in properties)


def _answer(field: Field, document: Document, components: list[Component], index: Index) -> Answer:
    if field.document is not None:
        states = [field.document(document)]
    elif field.component is not None:
        states = [field.component(component, index) for component in components]
    else:
        raise ValueError(f"{field.id} asks nothing")
    count = {state: states.count(state) for state in State}
    return Answer(
        field=field,
        applicable=len(states) - count[State.NOT_APPLICABLE],
        present=count[State.PRESENT],
        unknown=count[State.UNKNOWN],
        withheld=count[State.WITHHELD],
    )


def _components(document: Document) -> list[Component]:
    """Return the root and every component, those inside others included."""
    metadata = document.get("metadata")
    root = metadata.get("component") if isinstance(metadata, Mapping) else None
    found: list[Component] = [root] if isinstance(root, Mapping) else []
    todo = [_objects(document, "components")]
    if found:
        todo.append(_objects(found[0], "components"))
    while todo:
        for component in todo.pop():
            found.append(component)
            todo.append(_objects(component, "components"))
    return found


def _objects(of: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    return [item for item in _list(of, key) if isinstance(item, Mapping)]


def _list(of: Mapping[str, Any], key: str) -> list[Any]:
    value = of.get(key)
    return value if isinstance(value, list) else []
