"""A report on conformance, as text for people and as JSON."""

from __future__ import annotations

import orjson

from sbomgate.conform import Answer, Conformance

NOT_CERTIFIED = "This is evidence, not certification: it says what stands in the fields, not whether it is true."


def text(report: Conformance) -> str:
    """Return the report as plain text: one line for each field, then what is never known."""
    lines = [
        report.title,
        f"CycloneDX {report.spec_version}, {report.components:,} components, profile {report.profile}",
        "",
        f"  {'field':<58} {'level':<10} {'present':>8} {'unknown':>8} {'withheld':>8} {'coverage':>9}",
    ]
    for one in report.answers:
        lines.append(
            f"  {one.field.title:<58} {one.field.level.value:<10}"
            f" {one.present:>8,} {one.unknown:>8,} {one.withheld:>8,} {_percent(one):>9}"
        )
        if one.field.note and one.present < one.applicable:
            lines.append(f"      {one.field.note}")
    if report.never:
        lines += ["", "Never known to sbomgate:", *(f"  - {one}" for one in report.never)]
    lines += ["", NOT_CERTIFIED, ""]
    return "\n".join(lines)


def json(report: Conformance) -> bytes:
    """Return the report as JSON; `coverage` is in percent, rounded down to a tenth, null where nobody is asked."""
    document = {
        "schema": "sbomgate/conformance/v1",
        "profile": report.profile,
        "title": report.title,
        "spec_version": report.spec_version,
        "components": report.components,
        "complete": report.complete,
        "fields": [
            {
                "id": one.field.id,
                "title": one.field.title,
                "level": one.field.level.value,
                "of": "document" if one.field.document is not None else "component",
                "where": one.field.where,
                "applicable": one.applicable,
                "present": one.present,
                "unknown": one.unknown,
                "withheld": one.withheld,
                "coverage": one.coverage,
                "note": one.field.note,
            }
            for one in report.answers
        ],
        "never": list(report.never),
        "disclaimer": NOT_CERTIFIED,
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"


def _percent(one: Answer) -> str:
    return "-" if one.coverage is None else f"{one.coverage:.1f} %"
