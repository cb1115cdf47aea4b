"""The project's own `sbomgate.toml`: it lies in the tree under test, so it can only tighten (PROMISES P21).

profile = "strict"

[rules.release_age]
minimum_age_hours = 168

[sbom]
author = "Release team <release@acme.example>"
supplier = "Acme Ltd <https://acme.example>"

[malicious]
lists = ["security/malicious.csv"]
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field

from sbomgate.errors import UsageError

SCHEMA = ("schemas", "config.schema.json")
"""Where its schema lies (`resources.path(*SCHEMA)`)."""

MAX_CONFIG_BYTES = 1024 * 1024
"""Bytes of sbomgate.toml: people write it by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What a project demands of itself.

    Attributes:
        profile: a stricter profile than the trust file's, or None.
        rules: rule id → parameter → value, not yet compared with what holds (`policy.parameters.effective`).
        sbom: `author`, `manufacturer`, `supplier` → `NAME <EMAIL or URL>`, as written.
        malicious_lists: paths of lists of malicious packages, relative to the file.
        text: the file, so that a message about a value can name its line.
    """

    profile: str | None = None
    rules: Mapping[str, Mapping[str, object]]
    malicious_lists: tuple[str, ...] = ()
    sbom: Mapping[str, str] = field(default_factory=dict)
    text: str = field(default="", compare=False, repr=False)


EMPTY = Config(rules={})
"""What holds without a file."""


def parse(data: bytes, *, schema: bytes, where: str = "sbomgate.toml") -> Config:
    """Read the file's bytes against the schema's bytes.

    Raises:
        UsageError: not TOML, or not what the schema says; the message names the line or the path of the key.
    """
    if len(data) > MAX_CONFIG_BYTES:
        raise UsageError(f"{len(data)} bytes; at most {MAX_CONFIG_BYTES} are read", where=where)
    try:
        text = data.decode("utf-8")
        document = tomllib.loads(text)
    except UnicodeDecodeError as e:
        raise UsageError(f"not UTF-8 at byte {e.start}", where=where, hint="save it as UTF-8") from e
    except ValueError as e:  # TOMLDecodeError, and that of an integer of thousands of digits
        raise UsageError(f"not TOML: {e}", where=where, hint="https://toml.io shows the syntax") from e
    except RecursionError as e:
        raise UsageError("not TOML: nested too deeply", where=where, hint="write it flat") from e
    _validate(document, text, schema, where)
    return Config(
        profile=document.get("profile"),
        rules=document.get("rules", {}),
        malicious_lists=tuple(document.get("malicious", {}).get("lists", ())),
        sbom=document.get("sbom", {}),
        text=text,
    )


def _validate(document: object, text: str, schema: bytes, where: str) -> None:
    """Refuse what the schema does not allow, naming the place that fits best."""
    from sbomgate import schema_errors

    error = schema_errors.best(document, schema)
    if error is None:
        return
    path = [str(part) for part in error.absolute_path]
    place = ".".join(path)
    hint = "see docs/rules for the rules and their parameters"
    if error.validator == "additionalProperties" and isinstance(error.schema, dict):
        known = ", ".join(sorted(error.schema.get("properties", {})))
        hint = f"known here: {known}" if known else hint
        if isinstance(error.instance, dict):
            path += sorted(set(error.instance) - set(error.schema.get("properties", {})))[:1]
    if line := schema_errors.line(text, path):
        place = f"{place} (line {line})" if place else f"line {line}"
    raise UsageError(error.message, where=where, place=place, hint=hint)
