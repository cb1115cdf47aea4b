"""Step 8: what a Fulcio certificate says of the build, by its object identifiers 1.3.6.1.4.1.57264.1.*.

Numbers 1 to 6 hold raw text, 8 and above a DER UTF8String (Fulcio, docs/oid-info.md). Certificates of early 2023 carry
1 to 6 only; what those do not say stays None.
"""

from __future__ import annotations

from cryptography import x509

from sbomgate.model import Claims
from sbomgate.provenance._encoding import decode_utf8_string
from sbomgate.provenance._outcome import CannotVerify, Invalid

GITHUB = "https://token.actions.githubusercontent.com"
GITLAB = "https://gitlab.com"

_FIRST_DER = 8
_NUMBERS = {
    x509.ObjectIdentifier(f"1.3.6.1.4.1.57264.1.{n}"): n
    for n in (1, 2, 3, 5, 6, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 20)
}
"""The claims that are read. Other numbers may hold anything, now or later."""
_HOST_OF = {GITHUB: "https://github.com/"}
"""Where the repository of a certificate without a source repository URI (number 12) lives, by its issuer."""


def read_claims(certificate: x509.Certificate, issuers: tuple[str, ...] | None, *, persons: bool = False) -> Claims:
    """Return the claims of a certificate that steps 1 to 6 have verified.

    Args:
        certificate: whose claims.
        issuers: those that are accepted; None where the caller compares the issuer itself.
        persons: whether an e-mail address is an identity too.

    Raises:
        Invalid: it names no issuer, its identity is not one URI, or two of its fields contradict each other.
        CannotVerify: its issuer is not accepted.
    """
    raw: dict[int, str] = {}
    try:
        for extension in certificate.extensions:
            number = _NUMBERS.get(extension.oid)
            if number is not None and isinstance(extension.value, x509.UnrecognizedExtension):
                value = extension.value.value
                raw[number] = value.decode("utf-8") if number < _FIRST_DER else decode_utf8_string(value)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound) as e:
        raise Invalid("8", f"the certificate's claims are malformed: {e}") from e

    # (8a) whose word the identity is
    issuer = _agree(raw, 8, 1, "issuer")
    if issuer is None:
        raise Invalid("8a", "the identity was issued by nobody")
    kinds = x509.UniformResourceIdentifier | x509.RFC822Name if persons else x509.UniformResourceIdentifier
    if len(names) != 1 or not isinstance(names[0], kinds):
        raise Invalid("8a", "the certificate's identity is not one URI of a workflow")
    if (
        issuers is not None and issuer not in issuers
    ):  # whose builders nobody here knows (CASES V20): neither good nor bad
        raise CannotVerify("8a", f"the identity was issued by {issuer[:200]}, accepted: {', '.join(issuers)}")
    identity = names[0].value

    repository = raw.get(12) or None
    if raw.get(5) and issuer in _HOST_OF:
        named = _HOST_OF[issuer] + raw[5]
        if repository not in (None, named):
            raise Invalid("8b", f"the certificate names two repositories, {repository} and {named}")
        repository = named
    # (8b) the older and the newer spelling of a claim agree
    return Claims(
        issuer=issuer,
        identity=identity,
        repository=repository,
        repository_id=raw.get(15) or None,
        owner=raw.get(16) or None,
        owner_id=raw.get(17) or None,
        workflow=_workflow(raw.get(18), identity, repository),
        ref=_agree(raw, 14, 6, "ref"),
        commit=_agree(raw, 13, 3, "commit"),
        trigger=_agree(raw, 20, 2, "trigger"),
        runner=raw.get(11) or None,
        builder=raw.get(9) or None,
    )


def _agree(raw: dict[int, str], newer: int, older: int, what: str) -> str | None:
    first, second = raw.get(newer) or None, raw.get(older) or None
    if first is not None and second is not None and first != second:
        raise Invalid("8b", f"the certificate names two values of {what}, {first!r} and {second!r}")
    return first or second


def _workflow(configuration: str | None, identity: str, repository: str | None) -> str | None:
    """Return the path of the workflow file in `repository`; the whole URI where it lies in another repository.

    Without a build configuration URI (number 18) the identity tells it, unless that is a reusable workflow of others.
    """
    if repository is None:
        return None
    # `…/publish.yml@refs/tags/@scope/name@1.0.0`: a tag may hold an @ as well
    location = (configuration or identity).partition("@refs/")[0]
    if location.startswith(f"{repository}/"):
        return location.removeprefix(f"{repository}/").lstrip("/") or None
    return location if configuration and location else None
