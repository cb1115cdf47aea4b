"""Whether an accepted builder attests that it made an artefact from this commit (P13): bytes in, a value out. Pure.

1. the bundle is one JSON document with one meaning, whose payload is an in-toto statement
2. its certificate names a builder that the trust file accepts, for this repository
3. log, time, chain, certificate log, signature, body: the numbered steps of package provenance (1 to 6, 8)
4. the statement is a SLSA provenance v0.2 or v1 of exactly this artefact, and agrees with the certificate (7, 9)
5. the builder's id in it is the accepted one
6. repository and commit of the certificate are those that the decision is about
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from sbomgate import dsse
from sbomgate.errors import EvidenceError
from sbomgate.model import Builder, Claims, Subject
from sbomgate.model.link import BuildLink
from sbomgate.signing.identity import refusal

MAX_BUNDLE_BYTES = 32 << 20  # a provenance of 10,000 subjects is some 2 MB

VERIFIED, INVALID, CANNOT_VERIFY = "verified", "invalid", "cannot-verify"


def verify(
    bundle: bytes,
    builders: Sequence[Builder],
    *,
    subject: Subject,
    repository: str | None,
    commit: str | None,
    trusted_root: bytes,
) -> BuildLink:
    """Verify the provenance that a build wrote about its artefact. Bad is a value: see `BuildLink.state`.

    Args:
        bundle: a sigstore bundle, v0.1 to v0.3.
        builders: `Trust.builders`.
        subject: the artefact.
        repository: that the decision is about; None where it does not say: then nothing can be verified.
        commit: the same.
        trusted_root: of the sigstore that the bundle must come from.

    Raises:
        ProvenanceError: the trusted root cannot be used.
    """
    from sbomgate.provenance import build, evidence

    material = hashlib.sha256(bundle).hexdigest()

    def stop(state: str, reason: str) -> BuildLink:
        return BuildLink(material=material, state=state, reason=reason)

    if repository is None or commit is None:
        what = "repository" if repository is None else "commit"
        return stop(CANNOT_VERIFY, f"the decision names no {what} that it could be compared with (--{what})")
    if "sha256" not in subject.digest:
        return stop(CANNOT_VERIFY, "a commit is no artefact that a build could have made")
    # (1) the bundle has one meaning
    try:
        document = dsse.loads(bundle, "provenance")
        envelope = document["dsseEnvelope"]
        certificate = dsse.certificate_of(document, "provenance")
        if envelope["payloadType"] != dsse.PAYLOAD_TYPE:
            return stop(INVALID, f"its payload is of the type {str(envelope['payloadType'])[:100]!r}")
    except (EvidenceError, KeyError, TypeError) as e:
        return stop(INVALID, f"not a sigstore bundle with a certificate and an in-toto statement ({e})")
    # (2) an accepted builder, for this repository: so far only the certificate's word, which (3) proves
    claims = evidence.claimed(certificate)
    if claims is None:
        return stop(INVALID, "its certificate names nobody who could be accepted")
    accepted, why = _accepted(claims, builders, repository)
    if not accepted:
        return stop(INVALID, why)
    try:
        # (3) the numbered steps of package provenance
        proved = evidence.verify_certified(document, trusted_root)
        if proved.claims != claims:
            return stop(INVALID, "its certificate was read in two ways, which differ")
        # (4) about this artefact
        builder_id = build.builder_of(proved.payload, claims, sha256=subject.digest["sha256"])
    except evidence.Stop as e:
        return stop(CANNOT_VERIFY if isinstance(e, evidence.CannotVerify) else INVALID, str(e))
    # (5) the builder's own id
    found = next((one for one in accepted if one.builder_id == builder_id), None)
    if found is None:
        return stop(INVALID, f"its builder is {builder_id[:200]!r}, {accepted[0].name!r} is {accepted[0].builder_id!r}")
    # (6) this source
    for what, got, expected in (("repository", claims.repository, repository), ("commit", claims.commit, commit)):
        if got != expected:
            return stop(INVALID, f"it was built from the {what} {got!r}, the decision is about {expected!r}")
    return BuildLink(
        material=material,
        state=VERIFIED,
        reason=f"built by {found.name}, signed by {claims.identity}",
        builder=found.name,
        builder_id=builder_id,
        identity=claims.identity,
        repository=claims.repository,
        commit=claims.commit,
        ref=claims.ref,
    )


def _accepted(claims: Claims, builders: Sequence[Builder], repository: str) -> tuple[list[Builder], str]:
    """Return the builders that a certificate may be of, and why it is none where there are none."""
    accepted, refused = [], []
    for builder in builders:
        # A reusable workflow lies elsewhere: the repository that may call it is the one that the decision is about.
        asked = replace(builder.identity, repository=builder.identity.repository or repository)
        why = refusal(claims, asked)
        if why is None:
            accepted.append(builder)
        else:
            refused.append(f"{builder.name!r}: {why}")
    near = f" ({refused[0]})" if len(refused) == 1 else ""
    return accepted, f"signed by {claims.identity[:200]!r}, no builder that the trust file accepts{near}"
