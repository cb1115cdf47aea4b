"""One file for an auditor: everything about one build, who is accepted, and how to verify it with others' tools. Pure.

The same evidence and trust file give the same bytes: sorted, no time of packing, no owner. Its README holds the exact
commands (cosign, opa, jq, sha256sum), and a test runs them.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import shlex
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sbomgate import dsse
from sbomgate.decision import DETAIL_TYPE, SUMMARY_TYPE
from sbomgate.errors import EvidenceError
from sbomgate.evidence.head import ENTRIES, HEAD_TYPE, LOG, SUFFIX, Head, read_head
from sbomgate.evidence.record import DETAIL_BUNDLE, SUMMARY_BUNDLE, Record, index, manifests
from sbomgate.evidence.revocation import REVOCATION_TYPE, read
from sbomgate.model import Signer, SubjectKind, Trust, Verdict
from sbomgate.subject import EMPTY_BLOB
from sbomgate.times import format_time

README = "README.md"
SUMS = "SHA256SUMS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A signed statement as the pack holds it: its path there, its predicate type, and what it is about.

    `about` are cosign's arguments for that: a file of the pack, or a digest. `timestamped`: a timestamp authority
    vouches for its time. `signer` is None where nobody who is accepted signed it.
    """

    path: str
    kind: str
    about: tuple[str, ...]
    timestamped: bool
    signer: Signer | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What goes into a pack.

    Attributes:
        records: every decision on the build, newest first.
        signers: SHA-256 of each bundle → who signed it, for all that an accepted signer signed.
        trust: the trust file of whoever packs it.
        trusted_root: sigstore's, which certificates and timestamps are verified with.
        oci_layout: bytes of the layout's `oci-layout`.
        head: the store's newest head and the log's segments that it covers (number → bytes up to its last entry), or
            None where the store has no head.
        revocations: SHA-256 → bundle of every revocation of the store.
    """

    records: Sequence[Record]
    signers: Mapping[str, Signer]
    trust: Trust
    trusted_root: bytes
    oci_layout: bytes
    head: tuple[bytes, Mapping[int, bytes]] | None
    revocations: Mapping[str, bytes]


def pack(contents: Contents) -> bytes:
    """Return the tar.gz.

    Raises:
        EvidenceError: there is nothing to pack, or two files would have one name.
    """
    if not contents.records:
        raise EvidenceError("no decision on this artefact: there is nothing to pack")
    files: dict[str, bytes] = {}
    bundles: list[Bundle] = []
    _build(contents, files, bundles)
    _trust(contents, files)
    _store(contents, files, bundles)
    files[README] = _readme(contents, bundles).encode()
    files[SUMS] = "".join(
        f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items())
    ).encode()
    return _tar(files)


def _build(contents: Contents, files: dict[str, bytes], bundles: list[Bundle]) -> None:
    """Add the OCI layout, as the store has it, and each decision's files by their names."""
    build = contents.records[0].build
    blobs = [EMPTY_BLOB, build.blob, build.data]
    referrers = {m.sha256: m for record in contents.records for m in manifests(record)}
    blobs += [m.data for m in referrers.values()]
    for record in contents.records:
        named = record.files()
        blobs += named.values()
        folder = f"build/decisions/{record.id}"
        files |= {f"{folder}/{name}": data for name, data in named.items()}
        about = _about(record)
        for name, kind, bundle in (
            (SUMMARY_BUNDLE, SUMMARY_TYPE, record.summary),
            (DETAIL_BUNDLE, DETAIL_TYPE, record.detail),
        ):
            if bundle is not None:
                bundles.append(_bundle(contents, f"{folder}/{name}", kind, about, bundle))
    files |= {f"build/blobs/sha256/{hashlib.sha256(data).hexdigest()}": data for data in blobs}
    files["build/index.json"] = index(build, referrers)
    files["build/oci-layout"] = contents.oci_layout


def _about(record: Record) -> tuple[str, ...]:
    ((algorithm, digest),) = record.claimed.subject.digest.items()
    return ("--digest", digest, "--digestAlg", algorithm)


def _bundle(contents: Contents, path: str, kind: str, about: tuple[str, ...], bundle: bytes) -> Bundle:
    envelope = dsse.read_bundle(bundle, path)
    return Bundle(
        path=path,
        kind=kind,
        about=about,
        timestamped=bool(envelope.timestamps),
        signer=contents.signers.get(hashlib.sha256(bundle).hexdigest()),
    )


def _trust(contents: Contents, files: dict[str, bytes]) -> None:
    """Add the trust file, every file that it names, the trusted root, and the accepted keys as files of their own."""
    files["trust/trust.toml"] = contents.trust.data
    files |= {f"trust/files/{sha256}": data for sha256, data in contents.trust.pinned.items()}
    files["trust/trusted_root.json"] = contents.trusted_root
    for signer in contents.trust.signers:
        if signer.public_key is not None:
            files[_key(signer)] = signer.public_key.encode()


def _key(signer: Signer) -> str:
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", signer.name).strip("-.") or "key"
    return f"trust/keys/{name}-{(signer.key_id or '')[:12]}.pub"


def _store(contents: Contents, files: dict[str, bytes], bundles: list[Bundle]) -> None:
    """Add the store's head with the log that it covers, and its revocations."""
    if contents.head is not None:
        bundle, segments = contents.head
        head = _head(bundle)
        files |= {f"store/{LOG}/{number:06}/{ENTRIES}": data for number, data in segments.items()}
        path = f"store/{LOG}/head{SUFFIX}"
        files[path] = bundle
        at = (f"store/{LOG}/{head.number:06}/{ENTRIES}",)
        bundles.append(_bundle(contents, path, HEAD_TYPE, at, bundle))
    for sha256, bundle in sorted(contents.revocations.items()):
        path = f"store/revocations/{sha256}{SUFFIX}"
        files[path] = bundle
        payload = dsse.read_bundle(bundle, path).payload
        digest = dsse.read_statement(payload, path)["subject"][0]["digest"]["sha256"]
        about = ("--digest", digest, "--digestAlg", "sha256")
        bundles.append(_bundle(contents, path, REVOCATION_TYPE, about, bundle))


def _head(bundle: bytes) -> Head:
    return read_head(dsse.read_bundle(bundle, "head").payload, "head")


def _tar(files: Mapping[str, bytes]) -> bytes:
    """Return a tar.gz with every name once: a file whose bytes were there before is a hard link to them."""
    folded: set[str] = set()
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", compresslevel=6, mtime=0, filename="") as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        first: dict[bytes, str] = {}
        for name, data in sorted(files.items()):
            if name.casefold() in folded:
                raise EvidenceError("the pack holds it twice", where=name)
            folded.add(name.casefold())
            info = tarfile.TarInfo(f"evidence/{name}")  # of nobody, at no time, for everybody to read
            digest = hashlib.sha256(data).digest()
            if data and digest in first:
                info.type, info.linkname = tarfile.LNKTYPE, first[digest]
                tar.addfile(info)
                continue
            first[digest] = info.name
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


# --------------------------------------------------------------------------------------------------------------------
# The README


def _readme(contents: Contents, bundles: Sequence[Bundle]) -> str:
    newest = contents.records[0]
    subject = newest.claimed.subject
    ((algorithm, digest),) = subject.digest.items()
    if subject.kind is SubjectKind.GIT:
        compare = f"git rev-parse HEAD    # must be {digest}"
    elif subject.kind is SubjectKind.OCI:
        compare = f"# the image's digest must be sha256:{digest}"
    else:
        compare = f"sha256sum ARTEFACT    # must be {digest}"
    parts = [
        "# Evidence about one build",
        "Everything that was decided about one artefact, everything that it was decided from, and who is accepted by "
        "whoever packed it. It is verified with cosign 3, OPA 1, jq and sha256sum: nobody has to be believed but the "
        "holder of the keys or identities that `trust/trust.toml` names. **Compare that file's SHA-256 with one that "
        "you know from elsewhere**, else it is only the packer's word:",
        f"    {contents.trust.sha256}  trust/trust.toml",
        f"The artefact is `{_code(subject.name)}`, {algorithm} {digest}. The store calls this build "
        f"{newest.build.sha256}.",
        _decisions(contents.records),
        "Run the commands in this folder, in `sh` with `set -e`: each must succeed.",
        "## The artefact that is at hand is the one",
        f"    {compare}",
        "## Nothing in this pack was altered since it was packed",
        _commands([f"sha256sum --quiet -c {SUMS}", *_blobs()]),
        "## Who signed what",
        "Each statement, its signature, what it is about and its type.",
        _commands([_cosign(one) for one in bundles if one.signer is not None]),
    ]
    if strangers := [one.path for one in bundles if one.signer is None]:
        parts.append("By nobody whom the trust file accepts, so without weight:")
        parts.append("\n".join(f"- `{path}`" for path in strangers))
    for record in contents.records:
        parts += _decision(record)
    parts += _about_the_store(contents)
    return "\n\n".join(parts) + "\n"


def _decisions(records: Sequence[Record]) -> str:
    rows = ["| decision | time | whose word the time is | verdict | profile | for |", "|---|---|---|---|---|---|"]
    for record in records:
        claimed, context = record.claimed, record.claimed.context
        environment = "" if context.environment is None else f"`{_code(context.environment.value)}`"
        rows.append(
            f"| {record.id} | {format_time(context.evaluated_at)} | {claimed.time_source} | {claimed.verdict.value} | "
            f"{context.profile} | {environment} |"
        )
    return "\n".join(rows)


def _code(text: str) -> str:
    """Return a name as it may stand in a line of code in Markdown: it comes from a file (P39)."""
    return "".join(c if c.isprintable() and c not in "`|<>" else "?" for c in text)[:200]


def _commands(lines: Sequence[str]) -> str:
    return "\n".join(("```sh", *lines, "```"))


def _blobs() -> list[str]:
    return ['for blob in build/blobs/sha256/*; do echo "$(basename "$blob")  $blob"; done | sha256sum --quiet -c']


def _cosign(bundle: Bundle) -> str:
    signer = bundle.signer
    assert signer is not None  # noqa: S101 - the caller left the others out
    arguments = ["cosign", "verify-blob-attestation", "--bundle", bundle.path, "--type", bundle.kind]
    if signer.identity is None:
        arguments += ["--key", _key(signer), "--insecure-ignore-tlog"]
        if bundle.timestamped:
            arguments += ["--trusted-root", "trust/trusted_root.json", "--use-signed-timestamps"]
    else:
        identity = signer.identity
        arguments += ["--trusted-root", "trust/trusted_root.json", "--certificate-oidc-issuer", identity.issuer]
        if identity.identity.endswith("*"):
            arguments += ["--certificate-identity-regexp", f"^{re.escape(identity.identity[:-1])}.*$"]
        else:
            arguments += ["--certificate-identity", identity.identity]
        if bundle.timestamped:
            arguments += ["--use-signed-timestamps"]
    return shlex.join([*arguments, *bundle.about])


def _decision(record: Record) -> list[str]:
    statements = [
        f"D=build/decisions/{record.id}",
        f'jq -r .dsseEnvelope.payload "$D/{DETAIL_BUNDLE}" | base64 -d | cmp - "$D/decision.json"',
    ]
    if record.summary is not None:
        result = "PASSED" if record.claimed.verdict is Verdict.ALLOWED else "FAILED"
        statements += [
            f'jq -r .dsseEnvelope.payload "$D/{SUMMARY_BUNDLE}" | base64 -d | cmp - "$D/vsa.json"',
            f'(cd "$D" && jq -r \'.predicate.inputAttestations[0].digest.sha256 + "  {DETAIL_BUNDLE}"\' vsa.json '
            "| sha256sum --quiet -c)",
            f'test "$(jq -r .predicate.verificationResult "$D/vsa.json")" = {result}',
        ]
    return [
        f"## Decision {record.id[:12]}",
        "The statements are the ones that were signed, and the summary names this detail."
        if record.summary is not None
        else "The statement is the one that was signed. The profile `observe` only records, and has no summary.",
        _commands(statements),
        "Every file that the decision rests on has the digest that it names.",
        _commands(
            [
                '(cd "$D" && jq -r \'.predicate.materials[] | select(.stored) | .digest.sha256 + "  " + .name\' '
                "decision.json | sha256sum --quiet -c)"
            ]
        ),
        "The verdict follows from the rules and from what they saw: OPA says it again.",
        _commands(
            [
                'opa eval -b "$D/policy.tar.gz" -i "$D/policy-input.json" data.sbomgate.decision.result \\',
                "  | jq -S '.result[0].expressions[0].value' > again.json",
                'jq -S . "$D/evaluation.json" | cmp - again.json',
                f'test "$(jq -r .verdict again.json)" = {record.claimed.verdict.value}',
            ]
        ),
    ]


def _about_the_store(contents: Contents) -> list[str]:
    parts = ["## What else the store holds"]
    if contents.head is None:
        parts.append("The store had no signed head: what was removed from it is not seen.")
    else:
        bundle, segments = contents.head
        head = _head(bundle)
        parts.append(
            f"Head {head.sequence} of {format_time(head.time)} covers {head.entries} entries. Its signature (above) is "
            "over the newest segment of the log; each segment begins with the SHA-256 of the one before it. Every "
            "decision on this build that the log has is here:"
        )
        build = contents.records[0].build.sha256
        chain = [
            f'test "$(head -n 1 store/{LOG}/{number:06}/{ENTRIES})" = '
            f'"previous $(sha256sum < store/{LOG}/{number - 1:06}/{ENTRIES} | cut -c 1-64)"'
            for number in sorted(segments)
            if number
        ]
        parts.append(
            _commands(
                [
                    *chain,
                    f"for one in $(grep -h '^decision {build} ' store/{LOG}/*/{ENTRIES} | cut -d ' ' -f 3); do "
                    'test -d "build/decisions/$one"; done',
                    f"for one in $(grep -h '^revocation ' store/{LOG}/*/{ENTRIES} | cut -d ' ' -f 2); do "
                    f'test -f "store/revocations/$one{SUFFIX}"; done',
                ]
            )
        )
    parts.append("## Revocations")
    rows = [_revocation(sha256, bundle) for sha256, bundle in sorted(contents.revocations.items())]
    parts.append("\n".join(rows) if rows else "The store holds none.")
    if rows:
        parts.append(
            "One that names a decision on this build, or its signer, acts as a FAILED at its time: it beats every "
            "older PASSED on this artefact."
        )
    return parts


def _revocation(sha256: str, bundle: bytes) -> str:
    said = read(dsse.read_bundle(bundle, sha256).payload, sha256)
    when: datetime | None = None if said.signer is None else said.signer.since
    if said.signer is None:
        what = f"decision {said.decision}"
    else:
        who = said.signer.key_id or f"{said.signer.identity} of {said.signer.issuer}"
        what = f"all by `{_code(who)}`" + ("" if when is None else f" from {format_time(when)}")
    return f"- {format_time(said.issued_at)}: {what}: `{_code(said.reason)}`"
