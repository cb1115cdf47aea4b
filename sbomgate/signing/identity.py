"""Whether what a certificate says of its holder is what a trust file accepts. Pure."""

from __future__ import annotations

from sbomgate.model import AcceptedIdentity, Claims


def refusal(claims: Claims, accepted: AcceptedIdentity) -> str | None:
    """Return why these claims are not those of an accepted identity, in one sentence, or None where they are.

    What the trust file asks and the certificate does not say is a refusal. Of the identity only what follows the last
    `@refs/tags/…` or `@refs/heads/…` may vary, and only where the trust file ends in `*`.
    """
    if claims.issuer != accepted.issuer:
        return f"the issuer is {claims.issuer!r}, expected {accepted.issuer!r}"
    start = accepted.identity.removesuffix("*")
    if not (claims.identity.startswith(start) if start != accepted.identity else claims.identity == start):
        return f"the identity is {claims.identity!r}, expected {accepted.identity!r}"
    # A reusable workflow is named by where it lies, whoever calls it: then the caller must be named as well.
    elsewhere = claims.repository is not None and not claims.identity.startswith(f"{claims.repository}/")
    if accepted.repository is None and elsewhere:
        return f"it ran for {claims.repository!r}, and the workflow lies elsewhere: name the `repository`"
    asked = (
        ("repository", accepted.repository, claims.repository),
        ("repository_id", accepted.repository_id, claims.repository_id),
        ("owner_id", accepted.owner_id, claims.owner_id),
        ("runner", accepted.runner, claims.runner),
    )
    for what, expected, got in asked:
        if expected is not None and got != expected:
            return f"its {what} is {got!r}, expected {expected!r}"
    if accepted.triggers and claims.trigger not in accepted.triggers:
        return f"started by {claims.trigger!r}, expected {' or '.join(map(repr, accepted.triggers))}"
    return None
