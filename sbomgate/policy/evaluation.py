"""Read what an engine returned, and refuse whatever is not a whole answer (PROMISES P3).

OPA answers 200 without a result for a mistyped path, and an empty set of findings for a rule that did not load. So the
answer must name every rule that the bundle holds, and say how many packages it judged.
"""

from __future__ import annotations

import hashlib

import orjson

from sbomgate import resources
from sbomgate.errors import PolicyError
from sbomgate.model import Evaluation, Level, PolicyBundle, PolicyFinding, Verdict

QUERY = "data.sbomgate.decision.result"


def read(data: bytes, bundle: PolicyBundle, *, packages: int, profile: str) -> Evaluation:
    """Return the evaluation that `data` holds, the canonical JSON of `QUERY`.

    Args:
        data: what the engine returned.
        bundle: the policy that was asked; every one of its rules must have run.
        packages: how many packages the policy input holds; every one must have been judged.
        profile: the one that was asked for: an answer under `observe` would allow whatever its findings say.

    Raises:
        PolicyError: not of the evaluation's schema, a rule or package is missing, another profile, or verdict and
            findings disagree.
    """
    import jsonschema_rs

    where = "the policy's result"
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise PolicyError(f"got no JSON: {error}", where=where) from error
    schema = orjson.loads(resources.path("schemas", "evaluation.schema.json").read_bytes())
    try:
        jsonschema_rs.validator_for(schema).validate(value)
    except jsonschema_rs.ValidationError as error:
        place = "".join(f"[{part!r}]" for part in error.instance_path)
        raise PolicyError(
            error.message[:300],
            where=where,
            place=place,
            hint="decision.rego must return the document that schemas/evaluation.schema.json describes",
        ) from error

    ran, expected = set(value["rules"]), set(bundle.rules)
    if not expected:
        raise PolicyError("the policy holds no rule", where=where, hint="a policy needs at least one file in rules/")
    if ran != expected:
        missing, extra = sorted(expected - ran), sorted(ran - expected)
        raise PolicyError(
            f"other rules ran than the policy holds: missing {missing or 'none'}, unknown {extra or 'none'}",
            where=where,
            hint="a rule's file in rules/ is named as its package: rules/pinned.rego is package sbomgate.rules.pinned",
        )
    if value["packages"] != packages:
        raise PolicyError(f"the policy judged {value['packages']} packages, expected {packages}", where=where)

    if value["profile"] != profile:
        raise PolicyError(
            f"the policy judged by the profile {value['profile'][:40]!r}, expected {profile!r}", where=where
        )

    findings = tuple(
        PolicyFinding(
            rule=f["rule"],
            code=f["code"],
            level=Level(f["level"]),
            package=f["package"],
            message=f["message"],
            fix=f["fix"],
            unknown=f["unknown"],
            waivable=f["waivable"],
            waived=f["waived"],
            fingerprint=f["fingerprint"],
        )
        for f in value["findings"]
    )
    if strangers := sorted({f.rule for f in findings} - expected):
        raise PolicyError(f"findings of rules that the policy does not hold: {strangers}", where=where)
    # (P28) an identity or a known malware is never waived, whatever wrote the policy's decision.rego
    if waived := sorted({f.code for f in findings if f.waived and not f.waivable}):
        raise PolicyError(f"findings that nothing waives are waived: {waived}", where=where)
    if {f.fingerprint for f in findings if f.waived} != set(value["waived_by"]) or not all(value["waived_by"].values()):
        raise PolicyError("what is waived does not say by whom", where=where)
    verdict = Verdict(value["verdict"])
    denials = any(f.level is Level.DENY and not f.waived for f in findings)
    # `observe` records and never denies; everywhere else verdict and findings must agree.
    if denials != (verdict is Verdict.DENIED) and not (profile == "observe" and verdict is Verdict.ALLOWED):
        raise PolicyError(f"the verdict is {verdict.value}, and the findings say otherwise", where=where)
    return Evaluation(
        data=data,
        sha256=hashlib.sha256(data).hexdigest(),
        verdict=verdict,
        findings=findings,
        rules=tuple(value["rules"]),
        waived_by={fingerprint: tuple(ids) for fingerprint, ids in value["waived_by"].items()},
        unused_waivers=tuple(value["unused_waivers"]),
    )
