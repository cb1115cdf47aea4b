"""The rules' parameters: defaults from METADATA, set by the trust file, tightened by the project (PROMISES P21)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from sbomgate.errors import PolicyError, SbomgateError, TrustError, UsageError

CATALOGUE = ("policies", "data", "rules.json")
"""Where the catalogue of rules lies (`resources.path(*CATALOGUE)`), generated from the rules' METADATA."""

PROFILES = ("observe", "default", "strict", "release")
"""The profiles, each stricter than the one before."""

Declared = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""rule id → parameter → its declaration (`type`, `default`, `stricter`, …)."""


def declared(catalogue: bytes) -> Declared:
    """Return the declarations of all parameters from the catalogue's bytes.

    Raises:
        PolicyError: it is not the catalogue that tools/generate_rule_docs.py writes.
    """
    try:
        return {rule: about["parameters"] for rule, about in json.loads(catalogue).items() if about["parameters"]}
    except (ValueError, TypeError, KeyError, AttributeError) as e:
        raise PolicyError(f"the catalogue of rules cannot be read: {e}", where="/".join(CATALOGUE)) from e


def effective(
    defaults: Declared,
    trust: Mapping[str, Mapping[str, object]],
    project: Mapping[str, Mapping[str, object]],
    *,
    trust_where: str = "trust file",
    trust_text: str = "",
    project_where: str = "sbomgate.toml",
    project_text: str = "",
) -> dict[str, dict[str, Any]]:
    """Return every parameter of every rule: the trust file sets it, the project's own config may only tighten it.

    A rule that the shipped policy does not know may have any parameters in the trust file, none in the project's. Of a
    parameter that is a table the project's entries are added to those of the trust file. The texts of the two files are
    only read to name a line.

    Raises:
        TrustError: the trust file names an unknown parameter, or a value that is none.
        UsageError: the project's config does, or loosens a parameter; the message names the place and both values.
    """
    out = {rule: {name: about["default"] for name, about in of.items()} for rule, of in defaults.items()}
    for rule, values in trust.items():
        for name, value in values.items():
            if rule in defaults:
                place = _place(trust_text, "parameters", rule, name)
                _check(defaults, rule, name, value, TrustError, trust_where, place)
            out.setdefault(rule, {})[name] = value
    held = {rule: dict(values) for rule, values in out.items()}
    for rule, values in project.items():
        for name, value in values.items():
            place = _place(project_text, "rules", rule, name)
            _check(defaults, rule, name, value, UsageError, project_where, place)
            base, about = out[rule][name], defaults[rule][name]
            if isinstance(value, dict):
                value = {**base, **value}
            if not _at_least(about, value, base, held[rule]):
                raise UsageError(
                    f"{value!r} is looser than {base!r}, which is what the trust file or the rule sets",
                    where=project_where,
                    place=place,
                    hint="a project can only tighten a rule; to loosen it, change the trust file",
                )
            out[rule][name] = value
    return out


def looser(
    defaults: Declared, trust: Mapping[str, Mapping[str, object]], used: Mapping[str, Mapping[str, object]]
) -> list[str]:
    """Return `rule.parameter` of each that was used looser than the trust file or the rule sets it, sorted.

    A parameter that is missing is looser than any. Of rules that `defaults` does not know the trust file's value must
    be the one that was used.
    """
    floor: dict[str, dict[str, Any]] = {
        rule: {name: about["default"] for name, about in of.items()} for rule, of in defaults.items()
    }
    for rule, values in trust.items():
        floor.setdefault(rule, {}).update(values)
    found = []
    for rule, values in floor.items():
        for name, base in values.items():
            value = used.get(rule, {}).get(name)
            about = defaults.get(rule, {}).get(name)
            try:
                if about is None:
                    fine = value == base
                else:
                    _check(defaults, rule, name, value, UsageError, "policy input", f"parameters.{rule}.{name}")
                    fine = _at_least(about, value, base, floor[rule])
            except UsageError:
                fine = False
            if not fine:
                found.append(f"{rule}.{name}")
    return sorted(found)


def profile(*, trust: str | None, project: str | None, asked: str | None) -> str:
    """Return the profile that holds: each may only be stricter than the one before it.

    Where the trust file says nothing, the project's config starts from `default`; the pipeline that asks for a
    profile may ask for any, `observe` too, as long as neither of the others sets one.

    Raises:
        UsageError: one of them is looser than what holds already, or no profile at all.
    """
    held, by = trust, "the trust file"
    for value, where in ((project, "sbomgate.toml"), (asked, "--profile")):
        if value is None:
            continue
        if value not in PROFILES:
            raise UsageError(
                f"{value!r} is no profile", where=where, place="profile", hint=f"one of {', '.join(PROFILES)}"
            )
        base = held if held is not None else ("default" if where == "sbomgate.toml" else PROFILES[0])
        if PROFILES.index(value) < PROFILES.index(base):
            raise UsageError(
                f"profile {value} is looser than {base}, which {by if held is not None else 'holds by itself'} sets",
                where=where,
                place="profile",
                hint=_LOOSEN[by if held is not None else ""],
            )
        held, by = value, where
    return held if held is not None else "default"


# What set the profile that a looser one was asked against → what to do.
_LOOSEN = {
    "": "a project can only tighten: take the line out, and let the pipeline ask (`--profile observe`)",
    "the trust file": "leave the looser one out, or change `profile` in the trust file",
    "sbomgate.toml": "leave --profile out, or take `profile` out of sbomgate.toml",
}


def _place(text: str, *path: str) -> str:
    """Return the path of a value in a TOML file, with its line where it can be told."""
    from sbomgate import schema_errors

    line = schema_errors.line(text, path)
    return f"{'.'.join(path)} (line {line})" if line else ".".join(path)


def _check(
    defaults: Declared,
    rule: str,
    name: str,
    value: object,
    error: type[SbomgateError],
    where: str,
    place: str,
) -> None:
    """Refuse an unknown rule or parameter, and a value that its declaration does not allow."""
    if rule not in defaults:
        known = ", ".join(sorted(defaults))
        raise error(f"{rule} is no rule with parameters", where=where, place=place, hint=f"these have some: {known}")
    if name not in defaults[rule]:
        known = ", ".join(sorted(defaults[rule]))
        raise error(f"{rule} has no parameter {name}", where=where, place=place, hint=f"it has: {known}")
    _check_value(defaults[rule][name], value, error, where, place)


def _check_value(about: Mapping[str, Any], value: object, error: type[SbomgateError], where: str, place: str) -> None:
    """Refuse what a declaration does not allow."""
    if not _is(about["type"], value):
        raise error(f"{value!r} is not of type {about['type']}", where=where, place=place)
    if "enum" in about and value not in about["enum"]:
        raise error(
            f"{value!r} is none of {', '.join(map(str, about['enum']))}",
            where=where,
            place=place,
            hint="see docs/rules",
        )
    if isinstance(value, str) and "pattern" in about and not re.fullmatch(about["pattern"], value):
        raise error(f"{value!r} is not of the form {about['pattern']}", where=where, place=place, hint="see docs/rules")
    if isinstance(value, int | float) and "minimum" in about and value < about["minimum"]:
        raise error(f"{value!r} is less than {about['minimum']!r}", where=where, place=place)
    if isinstance(value, int | float) and "maximum" in about and value > about["maximum"]:
        raise error(f"{value!r} is more than {about['maximum']!r}", where=where, place=place)

    if isinstance(value, dict):
        _check_table(about, value, error, where, place)


def _check_table(
    about: Mapping[str, Any], table: Mapping[str, object], error: type[SbomgateError], where: str, place: str
) -> None:
    """Refuse an entry that a table's declaration does not allow."""
    names, values = about["propertyNames"], about["additionalProperties"]
    for key, value in table.items():
        if not (
            names.get("minLength", 0) <= len(key) <= names.get("maxLength", len(key))
            and re.fullmatch(names["pattern"], key)
        ):
            raise error(
                f"{key[:80]!r} is no name of a package, and no name that ends in `*`",
                where=where,
                place=place,
                hint='write `"react"`, `"@acme/*"` or `"eslint-*"`',
            )
        path, blank, line = place.partition(" ")
        _check_value(values, value, error, where, f"{path}.{key}{blank}{line}")


def _is(kind: str, value: object) -> bool:
    """Whether the value is of the JSON type; NaN and infinity are no numbers, and a boolean is not one either."""
    match kind:
        case "boolean":
            return isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list) and all(isinstance(item, str) for item in value)
        case _:
            raise PolicyError(f"a parameter of type {kind!r} is declared", where="/".join(CATALOGUE))


def _at_least(about: Mapping[str, Any], value: Any, base: Any, held: Mapping[str, Any]) -> bool:
    """Whether `value` is as strict as `base` or stricter, by what the parameter's METADATA calls stricter.

    A table is where every entry is, compared with what held for that name: the entry of `base` that fits it best, else
    the largest of the rule's parameters (`held`) that the METADATA calls its floor.
    """
    if about["type"] != "object":
        return _as_strict(about["stricter"], value, base)
    floor = max(held[name] for name in about["floor"])
    return base.keys() <= value.keys() and all(
        _as_strict(about["stricter"], hours, _best_fit(base, name, floor)) for name, hours in value.items()
    )


def _best_fit(table: Mapping[str, Any], name: str, otherwise: Any) -> Any:
    """Return the entry for a name, or for all that a pattern speaks of: its own, else the longest that covers it."""
    if name in table:
        return table[name]
    fitting = [pattern for pattern in table if pattern.endswith("*") and name.startswith(pattern[:-1])]
    return table[max(fitting, key=len)] if fitting else otherwise


def _as_strict(stricter: object, value: Any, base: Any) -> bool:
    """Whether one value is as strict as another.

    `larger` and `smaller` for numbers, `earlier` for days (2024-01-01), `superset` and `subset` for lists, `narrower`
    for lists of names that may end in `*` (each must be one that the other list speaks of), true or false for switches,
    and the list of all values from the loosest to the strictest for words.
    """
    match stricter:
        case True | False:
            return bool(value == base or value is stricter)
        case "larger":
            return bool(value >= base)
        case "smaller" | "earlier":  # days are written so that they sort as text
            return bool(value <= base)
        case "superset":
            return set(value) >= set(base)
        case "subset":
            return set(value) <= set(base)
        case "narrower":
            return all(any(_covers(wide, name) for wide in base) for name in value)
        case list():
            return stricter.index(value) >= stricter.index(base)
        case _:
            raise PolicyError(f"a parameter declares {stricter!r} as stricter", where="/".join(CATALOGUE))


def _covers(wide: str, name: str) -> bool:
    """Whether the name `wide`, which may end in `*`, speaks of everything that `name` speaks of."""
    wide, name = wide.lower(), name.lower()
    return name.startswith(wide[:-1]) if wide.endswith("*") else name == wide
